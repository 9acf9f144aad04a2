"""Points of one curve, kept in little room: a million take 24 MB."""

from __future__ import annotations

from array import array

import numpy as np


class Points:
    """Step, value and wall time (Unix seconds; 0 where it is not told), in the file's order."""

    __slots__ = ("step", "value", "wall_s")

    def __init__(self) -> None:
        self.step = array("q")
        self.value = array("d")
        self.wall_s = array("d")

    def __len__(self) -> int:
        return len(self.value)

    def add(self, step: int, value: float, wall_s: float) -> None:
        self.step.append(step)
        self.value.append(value)
        self.wall_s.append(wall_s)

    def columns(self, by: str = "step") -> tuple[np.ndarray, np.ndarray]:
        """Return x and y as float64, x ascending.

        by: ``step``; ``wall``, Unix seconds; or ``relative``, seconds since the first point.
        """
        y = np.array(self.value)
        if by == "step":
            x = np.array(self.step, dtype=float)
        else:
            x = np.array(self.wall_s)
            if by == "relative" and len(x):
                x = x - x.min()
        if len(x) > 1 and np.any(np.diff(x) < 0):
            order = np.argsort(x, kind="stable")
            return x[order], y[order]
        return x, y
