"""The render budget holds whatever a render costs."""

from __future__ import annotations

import random

import pytest

from gym_gui.fastlane import Demand, FastLaneConfig, RenderGovernor
from gym_gui.fastlane.aftermath import Aftermath
from gym_gui.fastlane.governor import WINDOW_NS
from gym_gui.fastlane.tiling import draw_tile, layout_for, tiling_of

MS = 1_000_000


class Training:
    """A training on a clock of its own, that loses ``lost_ms`` of the 10 ms after each picture.

    learns: after every so many steps it learns for so many ms; by chance, where negative.
    """

    def __init__(
        self,
        *,
        cost_ms: float,
        lost_ms: float = 0.0,
        step_us: float = 500.0,
        learns: tuple[int, float] = (1 << 60, 0.0),
        first_ms: float | None = None,
    ) -> None:
        self.governor = RenderGovernor()
        self.now = self.steps = 0
        self.starts: list[int] = []
        self.ends: list[int] = []
        self._cost, self._first = int(cost_ms * MS), first_ms
        self._step = int(step_us * 1000)
        self._speed = 1 - lost_ms / 10
        self._learn_every, self._learn_ms = learns
        self._looked = 0
        self._chance = random.Random(7)

    def run(self, seconds: float, demand: Demand) -> Training:
        """Step on; every 4 ms, and when a picture is due, the governor is asked."""
        until = self.now + int(seconds * 1e9)
        while self.now < until:
            self._compute(self._step)
            self.steps += 1
            every = self._learn_every
            if self.steps % every == 0 if every > 0 else self._chance.randrange(-every) == 0:
                self._compute(int(self._learn_ms * MS))
            if self.now >= min(self._looked + 4 * MS, self.governor.next_ns):
                self._look(demand)
        return self

    def _compute(self, lasts: int) -> None:
        """Let what takes about ``lasts`` ns undisturbed pass."""
        lasts = int(lasts * self._chance.uniform(0.6, 1.4))
        slow_until = self.ends[-1] + 10 * MS if self.ends else 0
        slowly = min(lasts, max(0, int((slow_until - self.now) * self._speed)))
        self.now += int(slowly / self._speed) + lasts - slowly

    def _look(self, demand: Demand) -> None:
        self._looked = self.now
        self.governor.stepped(self.now, self.steps)
        if not self.governor.due(self.now, demand):
            return
        start = self.now
        first = self._first is not None and not self.starts
        self.now += int(self._first * MS) if first and self._first else self._cost
        self.governor.rendered(start, self.now, demand, self.steps)
        self.starts.append(start)
        self.ends.append(self.now)

    def share(self, lost_ms: float = 0.0, *, since: int = 0) -> float:
        """Return the share of time that pictures took since then, with what each costs after it."""
        made = [(a, b) for a, b in zip(self.starts, self.ends, strict=True) if a >= since]
        return sum(b - a + lost_ms * MS for a, b in made) / (self.now - since)

    def dearest_window(self) -> float:
        """Return the largest share of a stretch of 10 s, the first picture left out."""
        made = list(zip(self.starts, self.ends, strict=True))[1:]
        at = [start for start, _ in made][:200]
        return max(
            sum(max(0, min(b, t + WINDOW_NS) - max(a, t)) for a, b in made) / WINDOW_NS for t in at
        )


@pytest.mark.parametrize("cost_ms", [0.05, 0.8, 3.0, 70.0, 300.0])
@pytest.mark.parametrize("budget", [0.01, 0.05, 0.5])
def test_no_ten_seconds_of_watching_exceed_the_budget(cost_ms: float, budget: float) -> None:
    training = Training(cost_ms=cost_ms, first_ms=800.0).run(24.0, Demand(60.0, budget))
    assert training.governor.renders >= 2
    assert training.dearest_window() <= max(budget, cost_ms / 10_000)


def test_the_second_picture_comes_soon_after_a_dear_first_one() -> None:
    training = Training(cost_ms=70, first_ms=800.0).run(10.0, Demand(60.0, 0.05))
    assert training.starts[1] - training.starts[0] <= 801 * MS
    assert training.starts[2] - training.starts[1] >= 1400 * MS


def test_a_slow_picture_uses_the_budget_nearly_up() -> None:
    training = Training(cost_ms=70).run(60.0, Demand(60.0, 0.05))
    assert 0.04 < training.share() <= 0.05


def test_a_cheap_render_reaches_the_wanted_rate() -> None:
    for cost_ms, hz in ((0.55, 60.0), (0.1, 30.0)):
        training = Training(cost_ms=cost_ms).run(20.0, Demand(hz, 0.05))
        assert training.governor.renders == pytest.approx(20 * hz, rel=0.05)


LEARNING = {"none": (1 << 60, 0.0), "ppo": (256, 60.0), "dqn": (4, 1.0), "resets": (-40, 1.0)}


