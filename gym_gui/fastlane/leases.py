"""What viewers ask of a writer, through words of its header; none of it outlives its deadline.

The writer looks at one word per step (``epoch``); only when a viewer changed it, or a deadline
that it knows has passed, does it read the leases again.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from typing import Optional, Set, Tuple

from gym_gui.fastlane import layout
from gym_gui.fastlane.frames import Control, Demand
from gym_gui.fastlane.mapping import Mapping

_NOTHING, _FREE = Demand(), Control()
_FOREVER = (1 << 63) - 1
_MAX_LEASE_NS = 60 * 10**9  # a deadline further away is nonsense, or a hostile viewer's
_RATE_LIMIT_HZ = 1000.0


class WriterSide:
    """Demand and control as the writer sees them."""

    def __init__(self, mapping: Mapping) -> None:
        self._words, self._floats = mapping.words, mapping.floats
        self._epoch = -1
        self._until = 0
        self._state: Tuple[Demand, Control] = (_NOTHING, _FREE)

    def look(self, now_ns: int) -> Tuple[Demand, Control]:
        """Return demand and control at monotonic time ``now_ns``."""
        if self._words[layout.W_EPOCH] == self._epoch and now_ns < self._until:
            return self._state
        self._epoch = self._words[layout.W_EPOCH]  # SYNC epoch: before the leases it stands for
        self._until = _FOREVER
        self._state = (self._demand(now_ns), self._control(now_ns))
        return self._state

    def _fresh(self, deadline: int, now_ns: int) -> bool:
        if not now_ns < deadline < now_ns + _MAX_LEASE_NS:
            return False
        self._until = min(self._until, deadline)
        return True

    def _demand(self, now_ns: int) -> Demand:
        wanted = budget = 0.0
        views = set()
        first = layout.W_LEASES
        for at in range(first, first + layout.LEASES * layout.LEASE_WORDS, layout.LEASE_WORDS):
            if self._fresh(self._words[at + layout.L_DEADLINE], now_ns):
                wanted = max(wanted, _sane(self._floats[at + layout.L_WANTED], _RATE_LIMIT_HZ))
                budget = max(budget, _sane(self._floats[at + layout.L_BUDGET], 1.0))
                views.add(self._words[at + layout.L_VIEW])
        return Demand(wanted, budget, _together(views)) if wanted else _NOTHING

    def _control(self, now_ns: int) -> Control:
        at = layout.W_CONTROL
        if not self._fresh(self._words[at + layout.C_DEADLINE], now_ns):
            return _FREE
        paused = self._words[at + layout.C_PAUSED] == 1
        return Control(paused, _sane(self._floats[at + layout.C_MAX_STEPS], 1e9))


def _together(views: Set[int]) -> int:
    """Return the view that shows every viewer what it asked for."""
    if len(views) > 1:
        return layout.VIEW_ALL
    (view,) = views
    return view if view <= layout.MAX_VIEW else layout.VIEW_DEFAULT


def _sane(value: float, most: float) -> float:
    """Return ``value`` within 0 and ``most``; anything that is no number is 0."""
    return min(value, most) if value > 0 else 0.0


class ViewerSide:
    """One viewer's lease and its control, in a ring it has mapped."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._words, self._floats = mapping.words, mapping.floats
        self._owner = secrets.randbits(63) | 1
        self._block: Optional[int] = None

    def lease(
        self,
        wanted_hz: float,
        budget: float,
        duration_s: float,
        view: int = layout.VIEW_DEFAULT,
    ) -> bool:
        """Ask for pictures until ``duration_s`` from now. False while all four leases are taken."""
        if self._block is None or self._words[self._block + layout.L_OWNER] != self._owner:
            self._block = self._claim()
        if self._block is None:
            return False
        at = self._block
        changed = (
            self._floats[at + layout.L_WANTED] != wanted_hz
            or self._floats[at + layout.L_BUDGET] != budget
            or self._words[at + layout.L_VIEW] != view
            or self._words[at + layout.L_DEADLINE] <= time.monotonic_ns()
        )
        self._floats[at + layout.L_WANTED] = wanted_hz
        self._floats[at + layout.L_BUDGET] = budget
        self._words[at + layout.L_VIEW] = view
        self._words[at + layout.L_DEADLINE] = time.monotonic_ns() + int(duration_s * 1e9)
        if changed:
            self._bump()
        return True

    def _claim(self) -> Optional[int]:
        """Take a free or lapsed block, one viewer at a time (the ring file's own lock)."""
        fcntl.flock(self._mapping.descriptor, fcntl.LOCK_EX)
        try:
            now = time.monotonic_ns()
            for index in range(layout.LEASES):
                at = layout.W_LEASES + index * layout.LEASE_WORDS
                free = self._words[at + layout.L_OWNER] == 0
                if free or self._words[at + layout.L_DEADLINE] < now:
                    self._words[at + layout.L_DEADLINE] = 0
                    self._words[at + layout.L_PID] = os.getpid()
                    self._words[at + layout.L_OWNER] = self._owner
                    return at
            return None
        finally:
            fcntl.flock(self._mapping.descriptor, fcntl.LOCK_UN)

    def release(self) -> None:
        """Give the lease back: this viewer asks for nothing from now on."""
        at, self._block = self._block, None
        if at is not None and self._words[at + layout.L_OWNER] == self._owner:
            self._words[at + layout.L_DEADLINE] = 0
            self._words[at + layout.L_OWNER] = 0
            self._bump()

    def set_control(self, paused: bool, max_steps_per_s: float, duration_s: float) -> None:
        """Pause or pace the training until ``duration_s`` from now; the latest word holds."""
        at = layout.W_CONTROL
        self._words[at + layout.C_OWNER] = self._owner
        self._words[at + layout.C_PAUSED] = int(paused)
        self._floats[at + layout.C_MAX_STEPS] = max_steps_per_s
        self._words[at + layout.C_DEADLINE] = time.monotonic_ns() + int(duration_s * 1e9)
        self._bump()

    def control(self) -> Tuple[Control, bool]:
        """Return the control in force, and whether this viewer's word was the latest."""
        at = layout.W_CONTROL
        is_mine = self._words[at + layout.C_OWNER] == self._owner
        now_ns = time.monotonic_ns()
        if not now_ns < self._words[at + layout.C_DEADLINE] < now_ns + _MAX_LEASE_NS:
            return _FREE, is_mine
        paused = self._words[at + layout.C_PAUSED] == 1
        return Control(paused, _sane(self._floats[at + layout.C_MAX_STEPS], 1e9)), is_mine

    def release_control(self, *, anyones: bool = False) -> None:
        """Leave the training alone, unless another viewer has taken the control since.

        anyones: also then; that viewer sees that its word is no longer the latest.
        """
        at = layout.W_CONTROL
        if anyones or self._words[at + layout.C_OWNER] == self._owner:
            self._words[at + layout.C_DEADLINE] = 0
            self._words[at + layout.C_OWNER] = 0
            self._bump()

    def _bump(self) -> None:
        self._words[layout.W_EPOCH] = time.monotonic_ns()  # SYNC epoch: after what it stands for
