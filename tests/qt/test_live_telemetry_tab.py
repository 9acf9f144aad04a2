"""The Live Telemetry tab: what was recorded, what arrives, and what it lets go."""

from __future__ import annotations

import json
import os
from collections import deque
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6 import QtCore

from gym_gui.core.paths import DataDir
from gym_gui.core.records import (
    STEP_TERMINATED,
    EpisodeRecord,
    RunRecord,
    RunSpec,
    RunState,
)
from gym_gui.services.workers.watch import LogTail, ResourceSampler
from gym_gui.telemetry.batch import (
    EventEntry,
    LogEntry,
    MetricEntry,
    RecordBatch,
    StepColumns,
)
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore
from gym_gui.ui.widgets.live_series import LIMIT, Series
from gym_gui.ui.widgets.live_tables import RecentRows
from gym_gui.ui.widgets.live_telemetry_tab import LiveTelemetryTab

RUN = "run-1"


class Source(QtCore.QObject):
    """A controller of live data without a daemon behind it."""

    batch_ready = QtCore.Signal(object)
    run_changed = QtCore.Signal(object)
    resumed = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__()
        self.followed: list[str] = []
        self.known: RunRecord | None = None

    def follow(self, run_id: str) -> None:
        self.followed.append(run_id)

    def unfollow(self, run_id: str) -> None:
        self.followed.remove(run_id)

    def record(self, run_id: str) -> RunRecord | None:
        return self.known


