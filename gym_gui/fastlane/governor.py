"""How often to render: as often as a viewer wants, and never more than the budget allows."""

from __future__ import annotations

from gym_gui.fastlane.aftermath import Aftermath
from gym_gui.fastlane.frames import Demand

WINDOW_NS = 10_000_000_000  # over any stretch so long, pictures keep within the budget
_FIRST_WAIT_NS = 500_000_000  # a first render sets up its drawing: charged at most this much
_LATE_NS = 100_000_000  # a beat missed by more is given up, not caught up with


class RenderGovernor:
    """Holds the share of wall time that pictures cost under a budget.

    A render that took c ns is charged with c and with what is lost after it (``Aftermath``). The
    next one starts charge / budget ns after its start at the earliest, and dear ones a little
    later, so that a stretch of 10 s that begins and ends with one keeps within the budget too.
    Times are monotonic nanoseconds handed in by the caller.
    """

    def __init__(self) -> None:
        self.renders = 0
        self.last_cost_ns = 0
        self._aftermath = Aftermath()
        self._demand = Demand()
        self._start_ns = 0
        self._charge_ns = 0
        self._rest_ns = 0
        self._due_ns = 0
        self._allowed_ns = 0

    def due(self, now_ns: int, demand: Demand) -> bool:
        """Tell whether to render now."""
        if demand != self._demand and self.renders:
            self._demand = demand  # the viewer's word holds at once, not after the next picture
            self._due_ns = min(self._due_ns, self._start_ns + _period(demand))
            self._allowed_ns = self._start_ns + self._wait(demand)
        return demand.wanted_hz > 0 and now_ns >= self._due_ns and now_ns >= self._allowed_ns

    @property
    def next_ns(self) -> int:
        """When the next render may be due, as the last demand was."""
        return max(self._due_ns, self._allowed_ns)

    def stepped(self, now_ns: int, steps: int) -> None:
        """Take in that the training has made ``steps`` in all; to be told between pictures."""
        self._aftermath.look(now_ns, steps)

    def disturbed(self) -> None:
        """Take in that something of ours, or the user, holds the training back."""
        self._aftermath.disturbed()

    def rendered(self, start_ns: int, end_ns: int, demand: Demand, steps: int = 0) -> None:
        """Account for a render (with its publish) that ran from ``start_ns`` to ``end_ns``.

        steps: that the training has made in all.
        """
        cost = max(0, end_ns - start_ns)
        self.renders += 1
        self.last_cost_ns = cost
        self._demand, self._start_ns = demand, start_ns
        self._aftermath.look(start_ns, steps, picture=True)
        self._aftermath.pictured(end_ns, steps)
        self._charge_ns = cost + self._aftermath.lost_ns(cost)
        self._rest_ns = self._aftermath.rest_ns(end_ns)
        self._allowed_ns = start_ns + self._wait(demand)
        beat = self._due_ns + _period(demand)
        self._due_ns = beat if beat > start_ns - _LATE_NS else start_ns + _period(demand)

    def _wait(self, demand: Demand) -> int:
        """Return the ns from the start of the last render to that of the next at the earliest."""
        wait = _interval(self._charge_ns, min(max(demand.budget, 1e-4), 1.0))
        if self.renders == 1:
            wait = min(wait, max(self.last_cost_ns, _FIRST_WAIT_NS))
        return max(wait, self.last_cost_ns + self._rest_ns if self._rest_ns else 0)


def _period(demand: Demand) -> int:
    return int(1e9 / max(demand.wanted_hz, 1e-3))


def _interval(charge: int, budget: float) -> int:
    """Return the ns between starts of renders that are charged with so much.

    n renders within a window take n - 1 intervals, and n charges may be budget * window.
    """
    even = charge / budget
    if even > WINDOW_NS / 2:
        return int(max(even, WINDOW_NS))
    return int(even / (1 - even / WINDOW_NS))
