"""What a picture costs a training after it was made, measured in the training's own steps.

A render leaves cold caches to the steps after it, and its viewer computes beside them, on the
same physical core where two hardware threads share one. So steps in the first ``REACH_NS`` after
a picture are compared with steps that no picture has disturbed for so long.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Optional, Tuple

REACH_NS = 12_000_000  # a viewer looks every 8 ms and paints for some 2 ms
_SAMPLES = 511  # of each kind
_EVERY = 16  # pictures between two judgements
_GUESS = 0.35  # of a picture's cost, until more is known
_MOST_GUESS_NS = 500_000
_GUESS_WEIGHT = 32  # samples that the guess is worth: fewer scatter by more than it may be wrong
_MOST_NS = 2_000_000  # nothing that a picture leaves behind takes longer
_COARSE_NS = 3 * REACH_NS  # steps so long that a picture's trace drowns in them


class Aftermath:
    """Time lost after a picture, beyond the picture itself. Steps count up; times are ns.

    Both kinds of sample are whole steps of ``REACH_NS`` or more: those right after a picture, and
    those of later stretches put together, which makes their spread alike. Means of the middle half
    are compared, so that learning pauses do not count.
    """

    def __init__(self) -> None:
        self._from: Optional[Tuple[int, int]] = None  # time and steps of the running stretch
        self._is_after = False
        self._after: Deque[Tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._quiet: Deque[float] = deque(maxlen=_SAMPLES)
        self._gathered = [0, 0]
        self._pictures = 0
        self._measured_ns = 0.0
        self._weight = 0

    def lost_ns(self, cost_ns: int) -> int:
        """Return the ns lost after a picture that took ``cost_ns``; at first a guess."""
        guess = min(cost_ns * _GUESS, _MOST_GUESS_NS)
        known, weight = self._measured_ns, self._weight
        mean = (known * weight + guess * _GUESS_WEIGHT) / (weight + _GUESS_WEIGHT)
        return int(min(max(0.0, mean), _MOST_NS))

    def pictured(self, now_ns: int, steps: int) -> None:
        """Begin to watch the steps after a picture that has just been made."""
        self._from, self._is_after = (now_ns, steps), True
        self._pictures += 1
        if self._pictures % _EVERY == 0:
            self._judge()

    def look(self, now_ns: int, steps: int) -> None:
        """Take in the steps made until now, just after a step."""
        if self._from is None:
            return
        lasted, made = now_ns - self._from[0], steps - self._from[1]
        if lasted < 0 or made < 0:
            self.disturbed()
        elif not self._is_after:
            self._gather(lasted, made)
            self._from = now_ns, steps
        elif lasted >= REACH_NS:
            if made:
                self._after.append((lasted / made, lasted))
            self._from, self._is_after = (now_ns, steps), False

    def disturbed(self) -> None:
        """Forget the running stretch: something else than steps took time in it."""
        self._from = None

    def _gather(self, lasted: int, made: int) -> None:
        total = self._gathered
        total[0] += lasted
        total[1] += made
        if total[0] >= REACH_NS and total[1]:
            self._quiet.append(total[0] / total[1])
            self._gathered = [0, 0]

    def _judge(self) -> None:
        self._weight = min(len(self._after), len(self._quiet))
        if not self._weight:
            return
        after = _middle([step for step, _ in self._after])
        lasted = _middle([lasted for _, lasted in self._after])
        self._measured_ns = lasted * (1 - _middle([*self._quiet]) / after)
        if lasted > _COARSE_NS:
            self._weight = 0


def _middle(values: List[float]) -> float:
    """Return the mean of the middle half: outliers do not count, and two clusters do by size."""
    values.sort()
    quarter = len(values) // 4
    middle = values[quarter : len(values) - quarter]
    return sum(middle) / len(middle)
