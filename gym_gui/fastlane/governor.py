"""How often to render: as often as a viewer wants, and never more than the budget allows."""

from __future__ import annotations

from gym_gui.fastlane.frames import Demand

_FIRST_WAIT_NS = 500_000_000  # a first render sets up its drawing: charged at most this much
_AFTERMATH = 0.35  # a picture leaves cold caches: steps after it are slower, by so much of its cost
_MOST_AFTERMATH_NS = 500_000
_LATE_NS = 100_000_000  # a beat missed by more is given up, not caught up with


class RenderGovernor:
    """Holds the share of wall time that pictures cost under a budget.

    A render that took c ns is charged with c and with what the steps after it lose in cold
    caches (``docs/decisions/020``). The next one starts charge / budget ns after its start at the
    earliest: the share cannot exceed the budget over any stretch of whole intervals. Times are
    monotonic nanoseconds handed in by the caller.
    """

    def __init__(self) -> None:
        self.renders = 0
        self.last_cost_ns = 0
        self._due_ns = 0
        self._allowed_ns = 0

    def due(self, now_ns: int, demand: Demand) -> bool:
        """Tell whether to render now."""
        return demand.wanted_hz > 0 and now_ns >= self._due_ns and now_ns >= self._allowed_ns

    @property
    def next_ns(self) -> int:
        """When the next render may be due, as the last demand was."""
        return max(self._due_ns, self._allowed_ns)

    def rendered(self, start_ns: int, end_ns: int, demand: Demand) -> None:
        """Account for a render (with its publish) that ran from ``start_ns`` to ``end_ns``."""
        cost = max(0, end_ns - start_ns)
        charge = cost + min(int(cost * _AFTERMATH), _MOST_AFTERMATH_NS)
        wait = int(charge / min(max(demand.budget, 1e-4), 1.0))
        if self.renders == 0:
            wait = min(wait, max(cost, _FIRST_WAIT_NS))
        self.renders += 1
        self.last_cost_ns = cost
        self._allowed_ns = start_ns + wait
        period = int(1e9 / max(demand.wanted_hz, 1e-3))
        beat = self._due_ns + period
        self._due_ns = beat if beat > start_ns - _LATE_NS else start_ns + period
