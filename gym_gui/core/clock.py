"""Time as a value that can be handed in, so that tests need not wait."""

from __future__ import annotations

import time


class Clock:
    """Wall and monotonic time in nanoseconds."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class ManualClock(Clock):
    """A clock that moves only when told to."""

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns

    def advance(self, *, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)

    def wall_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns
