"""The short form of ring_stress.py."""

from __future__ import annotations

import pytest
from ring_stress import stress


@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("crc", [False, True])
def test_no_forbidden_frame_reaches_a_reader_in_another_process(slots: int, crc: bool) -> None:
    found = stress(frames=20_000, slots=slots, crc=crc, seconds=2.0)
    assert found["forbidden"] == ""
    assert found["returned"] + found["refused"] > 100
    if slots == 4:
        assert found["returned"] > 100
