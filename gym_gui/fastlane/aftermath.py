"""What a picture costs a training after it was made, measured in the training's own steps.

A render leaves cold caches to the steps after it; then its viewer copies, scales and paints it,
on the same physical core where two hardware threads share one. So the steps in the first
``REACH_NS`` after a picture are compared with steps that no picture has disturbed for so long.
Where pictures follow each other too quickly for that, they are to rest now and then.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Optional, Tuple

REACH_NS = 25_000_000  # a viewer looks every 8 ms, and paints at its next display interval
SPAN_NS = 20_000_000  # steps of so long make a sample
_REST_EVERY_NS = 400_000_000
_REST_AT_FIRST_NS = 100_000_000  # until so many samples are known as the guess is worth
_SAMPLE_EVERY_NS = 80_000_000
_MEMORY_NS = 60_000_000_000  # a training changes: older samples say nothing about its steps
_EVERY = 8  # pictures between two judgements
_GUESS = 0.35  # of a picture's cost: before more is known, and at the least (decision 020)
_MOST_GUESS_NS = 500_000
_GUESS_WEIGHT = 20  # samples that the guess is worth: fewer scatter by more than it may be wrong
_MOST_NS = 2_000_000  # nothing that a picture leaves behind takes longer
_LOOK_NS = 4_000_000  # the training is looked at so often
_PAUSE_NS = 5_000_000  # a stretch longer than it should be by this, and by ...
_PAUSE_STEPS = 4  # ... so many steps, holds a learning pause
_COARSE_NS = 4 * SPAN_NS  # steps so long that a picture's trace drowns in them


class Aftermath:
    """Time lost after a picture, beyond the picture itself. Steps count up; times are ns.

    Stretches with a learning pause are left out, and means of the middle half of the samples
    compared, so that a slow reset now and then does not count.
    """

    def __init__(self) -> None:
        self._from: Optional[Tuple[int, int]] = None  # time and steps of the running stretch
        self._is_after = False
        self._after, self._quiet = _Samples(), _Samples()
        self._quiet_ns = 0  # when steps were last undisturbed for long enough
        self._pictures = 0
        self._measured_ns = self._step_ns = 0.0
        self._weight = 0

    def lost_ns(self, cost_ns: int) -> int:
        """Return ns lost after a picture that took ``cost_ns``: a guess, or more if measured."""
        guess = min(cost_ns * _GUESS, _MOST_GUESS_NS)
        known, weight = self._measured_ns, self._weight
        mean = (known * weight + guess * _GUESS_WEIGHT) / (weight + _GUESS_WEIGHT)
        return int(min(max(guess, mean), _MOST_NS))

    def rest_ns(self, now_ns: int) -> int:
        """Return for how long after the picture just made the next one should not be."""
        every = _REST_EVERY_NS if self._weight > _GUESS_WEIGHT else _REST_AT_FIRST_NS
        is_due = self._from is not None and now_ns - self._quiet_ns > every
        return REACH_NS + SPAN_NS if is_due else 0

    def look(self, now_ns: int, steps: int, *, picture: bool = False) -> None:
        """Take in the steps made until now, just after a step. picture: one begins now."""
        if self._from is None:
            return
        lasted, made = now_ns - self._from[0], steps - self._from[1]
        if lasted < 0 or made < 0:
            self.disturbed()
        elif self._holds_pause(lasted, made):
            self._from, self._is_after = (now_ns, steps), False
        elif not self._is_after:
            if self._quiet.add(now_ns, lasted, made):
                self._quiet_ns = now_ns
            self._from = now_ns, steps
        elif picture or lasted >= REACH_NS:
            self._after.add(now_ns, lasted, made)
            self._from, self._is_after = (now_ns, steps), False

    def pictured(self, now_ns: int, steps: int) -> None:
        """Begin to watch the steps after a picture that has just been made."""
        self._quiet_ns = self._quiet_ns or now_ns
        self._from, self._is_after = (now_ns, steps), True
        self._pictures += 1
        if self._pictures % _EVERY == 0:
            self._judge(now_ns)

    def disturbed(self) -> None:
        """Forget the running stretch: something else than steps took time in it."""
        self._from = None

    def _holds_pause(self, lasted: int, made: int) -> bool:
        expected = (REACH_NS if self._is_after else 0) + _LOOK_NS
        step = self._step_ns or lasted / max(made, 1)
        return lasted > expected + _PAUSE_NS + _PAUSE_STEPS * step

    def _judge(self, now_ns: int) -> None:
        after, quiet = self._after.recent(now_ns), self._quiet.recent(now_ns)
        self._weight = min(len(after), len(quiet))
        if not self._weight:
            return
        lasted = _middle([lasted for _, lasted in after])
        self._step_ns = _middle([step for step, _ in quiet])
        slower = 1 - self._step_ns / _middle([step for step, _ in after])
        self._measured_ns = lasted * slower
        if lasted > _COARSE_NS:
            self._weight = 0


class _Samples:
    """Mean ns of a step over stretches put together to ``SPAN_NS``, of the last minute."""

    def __init__(self) -> None:
        self._kept: Deque[Tuple[int, float, float]] = deque()  # when, ns a step, ns a stretch
        self._lasted = self._made = self._stretches = 0

    def add(self, now_ns: int, lasted: int, made: int) -> bool:
        """Take in one stretch of steps; True once it completes a sample."""
        self._lasted += lasted
        self._made += made
        self._stretches += 1
        if self._lasted < SPAN_NS or not self._made:
            return False
        if not self._kept or now_ns - self._kept[-1][0] >= _SAMPLE_EVERY_NS:
            step, stretch = self._lasted / self._made, self._lasted / self._stretches
            self._kept.append((now_ns, step, stretch))
        self._lasted = self._made = self._stretches = 0
        return True

    def recent(self, now_ns: int) -> List[Tuple[float, float]]:
        """Return (ns a step, ns a stretch) of each sample that is not too old."""
        while self._kept and now_ns - self._kept[0][0] > _MEMORY_NS:
            self._kept.popleft()
        return [(step, stretch) for _, step, stretch in self._kept]


def _middle(values: List[float]) -> float:
    """Return the mean of the middle half: outliers do not count, and two clusters do by size."""
    values.sort()
    quarter = len(values) // 4
    middle = values[quarter : len(values) - quarter]
    return sum(middle) / len(middle)
