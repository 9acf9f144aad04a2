"""The short form of ring_kills.py."""

from __future__ import annotations

from ring_kills import KINDS, rounds


def test_whoever_is_killed_nothing_hangs_and_no_ring_is_left() -> None:
    found = rounds(len(KINDS), seed=1)
    assert found["forbidden"] == ""
    assert sum(found["rounds"].values()) == len(KINDS)
