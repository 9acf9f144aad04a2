"""The ring's protocol, checked over every order of stores: `spin -run tests/stress/ring.pml`.

Collected only where spin is installed (tests/conftest.py).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("ring.pml")
SMALL = ("SLOTS=1", "FRAMES=2", "LOOKS=2")  # without fences there are too many orders for more


def errors(tmp_path: Path, *flags: str) -> int:
    command = ["spin", *(f"-D{flag}" for flag in flags), "-run", "-O1", "-m40000", str(MODEL)]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=170, check=False
    )
    assert "out of memory" not in result.stdout
    assert "max search depth too small" not in result.stdout
    return int(result.stdout.split("errors:")[1].split()[0])


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("SLOTS=1",),
        ("WEAK", "FENCES"),
        ("WEAK", "CRC", *SMALL),
        ("WEAK", "FENCES", "NO_F3"),
        ("WEAK", "FENCES", "NO_R1"),
    ],
    ids=" ".join,
)
def test_the_protocol_returns_no_forbidden_frame(tmp_path: Path, flags: tuple[str, ...]) -> None:
    assert errors(tmp_path, *flags) == 0


@pytest.mark.parametrize(
    "flags",
    [
        ("NO_ODD",),
        ("NO_RECHECK",),
        ("WEAK",),
        ("WEAK", "FENCES", "NO_F1"),
        ("WEAK", "FENCES", "NO_F2"),
        ("WEAK", "FENCES", "NO_R2"),
        ("WEAK", "CRC", "NO_NUMBER", *SMALL),
    ],
    ids=" ".join,
)
def test_each_part_of_the_protocol_is_needed(tmp_path: Path, flags: tuple[str, ...]) -> None:
    assert errors(tmp_path, *flags) > 0
