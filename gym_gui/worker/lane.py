"""The live side of one process: what viewers want, pace and pause, and the HUD's numbers."""

from __future__ import annotations

from collections import deque
from typing import Any

TICK_NS = 5_000_000


class Lane:
    """Looked at every few milliseconds of training; costs a comparison in between."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.last_ns = 0
        self.next_ns = 0
        self.taps: list[Any] = []
        self._returns: deque[float] = deque(maxlen=100)

    def add(self, tap: Any) -> None:
        self.taps.append(tap)

    def remove(self, tap: Any) -> None:
        if tap in self.taps:
            self.taps.remove(tap)

    def finished_episode(self, return_: float) -> None:
        self._returns.append(return_)

    def tick(self, now: int) -> None:
        self.last_ns = now
        self.next_ns = now + TICK_NS
