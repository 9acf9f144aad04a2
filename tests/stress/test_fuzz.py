"""The short form of ``fuzz.py``: every target takes or refuses whatever it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from stress.fuzz import SHARES, run


@pytest.mark.parametrize("target", SHARES)
def test_nothing_but_an_answer_comes_of_any_input(target: str, tmp_path: Path) -> None:
    inputs = 60 if target == "store" else 1500
    counts = run(inputs, seed=11, only=target, folder=tmp_path)[target]
    assert counts.total() == inputs
    assert counts[""] > 0, "no input was sound: the fuzzing proves nothing"
    assert len(counts) > 3
