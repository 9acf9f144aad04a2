"""The render budget holds whatever a render costs."""

from __future__ import annotations

import pytest

from gym_gui.fastlane import Demand, FastLaneConfig, RenderGovernor
from gym_gui.fastlane.tiling import draw_tile, layout_for, tiling_of

MS = 1_000_000


def simulate(
    cost_ns: int, demand: Demand, *, step_ns: int = 50_000, seconds: float = 20.0
) -> tuple[int, float]:
    """Return renders and their share of 20 s in an environment whose steps take 50 us."""
    step_ns, seconds = 50_000, 20.0
    governor = RenderGovernor()
    now = spent = 0
    while now < seconds * 1e9:
        now += step_ns
        if governor.due(now, demand):
            governor.rendered(now, now + cost_ns, demand)
            now += cost_ns
            spent += cost_ns
    return governor.renders, spent / now


@pytest.mark.parametrize("cost_ms", [0.05, 0.8, 3.0, 70.0])
@pytest.mark.parametrize("budget", [0.01, 0.05, 0.5])
def test_the_share_of_rendering_stays_within_the_budget(cost_ms: float, budget: float) -> None:
    renders, share = simulate(int(cost_ms * MS), Demand(60.0, budget))
    assert renders >= 2
    assert share <= budget + 2 * cost_ms / 20_000  # one render more at each end of the stretch


def test_a_cheap_render_reaches_the_wanted_rate() -> None:
    assert simulate(550_000, Demand(60.0, 0.05))[0] == pytest.approx(1200, abs=10)
    assert simulate(100_000, Demand(30.0, 0.05))[0] == pytest.approx(600, abs=5)


def test_a_picture_is_charged_with_the_slower_steps_after_it() -> None:
    renders, share = simulate(2 * MS, Demand(60.0, 0.05))
    assert renders == pytest.approx(20_000 / (2.5 / 0.05), rel=0.02)
    assert share < 0.05 * 0.81


def test_without_demand_nothing_is_due() -> None:
    assert not RenderGovernor().due(10**18, Demand())


def test_a_slow_first_render_does_not_silence_the_view_for_long() -> None:
    governor = RenderGovernor()
    demand = Demand(60.0, 0.05)
    governor.rendered(0, 400 * MS, demand)
    assert governor.due(600 * MS, demand)


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
