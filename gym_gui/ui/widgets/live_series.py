"""Points that keep coming, in bounded memory. numpy only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gym_gui.telemetry.curves import decimate

LIMIT = 50_000  # points kept of one series; then every bucket's least and greatest
POINTS = 2_000  # points drawn
_FIRST = 64  # points that a new series has room for


class Series:
    """Points in the order in which they came. ``reduced`` tells that old ones were merged.

    total: how many points came. mean_of: with more than 1, ``means`` has the running mean of so
    many, made of all points, also of those that were merged since.
    """

    def __init__(self, *, mean_of: int = 1) -> None:
        self._x, self._y = np.empty(_FIRST), np.empty(_FIRST)
        self._count = 0
        self._window = mean_of
        self._last = np.empty(0)  # the newest values, for the next means
        self.means = Series() if mean_of > 1 else None
        self.total = 0
        self.reduced = False

    def __len__(self) -> int:
        return self._count

    def add(self, points: Iterable[tuple[float, float]]) -> None:
        """Take pairs of x and y."""
        found = list(points)
        if found:
            x, y = zip(*found, strict=True)
            self.extend(x, y)

    def extend(self, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> None:
        """Take points in two columns of one length."""
        added = len(y)
        if not added:
            return
        end = self._count + added
        if end > len(self._x):
            room = max(end, min(2 * len(self._x), LIMIT + 1))
            self._x, self._y = (_with_room(self._x, room), _with_room(self._y, room))
        self._x[self._count : end] = x
        self._y[self._count : end] = y
        if self.means is not None:
            self.means.extend(x, self._new_means(self._y[self._count : end]))
        self._count = end
        self.total += added
        if end > LIMIT:
            self._reduce()

    def _new_means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of the last values at each of the new ones; NaN counts as 0."""
        before, window = len(self._last), self._window
        joined = np.concatenate([self._last, np.nan_to_num(values)])
        sums = np.concatenate([[0.0], np.cumsum(joined)])
        ends = np.arange(before + 1, len(joined) + 1)
        starts = np.maximum(ends - window, 0)
        self._last = joined[1 - window :].copy()
        return (sums[ends] - sums[starts]) / (ends - starts)

    def _reduce(self) -> None:
        curve = decimate(self._x[: self._count], self._y[: self._count], max_points=LIMIT // 2)
        self._count = len(curve.x)
        self._x, self._y = _with_room(curve.x, LIMIT + 1), _with_room(curve.y, LIMIT + 1)
        self.reduced = True

    def keep_last(self, count: int) -> None:
        """Forget all but the newest ``count`` points."""
        over = self._count - count
        if over > 0:
            for column in (self._x, self._y):
                column[:count] = column[over : self._count].copy()
            self._count = count

    def last_x(self) -> float:
        return float(self._x[self._count - 1]) if self._count else 0.0

    def last(self) -> float | None:
        return float(self._y[self._count - 1]) if self._count else None

    def drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y for the screen, x ascending."""
        x, y = self._x[: self._count], self._y[: self._count]
        if (x[1:] < x[:-1]).any():
            order = np.argsort(x, kind="stable")
            x, y = x[order], y[order]
        curve = decimate(x, y, max_points=POINTS)
        return curve.x.copy(), curve.y.copy()


def _with_room(column: np.ndarray, room: int) -> np.ndarray:
    roomy = np.empty(max(room, len(column)))
    roomy[: len(column)] = column
    return roomy