@pytest.mark.parametrize("learns", LEARNING)
@pytest.mark.parametrize(("cost_ms", "lost_ms"), [(0.8, 0.0), (0.8, 0.6), (2.0, 1.5), (0.3, 1.2)])
def test_a_picture_is_charged_with_the_slower_steps_after_it(
    cost_ms: float, lost_ms: float, learns: str
) -> None:
    training = Training(cost_ms=cost_ms, lost_ms=lost_ms, learns=LEARNING[learns])
    budget = 0.03
    training.run(40.0, Demand(60.0, budget))  # it finds out what they cost
    begun, before = training.now, training.governor.renders
    training.run(20.0, Demand(60.0, budget))
    assert training.share(lost_ms, since=begun) <= budget * 1.25
    affordable = min(60.0, budget * 1000 / (cost_ms + max(lost_ms, 0.35 * cost_ms)))
    steps = 0.65 if learns == "ppo" else 0.95  # of the time: no picture is made while it learns
    assert (training.governor.renders - before) / 20 > steps * 0.75 * affordable


def test_pictures_close_to_each_other_rest_now_and_then_to_be_measured() -> None:
    training = Training(cost_ms=0.2, lost_ms=0.5, step_us=100.0).run(10.0, Demand(500.0, 0.2))
    gaps = [b - a for a, b in zip(training.ends, training.starts[1:], strict=False)]
    assert 20 <= sum(gap >= 44 * MS for gap in gaps) <= 100
    begun, before = training.now, training.steps
    training.run(10.0, Demand(500.0, 0.2))
    assert (training.steps - before) * 0.1 * MS >= 0.75 * (training.now - begun)


def test_where_steps_are_slower_than_any_trace_a_picture_leaves_the_guess_remains() -> None:
    training = Training(cost_ms=4.0, lost_ms=0.0, step_us=150_000.0)
    training.run(120.0, Demand(60.0, 0.01))
    assert training.governor.renders == pytest.approx(
        220, rel=0.08
    )  # whole steps: 4.5 ms take 100 times as long and a half


def test_before_anything_is_known_a_part_of_the_picture_is_added() -> None:
    governor = RenderGovernor()
    demand = Demand(60.0, 0.05)
    governor.rendered(0, MS, demand)
    governor.rendered(60 * MS, 61 * MS, demand)
    assert not governor.due(86 * MS, demand)
    assert governor.due(88 * MS, demand)


def test_time_that_something_else_takes_is_no_picture_cost() -> None:
    """A pause or a speed limit right after each picture changes nothing of the charge."""
    aftermath = Aftermath()
    undisturbed = aftermath.lost_ns(MS)
    now = steps = 0
    for _ in range(200):
        aftermath.pictured(now, steps)
        aftermath.disturbed()
        now, steps = now + 500 * MS, steps + 1
        aftermath.look(now, steps)
    assert aftermath.lost_ns(MS) == undisturbed


def test_steps_that_go_back_are_forgotten() -> None:
    """An environment that is closed takes its steps with it."""
    aftermath = Aftermath()
    for number in range(200):
        aftermath.pictured(number * 100 * MS, 1000)
        aftermath.look((number * 100 + 50) * MS, 10)
    assert aftermath.lost_ns(MS) == Aftermath().lost_ns(MS)


def test_a_raised_budget_holds_at_once() -> None:
    governor = RenderGovernor()
    for start in (0, 1000):
        governor.rendered(start * MS, (start + 70) * MS, Demand(60.0, 0.01))
    assert not governor.due(2000 * MS, Demand(60.0, 0.01))
    assert governor.due(2000 * MS, Demand(60.0, 0.5))
    assert not governor.due(2000 * MS, Demand(60.0, 0.01))


def test_a_second_viewer_that_wants_more_is_served_at_once() -> None:
    governor = RenderGovernor()
    governor.rendered(0, MS, Demand(1.0, 0.05))
    assert not governor.due(100 * MS, Demand(1.0, 0.05))
    assert governor.due(100 * MS, Demand(60.0, 0.05))


def test_without_demand_nothing_is_due() -> None:
    assert not RenderGovernor().due(10**18, Demand())


def test_tiles_land_where_the_tiling_says() -> None:
    tiling = layout_for(5, 2, 2, 1)
    target = memoryview(bytearray(tiling.config.size))
    for index in range(5):
        draw_tile(target, tiling, index, bytes([index + 1] * 4))
    width = tiling.columns * tiling.width
    for index in range(5):
        x, y = tiling.place(index)
        assert target[y * width + x] == target[(y + 1) * width + x + 1] == index + 1
    assert tiling_of(tiling.config) == tiling


def test_tiles_are_laid_out_large_and_with_few_empty_places() -> None:
    assert layout_for(64, 600, 400, 3).columns == 8
    assert (layout_for(64, 84, 84, 3).columns, layout_for(64, 84, 84, 3).rows) == (11, 6)
    assert layout_for(2, 160, 210, 3).columns == 2
    assert layout_for(1, 600, 400, 3).columns == 1
    for tiles in range(1, 65):
        tiling = layout_for(tiles, 160, 210, 3)
        assert 0 <= tiling.columns * tiling.rows - tiles < tiling.columns


def test_a_tiling_from_a_hostile_header_is_harmless() -> None:
    tiling = tiling_of(FastLaneConfig(0, 0, 3, 10**6, 0))
    assert min(tiling.columns, tiling.rows, tiling.width, tiling.height) >= 1
