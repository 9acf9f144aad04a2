"""Holds a training back to so many steps a second."""

from __future__ import annotations

import threading
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
        self._lock = threading.Lock()  # of the threads that step environments

    @property
    def holds_back(self) -> bool:
        """Tell whether steps wait at all."""
        return self._limit > 0

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
        limit = self._limit
        if not limit:
            return
        due_s = self._due(steps, limit)
        while self._limit == limit and (left := due_s - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))
            look()

    def _due(self, steps: int, limit: float) -> float:
        """Return when the steps made since the last call are due, after all before them."""
        with self._lock:
            made = max(0, steps - self._steps)
            self._steps = max(self._steps, steps)
            self._due_s = max(self._due_s, time.monotonic() - 1 / limit) + made / limit
            return self._due_s