def columns(first: int, count: int) -> StepColumns:
    numbers = range(first, first + count)
    return StepColumns(
        stream=[0] * count,
        index=list(numbers),
        episode=[number // 10 for number in numbers],
        step=[number % 10 for number in numbers],
        action=[1] * count,
        reward=[float(number) for number in numbers],
        flags=[STEP_TERMINATED if number % 10 == 9 else 0 for number in numbers],
        time_ns=[number + 1 for number in numbers],
        observation=["[0.5]"] * count,
    )


def batch(run_id: str = RUN, **parts: object) -> SimpleNamespace:
    empty = {"steps": deque(), "episodes": [], "records": [], "skipped": 0, "skipped_others": 0}
    return SimpleNamespace(run_id=run_id, **{**empty, **parts})


def record(**values: object) -> RunRecord:
    return RunRecord(RUN, RunSpec(RUN, "demo", [], ""), state=RunState.RUNNING, **values)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def tab(qtbot, source: Source, data_dir: DataDir):
    data_dir.create()
    data_dir.run(RUN).root.mkdir(mode=0o700)
    tab = LiveTelemetryTab(RUN, source, data_dir=data_dir)
    qtbot.addWidget(tab)
    tab.resize(1280, 680)
    tab.show()
    qtbot.waitUntil(lambda: source.followed == [RUN])
    yield tab
    tab.cleanup()
    assert QtCore.QThreadPool.globalInstance().waitForDone(30_000)


def test_steps_that_arrive_show_newest_first(qtbot, tab, source: Source) -> None:
    source.batch_ready.emit(batch(steps=deque([columns(0, 20)])))
    tab.tabs.setCurrentWidget(tab._step_view)
    qtbot.waitUntil(lambda: tab.steps.rowCount() == 20)
    texts = [tab.steps.index(0, column).data() for column in range(tab.steps.columnCount())]
    assert texts == ["0", "1", "9", "1", "19", "terminated", "", "[0.5]"]


def test_the_tables_stay_bounded(qtbot, tab, source: Source) -> None:
    source.batch_ready.emit(batch(steps=deque([columns(0, 6_000)])))
    tab.tabs.setCurrentWidget(tab._step_view)
    qtbot.waitUntil(lambda: tab.steps.rowCount() == 5_000)
    assert tab.steps.index(0, 4).data() == "5999"


def test_another_runs_data_is_not_taken(qtbot, tab, source: Source) -> None:
    source.batch_ready.emit(batch("run-2", steps=deque([columns(0, 20)])))
    source.run_changed.emit(record(steps=7))
    tab.tabs.setCurrentWidget(tab._step_view)
    qtbot.waitUntil(lambda: "7 steps" in tab._status.text())
    assert tab.steps.rowCount() == 0


def test_what_is_skipped_is_counted_and_said(qtbot, tab, source: Source) -> None:
    source.batch_ready.emit(batch(skipped=1234))
    source.run_changed.emit(record(steps=9000, last_return=21.5))
    qtbot.waitUntil(lambda: "1,234 steps not shown here" in tab._status.text())
    assert "last return 21.5" in tab._status.text()


def test_metrics_show_their_latest_value(qtbot, tab, source: Source) -> None:
    entries = [MetricEntry(n, "losses/value", n / 2, n * 100) for n in range(1, 6)]
    source.batch_ready.emit(batch(records=[RecordBatch("c", 1, 5, metrics=entries)]))
    tab.tabs.setCurrentIndex(2)
    qtbot.waitUntil(lambda: tab.metrics.table.rowCount() == 1)
    texts = [tab.metrics.table.item(0, column).text() for column in range(3)]
    assert texts == ["losses/value", "2.5", "5"]
    assert tab.metrics.plot.title == "losses/value"


def test_what_an_agent_has_in_mind_is_shown(qtbot, tab, source: Source) -> None:
    first = {"agent": "a", "episode": 0, "step": 0, "beliefs": ["p", "q"], "goals": ["g"]}
    second = {"agent": "a", "episode": 0, "step": 1, "added": ["r"], "removed": ["p"]}
    logs = [LogEntry(n, "bdi", json.dumps(m)) for n, m in enumerate((first, second), 1)]
    source.batch_ready.emit(batch(records=[RecordBatch("c", 1, 2, logs=logs)]))
    tab.tabs.setCurrentWidget(tab.mind)
    shown = tab.mind._lists["Beliefs"]
    qtbot.waitUntil(lambda: shown.count() == 2)
    assert [shown.item(row).text() for row in range(2)] == ["q", "r"]


def test_the_workers_output_is_followed_and_searched(qtbot, tab, data_dir: DataDir) -> None:
    log = data_dir.run(RUN).stdout
    log.write_text("first line\n")
    qtbot.waitUntil(lambda: "first line" in tab.log.text.toPlainText())
    with open(log, "a") as file:
        file.write("global_step=5\nhalf a li")
    qtbot.waitUntil(lambda: "global_step=5" in tab.log.text.toPlainText())
    assert "half" not in tab.log.text.toPlainText()
    tab.log._search.setText("GLOBAL")
    assert tab.log._found.text() == "1 found"
    assert tab.log.find_next()
    assert tab.log.text.textCursor().selectedText() == "global"


def test_a_picture_is_shown_and_anything_else_is_refused(qtbot, tab) -> None:
    assert not tab._try_render_visual({"not": "a picture"})
    assert not tab._try_render_visual(np.zeros((4, 4), np.uint8))
    frame = np.zeros((4, 6, 3), np.uint8)
    frame[..., 0] = 200
    assert tab._try_render_visual(frame)
    tab.tabs.setCurrentWidget(tab._picture)
    qtbot.waitUntil(lambda: not tab._picture.pixmap().isNull())
    assert tab._frame.pixelColor(5, 3).red() == 200


def test_a_double_click_on_an_episode_asks_for_its_replay(qtbot, tab, source: Source) -> None:
    source.batch_ready.emit(batch(episodes=[EpisodeRecord(2, 7, 10, 5.0, True, False)]))
    qtbot.waitUntil(lambda: tab.episodes.rowCount() == 1)
    with qtbot.waitSignal(tab.episode_activated) as caught:
        tab._open_episode(tab.episodes.index(0, 0))
    assert caught.args == [RUN, 2, 7]


def test_what_was_recorded_before_is_there(qtbot, source: Source, data_dir: DataDir) -> None:
    data_dir.create()
    run = data_dir.run(RUN)
    run.root.mkdir(mode=0o700)
    written = RecordBatch(
        "1-a",
        1,
        40,
        steps=columns(0, 30),
        episodes=[EpisodeRecord(0, n, 10, float(n), True, False, n, n + 1) for n in range(3)],
        metrics=[MetricEntry(35, "loss", 0.5, 30)],
        logs=[LogEntry(36, "info", "hello there")],
        events=[EventEntry(1, "stream", {"stream": 0, "env_id": "CartPole-v1"})],
    )
    with TelemetrySQLiteStore(run.store) as store, store.atomic():
        store.write(written)
    tab = LiveTelemetryTab(RUN, source, data_dir=data_dir)
    qtbot.addWidget(tab)
    tab.show()
    qtbot.waitUntil(lambda: tab.episodes.rowCount() == 3)
    assert "hello there" in tab.log.text.toPlainText()
    assert list(tab.metrics.series) == ["loss"]
    assert tab._series["returns"].drawn()[0].tolist() == [10.0, 20.0, 30.0]
    tab.tabs.setCurrentWidget(tab._step_view)
    qtbot.waitUntil(lambda: tab.steps.rowCount() == 30)
    tab.cleanup()


def test_an_ended_run_shows_all_that_its_file_holds(
    qtbot, tab, source: Source, data_dir: DataDir
) -> None:
    source.batch_ready.emit(batch(episodes=[EpisodeRecord(0, 1, 10, 1.0, True, False)]))
    episodes = [EpisodeRecord(0, n, 10, float(n), True, False, n, n + 1) for n in range(3)]
    with TelemetrySQLiteStore(data_dir.run(RUN).store) as store, store.atomic():
        store.write(RecordBatch("1-a", 1, 40, steps=columns(0, 30), episodes=episodes))
    ended = record(steps=30)
    ended.state = RunState.FINISHED
    source.run_changed.emit(ended)
    qtbot.waitUntil(lambda: tab.episodes.rowCount() == 3)
    assert len(tab._series["returns"]) == 3


def test_a_script_that_logged_no_return_is_remarked_on(
    qtbot, tab, source: Source, data_dir: DataDir
) -> None:
    metrics = [MetricEntry(1, "losses/value_loss", 0.5, 30)]
    with TelemetrySQLiteStore(data_dir.run(RUN).store) as store, store.atomic():
        store.write(RecordBatch("1-a", 1, 1, metrics=metrics))
    ended = RunRecord(RUN, RunSpec(RUN, "cleanrl", [], ""), state=RunState.FINISHED, episodes=3)
    source.known = ended
    source.run_changed.emit(ended)
    qtbot.waitUntil(lambda: "the script logged no return" in tab._status.text())


def test_cleaning_up_twice_stops_everything(tab, source: Source) -> None:
    tab.cleanup()
    tab.cleanup()
    assert source.followed == []
    assert not tab._refresher.isActive()
    assert not tab._sample_timer.isActive()


def test_a_series_keeps_its_extremes_when_it_is_reduced() -> None:
    series = Series()
    series.add((float(n), 1e6 if n == 777 else 0.0) for n in range(LIMIT + 1))
    assert series.reduced
    assert len(series) <= LIMIT
    assert series.drawn()[1].max() == 1e6


def test_the_mean_is_of_the_last_points_however_they_come() -> None:
    whole, parts = Series(mean_of=2), Series(mean_of=2)
    points = [(float(n), float(n)) for n in range(1, 6)]
    whole.add(points)
    for point in points:
        parts.add([point])
    assert whole.means is not None
    assert parts.means is not None
    assert whole.means.drawn()[1].tolist() == [1.0, 1.5, 2.5, 3.5, 4.5]
    assert parts.means.drawn()[1].tolist() == [1.0, 1.5, 2.5, 3.5, 4.5]


def test_the_mean_stays_true_where_old_points_were_merged() -> None:
    series = Series(mean_of=10)
    for first in range(0, 2 * LIMIT, 1000):  # ten of 0 and 1 have the mean 0.5
        series.extend(range(first, first + 1000), [number % 2 for number in range(1000)])
    assert series.reduced
    assert series.total == 2 * LIMIT
    assert series.means is not None
    x, means = series.means.drawn()
    assert set(means[x >= 10].tolist()) == {0.5}


def test_of_a_flood_of_rows_only_the_newest_are_made(qtbot) -> None:
    made = []
    model = RecentRows(("A",), lambda row: (str(row),), capacity=10)

    def rows(first: int) -> list[int]:
        made.append(first)
        return list(range(first, first + 4))

    for first in range(0, 400, 4):
        model.add_later(4, partial(rows, first))
    assert model.waiting() == 400
    model.refresh()
    assert [model.row(number) for number in range(model.rowCount())] == list(range(399, 389, -1))
    assert made == [388, 392, 396]


def test_a_flood_of_output_is_skipped_and_counted(tmp_path) -> None:
    path = tmp_path / "stdout.log"
    tail = LogTail(path)
    assert tail.read() == ""
    path.write_bytes(b"x" * 99 + b"\n")
    assert len(tail.read()) == 100
    with open(path, "ab") as file:
        file.write((b"y" * 99 + b"\n") * 20_000)
    assert tail.read().endswith("y\n")
    assert tail.skipped > 0


def test_the_resources_of_the_worker_are_sampled(data_dir: DataDir) -> None:
    run = data_dir.run(RUN)
    run.root.mkdir(parents=True)
    sampler = ResourceSampler(run)
    assert sampler.sample() is None
    run.supervisor.write_text(json.dumps({"pid": os.getpid()}))
    first = sampler.sample()
    assert first is not None
    assert first.memory > 10 * 2**20
    sum(range(2_000_000))
    assert sampler.sample().cpu > 0


def test_rows_that_are_being_read_stay_while_newer_ones_wait(qtbot, tab, source: Source) -> None:
    tab.tabs.setCurrentWidget(tab._step_view)
    source.batch_ready.emit(batch(steps=deque([columns(0, 4_990)])))
    qtbot.waitUntil(lambda: tab.steps.rowCount() == 4_990)
    tab._step_view.selectRow(300)
    bar = tab._step_view.verticalScrollBar()
    bar.setValue(290)
    source.batch_ready.emit(batch(steps=deque([columns(4_990, 20)])))
    qtbot.waitUntil(lambda: tab._newest.isVisible())
    assert tab._newest.text() == "20 newer rows"
    assert (tab.steps.rowCount(), bar.value()) == (4_990, 290)
    tab._newest.click()
    qtbot.waitUntil(lambda: tab.steps.rowCount() == 5_000)
    assert tab.steps.index(0, 4).data() == "5009"
    (selected,) = tab._step_view.selectionModel().selectedRows()
    assert (selected.row(), tab.steps.index(selected.row(), 4).data()) == (320, "4689")


def test_the_pace_of_the_past_is_told_by_the_episodes() -> None:
    from gym_gui.ui.widgets.live_history import _throughput

    second = 1_000_000_000
    episodes = [
        EpisodeRecord(0, n, 50, 1.0, True, False, n * second // 2 + 1, (n + 1) * second // 2 + 1)
        for n in range(8)
    ]
    assert _throughput(episodes, [50.0 * (n + 1) for n in range(8)]) == [
        (float(n), 100.0) for n in range(1, 5)
    ]
    assert _throughput([], []) == []
