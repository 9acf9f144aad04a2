"""Columns of episodes and their reduction to what a screen can show. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gym_gui.core.errors import UsageError


@dataclass(slots=True)
class Curve:
    """Points of a curve: x ascending, y, both float64 of one length.

    ``total`` is the number of points before the reduction.
    """

    x: np.ndarray
    y: np.ndarray
    total: int


@dataclass(slots=True)
class EpisodeColumns:
    """Totals of episodes as arrays of one length, in the order in which the episodes ended."""

    stream: np.ndarray
    episode: np.ndarray
    length: np.ndarray
    return_: np.ndarray
    start_ns: np.ndarray
    end_ns: np.ndarray
    first_index: np.ndarray
    agent: list[str]

    @classmethod
    def from_rows(cls, found: Sequence[Sequence[Any]]) -> EpisodeColumns:
        """Build from rows in any order; a return of None is NaN."""
        columns = list(zip(*found, strict=True)) if found else [()] * 8
        arrays = [np.array(columns[i], dtype=np.int64) for i in (0, 1, 2, 4, 5, 6)]
        returns = np.array(columns[3], dtype=float)
        order = np.lexsort((arrays[1], arrays[0], arrays[4]))
        stream, episode, length, start, end, first = (array[order] for array in arrays)
        agents = columns[7]
        return cls(
            stream,
            episode,
            length,
            returns[order],
            start,
            end,
            first,
            [str(agents[i]) for i in order] if any(agents) else [""] * len(found),
        )

    def __len__(self) -> int:
        return len(self.return_)

    def x(self, by: str) -> np.ndarray:
        """Return where each episode ended: ``steps`` so far, ``episodes``, or ``time`` in s."""
        if by == "steps":
            return np.cumsum(self.length).astype(float)
        if by == "episodes":
            return np.arange(1, len(self) + 1, dtype=float)
        if by == "time":
            begin = self.start_ns.min() if len(self) else 0
            return (self.end_ns - begin) / 1e9
        raise UsageError(f"{by!r} is no axis.", next_step="Use steps, episodes or time.")


def decimate(x: np.ndarray, y: np.ndarray, *, max_points: int) -> Curve:
    """Reduce to ``max_points``: of each bucket its least and its greatest point, in order.

    No peak is lost, whatever the reduction. NaN counts as no point unless its bucket has nothing
    else. ``x`` must not descend.
    """
    total = len(y)
    buckets = max(1, max_points // 2)
    if total <= max(2, max_points):
        return Curve(np.asarray(x, dtype=float), np.asarray(y, dtype=float), total)
    size = -(-total // buckets)
    whole = total // size * size
    blocks = np.asarray(y[:whole], dtype=float).reshape(-1, size)
    starts = np.arange(0, whole, size)
    low = starts + _arg(blocks, np.inf, np.argmin)
    high = starts + _arg(blocks, -np.inf, np.argmax)
    picked = np.sort(np.stack([low, high], axis=1), axis=1).ravel()
    if whole < total:
        rest = np.asarray(y[whole:], dtype=float)[None]
        ends = [int(_arg(rest, np.inf, np.argmin)[0]), int(_arg(rest, -np.inf, np.argmax)[0])]
        picked = np.concatenate([picked, whole + np.sort(ends)])
    picked = np.unique(picked)
    return Curve(np.asarray(x, dtype=float)[picked], np.asarray(y, dtype=float)[picked], total)


def _arg(blocks: np.ndarray, worst: float, pick: Any) -> np.ndarray:
    if np.isnan(np.sum(blocks)):
        blocks = np.where(np.isnan(blocks), worst, blocks)
    return pick(blocks, axis=1)
