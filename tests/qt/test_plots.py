"""Plots: the numbers of their axes, their legends, curves of one point."""

from __future__ import annotations

import numpy as np
import pytest

from gym_gui.telemetry.analytics import Pyramid
from gym_gui.ui.widgets.analytics_plot import CurvePlot, Shown


@pytest.mark.parametrize(
    ("values", "spacing", "texts"),
    [
        ([0, 100, 200], 100, ["0", "100", "200"]),
        ([0, 10_000, 20_000], 10_000, ["0", "10k", "20k"]),
        ([12_500, 15_000], 2_500, ["12.5k", "15k"]),
        ([-5e5, 0, 5e5, 1e6], 5e5, ["-0.5M", "0", "0.5M", "1M"]),
        ([2e9, 4e9], 2e9, ["2G", "4G"]),
        ([19_725.4, 19_725.6], 0.2, ["19,725.4", "19,725.6"]),
        ([1_234_000, 1_234_500], 500, ["1,234,000", "1,234,500"]),
    ],
)
def test_long_numbers_of_an_axis_are_written_short(qtbot, values, spacing, texts) -> None:
    from gym_gui.ui.widgets.plot_widget import NumberAxis

    assert NumberAxis("bottom").tickStrings(values, 1.0, spacing) == texts


@pytest.mark.parametrize("title", ["losses/value", ""])
def test_only_a_legend_that_names_curves_lies_over_them(qtbot, title: str) -> None:
    plot = CurvePlot(title=title)
    qtbot.addWidget(plot)
    line = Pyramid(np.arange(5.0), np.arange(5.0))
    plot.show_curves([Shown("run", "#4c9aff", line)], x_title="step", y_title="")
    assert plot._legend.isVisible() == (not title)
