"""What runs in the user's interpreter asks for nothing that Python 3.9 does not have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gym_gui

PACKAGE = Path(gym_gui.__file__).parent


def newer_than_3_9(*paths: Path) -> str:
    # core/paths.py asks for tomllib where it is there, and does without where it is not.
    options = ["-q", "-t=3.9-", "--no-tips", "--violations", "--exclude", "tomllib"]
    done = subprocess.run(
        [sys.executable, "-c", "import vermin; vermin.main()", *options, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.stdout if done.returncode else ""


def test_the_tap_needs_nothing_newer_than_python_3_9():
    assert newer_than_3_9(*(PACKAGE / name for name in ("core", "fastlane", "worker"))) == ""


def test_what_is_newer_is_found(tmp_path: Path):
    newer = tmp_path / "newer.py"
    newer.write_text("import itertools\nprint(list(itertools.pairwise([1, 2])))\n")
    assert "pairwise" in newer_than_3_9(newer)
