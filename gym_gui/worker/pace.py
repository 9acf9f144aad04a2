"""Holds a training back to so many steps a second."""

from __future__ import annotations

import time
from typing import Callable

_SLICE_S = 0.05  # between looks whether the user has changed the pace
_SLOW_PER_S = 250.0  # below this, each step is looked at


class Pace:
    """``limit`` 0 lets the training run free. Counts environment steps of the whole process."""

    def __init__(self, max_steps_per_s: float) -> None:
        self._limit = max(0.0, max_steps_per_s)
        self._steps = 0
        self._due_s = 0.0

    @property
    def is_slow(self) -> bool:
        """Tell whether every single step should wait."""
        return 0 < self._limit < _SLOW_PER_S

    def limit(self, max_steps_per_s: float, steps: int) -> None:
        """Change the pace from now on; ``steps``: made so far."""
        self._limit = max_steps_per_s
        self._steps = steps
        self._due_s = time.monotonic()

    def wait(self, steps: int, look: Callable[[], None]) -> None:
        """Sleep until ``steps`` are due, looking in between whether the pace has changed."""
        if not self._limit:
            return
        now = time.monotonic()
        made = max(0, steps - self._steps)
        self._steps = steps
        self._due_s = max(self._due_s, now - 1 / self._limit) + made / self._limit
        while self._limit and (left := self._due_s - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))
            look()
