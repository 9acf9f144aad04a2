"""The Analytics tab over real stores."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PySide6 import QtCore
from store_samples import BEGIN_NS, write

from gym_gui.core.paths import DataDir
from gym_gui.core.records import EpisodeRecord, RunSpec, RunState
from gym_gui.services.registry import RunRegistry
from gym_gui.telemetry.batch import MetricEntry, RecordBatch
from gym_gui.ui.widgets.analytics_tab import AnalyticsTab

EPISODES = 600


def record_run(data_dir: DataDir, run_id: str, *, lr: float, level: float, name: str = "") -> None:
    spec = RunSpec(
        run_id, "cleanrl", ["python", "x.py"], "/", name=name or run_id, config={"lr": lr}
    )
    spec.created_ns = len(run_id) + int(level)
    with RunRegistry(data_dir) as registry:
        registry.add(spec, state=RunState.FINISHED)
    folder = data_dir.run(run_id)
    folder.root.mkdir(parents=True)
    noise = np.random.default_rng(int(level)).normal(0, 3, EPISODES)
    episodes = [
        EpisodeRecord(
            0, i, 10, level + i / 10 + float(noise[i]), True, False, BEGIN_NS, BEGIN_NS + i
        )
        for i in range(EPISODES)
    ]
    metrics = [MetricEntry(i + 1, "loss", 1.0 / (i + 1), i) for i in range(50)]
    write(folder.store, RecordBatch("c", 1, 700, episodes=episodes, metrics=metrics))


@pytest.fixture
def data(data_dir: DataDir) -> DataDir:
    data_dir.create()
    record_run(data_dir, "run-a", lr=0.1, level=10)
    record_run(data_dir, "run-b", lr=0.1, level=20)
    record_run(data_dir, "run-c", lr=0.2, level=50)
    return data_dir


@pytest.fixture
def tab(qtbot, data: DataDir):
    made = AnalyticsTab("run-a", data_dir=data)
    qtbot.addWidget(made)
    made.resize(1100, 600)
    made.show()
    qtbot.waitUntil(lambda: made._answer.question.runs == ("run-a",))
    yield made
    made.cleanup()
    assert QtCore.QThreadPool.globalInstance().waitForDone(30_000)


def tick(tab: AnalyticsTab, *run_ids: str) -> None:
    for item in tab._items():
        chosen = item.data(QtCore.Qt.ItemDataRole.UserRole) in run_ids
        state = QtCore.Qt.CheckState
        item.setCheckState(state.Checked if chosen else state.Unchecked)


def test_the_run_it_was_opened_for_is_shown(qtbot, tab):
    assert tab.chosen() == ("run-a",)
    assert [shown.name for shown in tab._answer.shown] == ["run-a"]
    assert "600 points of 1 run" in tab.message.text()
    assert {tab.what.itemData(i) for i in range(tab.what.count())} == {"return", "length", "loss"}
    qtbot.waitUntil(lambda: tab.episodes.rowCount() == EPISODES)


def test_runs_are_compared_grouped_and_their_settings_told(qtbot, tab):
    tick(tab, "run-a", "run-b", "run-c")
    qtbot.waitUntil(lambda: len(tab._answer.shown) == 3)
    assert [one.name for one in tab._answer.differences] == ["lr"]
    assert tab.settings.rowCount() == 1
    tab.group.setCurrentIndex(tab.group.findData("lr"))
    qtbot.waitUntil(lambda: len(tab._answer.shown) == 2)
    assert {shown.name for shown in tab._answer.shown} == {"lr = 0.1 (2)", "lr = 0.2 (1)"}
    assert all(shown.band is not None for shown in tab._answer.shown)
    tab.statistic.setCurrentIndex(tab.statistic.findData("iqm"))
    qtbot.waitUntil(lambda: tab._answer.question.statistic == "iqm")


def test_metrics_and_axes_can_be_chosen(qtbot, tab):
    tab.what.setCurrentIndex(tab.what.findData("loss"))
    qtbot.waitUntil(lambda: tab._answer.question.what == "loss")
    assert len(tab._answer.curves[0]) == 50
    tab.by.setCurrentIndex(tab.by.findData("episodes"))
    qtbot.waitUntil(lambda: tab._answer.question.by == "episodes")


def test_episodes_are_read_in_pages_and_open_their_replay(qtbot, tab):
    tab.order.setCurrentText("best")
    model = tab.episodes
    qtbot.waitUntil(lambda: model.rowCount() == EPISODES)
    qtbot.waitUntil(lambda: model.episode(0) is not None and model.episode(500) is not None)
    assert model.episode(0).return_ > model.episode(500).return_
    with qtbot.waitSignal(tab.episode_activated) as opened:
        tab._open_episode(model.index(3, 0))
    assert opened.args == ["run-a", 0, model.episode(3).episode]


def test_figure_and_data_are_exported(qtbot, tab, tmp_path: Path):
    for ending in ("png", "svg"):
        tab.export(tmp_path / f"figure.{ending}")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "figure.svg").read_bytes()
    tab.export(tmp_path / "data.csv")
    qtbot.waitUntil(lambda: (tmp_path / "data.csv").exists())
    with (tmp_path / "data.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == EPISODES
    assert (found[0]["run"], found[-1]["steps"]) == ("run-a", "6000.0")


def test_a_run_without_a_file_is_named_and_the_others_are_shown(qtbot, tab, data):
    with RunRegistry(data) as registry:
        registry.add(RunSpec("run-x", "script", [], "/", name="no file"), state=RunState.FAILED)
    tab.load_runs()
    qtbot.waitUntil(lambda: len(tab._items()) == 4)
    tick(tab, "run-a", "run-x")
    qtbot.waitUntil(lambda: "no file" in tab.message.text())
    assert [shown.name for shown in tab._answer.shown] == ["run-a"]


def test_runs_are_found_by_words(tab):
    tab.filter.setText("run-c")
    assert [item.text() for item in tab._items() if not item.isHidden()] == ["run-c"]


def test_nothing_ticked_says_what_to_do(qtbot, tab):
    tick(tab)
    qtbot.waitUntil(lambda: "Tick" in tab.plot.empty.text())


def test_every_metric_is_plotted_beside_the_others_with_all_runs(qtbot, tab):
    tab.choose(["run-a", "run-b"])
    tab.pages.setCurrentWidget(tab.grid)
    qtbot.waitUntil(lambda: set(tab.grid._plots) == {"return", "length", "loss"})
    assert [one.name for one in tab._answer.small["loss"]] == ["run-b", "run-a"]
    tab.grid.filter.setText("lo")
    qtbot.waitUntil(lambda: list(tab.grid._plots) == ["loss"])


def test_the_best_run_stands_first_among_the_results(qtbot, tab):
    tab.choose(["run-a", "run-b", "run-c"])
    qtbot.waitUntil(lambda: tab.results.rowCount() == 3)
    assert tab.results.item(0, 0).text() == "run-c"
    tab.group.setCurrentIndex(tab.group.findData("lr"))
    qtbot.waitUntil(lambda: tab.results.rowCount() == 2)
    assert "–" in tab.results.item(1, 2).text()


def test_a_part_looked_at_closely_stays_while_new_data_come(qtbot, tab):
    tab.plot._plot.setXRange(1000, 2000, padding=0)
    tab.refresh()
    qtbot.waitUntil(lambda: not tab._asking)
    low, high = tab.plot._plot.getViewBox().viewRange()[0]
    assert (round(low), round(high)) == (1000, 2000)
    tab.log.setChecked(True)
    assert tab.plot._plot.getPlotItem().ctrl.logYCheck.isChecked()
    title, values = tab.plot.values_at(1500.0)
    assert title.startswith("environment steps 1,500")
    assert values[0][1] == "run-a"


def test_the_view_follows_what_is_shown_until_somebody_looks_closer(qtbot, tab):
    tab.choose(["run-c"])
    qtbot.waitUntil(lambda: [one.name for one in tab._answer.shown] == ["run-c"])
    highest = tab.plot._plot.getViewBox().viewRange()[1][1]
    tab.choose(["run-a"])
    qtbot.waitUntil(lambda: [one.name for one in tab._answer.shown] == ["run-a"])
    assert tab.plot._plot.getViewBox().viewRange()[1][1] < highest - 20


def test_runs_of_one_name_are_told_apart_everywhere(qtbot, tab, data: DataDir):
    record_run(data, "run-20260101-000000-0d1e", lr=0.4, level=5, name="run-a")
    tab.load_runs()
    qtbot.waitUntil(lambda: len(tab._items()) == 4)
    assert {item.text() for item in tab._items()} >= {"run-a · a", "run-a · 0d1e", "run-b"}
    tick(tab, "run-a", "run-20260101-000000-0d1e")
    qtbot.waitUntil(lambda: len(tab._answer.shown) == 2)
    assert {shown.name for shown in tab._answer.shown} == {"run-a · a", "run-a · 0d1e"}
