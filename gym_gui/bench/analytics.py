"""Analytics: how soon a long run's curve is seen, and how it pans and zooms.

Curves of ten million points are drawn as the tab draws them and, as baseline, by pyqtgraph alone,
which is given every point. A frame's time is the GUI thread's: new range, reduction, painting.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from gym_gui.core.paths import DataDir
from gym_gui.core.records import EpisodeRecord, RunSpec, RunState

EPISODE = 200  # steps
BATCH = 5_000  # episodes written at once


def measure(*, quick: bool) -> dict[str, Any]:
    """Measure all; ``quick``: 1 million points and steps instead of 10 million."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from gym_gui import app
    from gym_gui.ui import theme

    theme.apply(app.make_application(), "dark")
    count = 1_000_000 if quick else 10_000_000
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as name:
        opening = _opening(DataDir(Path(name) / "data").create(), count)
    return {"opening": opening, "curve": _curve(count)}


# -- opening --------------------------------------------------------------------------------


def _opening(data_dir: DataDir, steps: int) -> dict[str, Any]:
    """Time the tab from its making to its first curve on screen, twice."""
    _record(data_dir, "long", steps // EPISODE)
    return {
        "steps": steps,
        "episodes": steps // EPISODE,
        "first_curve_ms_with_imports": _first_curve(data_dir, "long"),
        "first_curve_ms": float(np.median([_first_curve(data_dir, "long") for _ in range(5)])),
    }


def _record(data_dir: DataDir, run_id: str, episodes: int) -> None:
    from gym_gui.services.registry import RunRegistry
    from gym_gui.telemetry.batch import RecordBatch
    from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

    spec = RunSpec(run_id, "script", [], "/", name=run_id)
    with RunRegistry(data_dir) as registry:
        registry.add(spec, state=RunState.FINISHED)
    folder = data_dir.run(run_id)
    folder.root.mkdir(parents=True)
    returns = np.random.default_rng(0).normal(100, 20, episodes)
    with TelemetrySQLiteStore(folder.store) as store:
        for first in range(0, episodes, BATCH):
            numbers = range(first, min(episodes, first + BATCH))
            found = [
                EpisodeRecord(
                    0, n, EPISODE, float(returns[n]), True, False, n * 10**9 + 1, (n + 1) * 10**9
                )
                for n in numbers
            ]
            with store.atomic():
                store.write(RecordBatch("c", first + 1, numbers[-1] + 1, episodes=found))


def _first_curve(data_dir: DataDir, run_id: str) -> float:
    from PySide6 import QtCore, QtWidgets

    from gym_gui.ui.widgets.analytics_tab import AnalyticsTab

    began = time.perf_counter()
    tab = AnalyticsTab(run_id, data_dir=data_dir)
    tab.resize(1100, 640)
    tab.show()
    while not tab._answer.shown:
        QtWidgets.QApplication.processEvents(QtCore.QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    tab.plot.repaint()
    tab.plot._plot.viewport().repaint()
    spent_ms = (time.perf_counter() - began) * 1000
    tab.cleanup()
    tab.close()
    return spent_ms


# -- panning and zooming --------------------------------------------------------------------


def _curve(points: int) -> dict[str, Any]:
    import pyqtgraph
    from PySide6 import QtWidgets

    from gym_gui.telemetry.analytics import Pyramid, smooth
    from gym_gui.ui.widgets.analytics_plot import CurvePlot, Shown

    x = np.arange(points, dtype=float)
    y = np.cumsum(np.random.default_rng(0).normal(size=points))
    began = time.perf_counter()
    whole = Pyramid(x, y)
    prepared_ms = (time.perf_counter() - began) * 1000
    smoothed = Pyramid(x, smooth(y, 20))
    plot = CurvePlot()
    plot.resize(1100, 600)
    plot.show()
    result: dict[str, Any] = {"points": points, "prepared_ms": prepared_ms}
    for name, shown in (
        ("one curve", [Shown("a", "#4c9aff", whole)]),
        ("smoothed over raw", [Shown("a", "#4c9aff", smoothed, whole)]),
        ("six smoothed over raw", [Shown(str(i), "#4c9aff", smoothed, whole) for i in range(6)]),
    ):
        plot.show_curves(shown, x_title="steps", y_title="return")
        QtWidgets.QApplication.processEvents()
        result[name] = _frames(plot._plot, points, 120)
    plot.close()
    alone = pyqtgraph.PlotWidget()
    alone.resize(1100, 600)
    alone.show()
    alone.plot(x, y, pen="c")
    QtWidgets.QApplication.processEvents()
    result["pyqtgraph alone"] = _frames(alone, points, 6)
    base = result["pyqtgraph alone"]["frame_ms_median"]
    result["ratio"] = result["one curve"]["frame_ms_median"] / base
    alone.close()
    return result


def _frames(plot: Any, points: int, count: int) -> dict[str, float]:
    """Zoom in, pan, zoom out; return a frame's time in ms."""
    low, high, times = 0.0, float(points), []
    for number in range(count):
        half, middle = (high - low) / 2, (low + high) / 2
        if number < count // 3:
            low, high = middle - 0.8 * half, middle + 0.8 * half
        elif number < 2 * count // 3:
            low, high = low + 0.1 * half, high + 0.1 * half
        else:
            low, high = middle - 1.25 * half, middle + 1.25 * half
        began = time.perf_counter()
        plot.getViewBox().setXRange(low, high, padding=0)
        plot.viewport().repaint()
        times.append((time.perf_counter() - began) * 1000)
    median, p99 = np.quantile(times, (0.5, 0.99))
    return {"frame_ms_median": float(median), "frame_ms_p99": float(p99), "worst_ms": max(times)}
