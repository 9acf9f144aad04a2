"""Hot data of one run: recent steps and episodes, curves, metrics, log, mind, resources."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.controllers.patient import Patient, signs_of
from gym_gui.core.errors import StoreMissingError, UsageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import EpisodeRecord, RunRecord
from gym_gui.services.workers import get_worker
from gym_gui.services.workers.counts import VectorCounts
from gym_gui.services.workers.watch import LogTail, ResourceSampler
from gym_gui.ui.widgets.columns import Columns
from gym_gui.ui.widgets.live_history import AGENT, Floor, History, read_history
from gym_gui.ui.widgets.live_log import LogView
from gym_gui.ui.widgets.live_plots import LivePlot
from gym_gui.ui.widgets.live_series import Series
from gym_gui.ui.widgets.live_tables import (
    EPISODE_TITLES,
    EPISODE_WIDTHS,
    REWARD,
    STEP_TITLES,
    STEP_WIDTHS,
    STREAM,
    RecentRows,
    episode_texts,
    step_texts,
    table_view,
)
from gym_gui.ui.widgets.metrics_page import MetricsPage
from gym_gui.ui.widgets.mind_view import MindView
from gym_gui.ui.widgets.trouble_strip import TroubleStrip

STEPS_KEPT = 5_000
EPISODES_KEPT = 20_000
REFRESH_MS = 250  # while the tab is seen, for each of its parts
PARTS = ("page", "returns", "rewards", "throughput")  # one after another, so that none waits long
SAMPLE_MS = 1_000
BATCHES_KEPT = 256  # of those that come while the file is read
TOLD_APART = (STREAM, AGENT)  # columns that are seen where there are several
MEAN_OF = 20  # episodes, of the curve in front


class LiveSource(Protocol):
    """What the tab needs of the controller of live data."""

    batch_ready: QtCore.SignalInstance
    run_changed: QtCore.SignalInstance
    resumed: QtCore.SignalInstance

    def follow(self, run_id: str) -> None: ...
    def unfollow(self, run_id: str) -> None: ...
    def record(self, run_id: str) -> RunRecord | None: ...


class LiveTelemetryTab(QtWidgets.QWidget):
    """One run's live telemetry. Its host calls ``cleanup()``; twice is safe.

    source: the LiveTelemetryController. What was recorded before the tab opened is read from
    the run's own file, off the GUI thread.
    """

    episode_activated = QtCore.Signal(str, int, int)  # run id, stream, episode: open its replay

    def __init__(
        self,
        run_id: str,
        source: Any,
        *,
        data_dir: DataDir,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.run_id = run_id
        self._source: LiveSource = source
        self._run_dir = data_dir.run(run_id)
        self._background = Background(self)
        files = (self._run_dir.root, self._run_dir.store)
        self._reading = Patient(self, sign=lambda: signs_of(*files))
        self._since: deque[Any] | None = None  # batches that came since the file is read
        self._floor = Floor()
        self._has_logs = False
        self._sampler = ResourceSampler(self._run_dir)
        self._tails = [LogTail(self._run_dir.stdout), LogTail(self._run_dir.stderr)]
        self._sampling = False
        self._closed = False
        self._stale: set[str] = set(PARTS)
        self._turn = 0
        self.skipped = self.skipped_others = 0
        self._steps_seen = 0
        self._series: dict[str, Series] = {
            name: Series() for name in ("rewards", "throughput", "cpu", "memory")
        }
        self._series["returns"] = Series(mean_of=MEAN_OF)
        self._build()
        self._refresher = QtCore.QTimer(self, interval=REFRESH_MS // len(PARTS))
        self._refresher.timeout.connect(self._refresh)
        self._sample_timer = QtCore.QTimer(self, interval=SAMPLE_MS)
        self._sample_timer.timeout.connect(self._sample)
        self._started_s = time.monotonic()
        self._last_total: tuple[float, int] | None = None
        source.batch_ready.connect(self._take_batch)
        source.run_changed.connect(self._take_record)
        source.resumed.connect(self._read_file)
        self._complete = False
        self._remark = ""  # of the worker, once the run has ended
        self._counts = VectorCounts()
        source.follow(run_id)
        self._read_file()
        self._sample_timer.start()
        record = source.record(run_id)
        if record is not None:
            self._take_record(record)

    # -- building ---------------------------------------------------------------------------

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        self._status = QtWidgets.QLabel(self.tr("Waiting for the run's first data…"))
        self._status.setAccessibleName(self.tr("State of the run"))
        self._status.setWordWrap(True)
        layout.addWidget(self._status)
        self.trouble = TroubleStrip()
        layout.addWidget(self.trouble)
        split = Columns()
        split.addWidget(self._build_plots())
        split.addWidget(self._build_tables())
        split.setStretchFactor(0, 5)
        split.setStretchFactor(1, 6)
        split.setSizes([560, 720])
        layout.addWidget(split, 1)

    def _build_plots(self) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        self._plots = {
            "returns": LivePlot(
                self.tr("Return of each episode"),
                x_title=self.tr("steps"),
                empty=self.tr("No episode has ended yet"),
            ),
            "rewards": LivePlot(
                self.tr("Reward of recent steps"),
                x_title=self.tr("step of the run"),
                empty=self.tr("No step has been recorded yet"),
            ),
            "throughput": LivePlot(
                self.tr("Steps per second"),
                x_title=self.tr("seconds of the run"),
                empty=self.tr("Too short to measure"),
            ),
        }
        for plot in self._plots.values():
            column.addWidget(plot, 1)
        return page

    def _build_tables(self) -> QtWidgets.QWidget:
        self.steps = RecentRows(STEP_TITLES, step_texts, capacity=STEPS_KEPT, parent=self)
        self.episodes = RecentRows(
            EPISODE_TITLES, episode_texts, capacity=EPISODES_KEPT, parent=self
        )
        self.tabs = QtWidgets.QTabWidget()
        self._episode_view = table_view(self.episodes, self.tr("Recent episodes"), EPISODE_WIDTHS)
        self._episode_view.doubleClicked.connect(self._open_episode)
        self._step_view = table_view(self.steps, self.tr("Recent steps"), STEP_WIDTHS)
        self.tabs.addTab(self._episode_view, self.tr("Episodes"))
        self.tabs.addTab(self._step_view, self.tr("Steps"))
        self.metrics = MetricsPage()
        self.metrics.chosen.connect(self._show_page)
        self.tabs.addTab(self.metrics, self.tr("Metrics"))
        self.log = LogView()
        self.tabs.addTab(self.log, self.tr("Log"))
        self.tabs.addTab(self._build_resources(), self.tr("Resources"))
        self.mind = MindView(self.tabs)  # a page once there is a mind to show
        self.mind.hide()
        self._picture = QtWidgets.QLabel()
        self._picture.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self._picture.setAccessibleName(self.tr("Newest recorded frame"))
        self._frame: QtGui.QImage | None = None
        for view in (self._episode_view, self._step_view):
            for column in TOLD_APART:
                view.setColumnHidden(column, True)
        self._newest = QtWidgets.QPushButton()
        self._newest.setAccessibleName(self.tr("Newer rows"))
        self._newest.setToolTip(self.tr("Go to the newest rows; they wait while you read others"))
        self._newest.clicked.connect(self._go_to_newest)
        self._newest.hide()
        self.tabs.setCornerWidget(self._newest)
        self.tabs.currentChanged.connect(self._show_page)
        return self.tabs

    def _build_resources(self) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(page)
        column.setContentsMargins(0, 8, 0, 0)
        unmeasured = self.tr("Measured while the worker runs on this machine")
        self._resources = QtWidgets.QLabel(self.tr("The worker is not running on this machine."))
        column.addWidget(self._resources)
        self._plots["cpu"] = LivePlot(
            self.tr("Processor (cores in use)"), x_title=self.tr("seconds"), empty=unmeasured
        )
        self._plots["memory"] = LivePlot(
            self.tr("Memory (MiB)"), x_title=self.tr("seconds"), empty=unmeasured
        )
        column.addWidget(self._plots["cpu"], 1)
        column.addWidget(self._plots["memory"], 1)
        return page

    # -- data -------------------------------------------------------------------------------

    @QtCore.Slot()
    def _read_file(self) -> None:
        """Read what was recorded, and show that with what has come since, without a hole."""
        self._since = None if self._complete else deque(maxlen=BATCHES_KEPT)
        self._reading.ask(
            lambda: read_history(self._run_dir, steps=STEPS_KEPT, episodes=EPISODES_KEPT),
            done=self._take_history,
            failed=self._no_history,
        )

    def _take_history(self, history: History) -> None:
        since, self._since = self._since or (), None
        self.trouble.solve("file")
        self.steps.clear()
        self.episodes.clear()
        self.metrics.series.clear()
        self._series["rewards"] = Series()
        self._series["returns"] = Series(mean_of=MEAN_OF)
        self._show_history(history)
        self._floor = Floor(history)
        for batch in since:
            self._add_batch(batch)
        if not self._has_logs:
            self._has_logs = True
            self._add_logs(history.logs)
        record = self._source.record(self.run_id)
        if record is not None:
            if record.state.is_final:
                self._remark = _remark(record, list(history.metrics))
            self._status.setText(self._status_text(record))

    def _no_history(self, error: Exception) -> None:
        """A run that has only just begun has no file yet: what comes is all there is."""
        record = self._source.record(self.run_id)
        if isinstance(error, StoreMissingError) and (record is None or not record.steps):
            return
        self.trouble.tell("file", error)

    def _show_history(self, history: History) -> None:
        self._steps_seen = history.total_steps
        self._counts = VectorCounts(history.vector_steps, history.autoresets)
        self.steps.add(history.steps)
        self._add_rewards([row[REWARD] for row in history.steps])
        for column in TOLD_APART:
            self._show_column(column, (row[column] for row in history.steps))
        self._series["throughput"] = Series()
        self._series["throughput"].add(history.throughput)
        self._add_episodes(history.episodes, at=history.episode_ends)
        for name, points in history.metrics.items():
            self.metrics.series.setdefault(name, Series()).add(points)
        if history.frame is not None:
            self._try_render_visual(history.frame)
        self._mark_stale()

    @QtCore.Slot(object)
    def _take_batch(self, batch: Any) -> None:
        if batch.run_id != self.run_id or self._closed:
            return
        self.skipped += batch.skipped
        self.skipped_others += batch.skipped_others
        if self._since is not None:
            self._since.append(batch)
        self._add_batch(batch)
        self._add_logs(
            (entry.level, entry.message) for records in batch.records for entry in records.logs
        )

    def _add_batch(self, batch: Any) -> None:
        """Show what came live, but for its log lines, unless the file has it."""
        for columns in batch.steps:
            self._add_steps(columns)
        self._add_episodes(self._floor.episodes(batch.episodes))
        for records in batch.records:
            if not self._complete:
                self._counts.add(records.events, records.resets)
            for entry in records.metrics:
                if not self._floor.has_metric(entry.name, entry.global_step):
                    self.metrics.add(entry.name, entry.global_step, entry.value)
        self._mark_stale()

    def _add_steps(self, columns: Any) -> None:
        """Take steps as columns; their rows are made when they are shown."""
        if self._floor.has_steps:
            rows = self._floor.steps(rows_of(columns))
            count, rewards = len(rows), [row[REWARD] for row in rows]
            self.steps.add(rows)
        else:
            count, rewards = len(columns), columns.reward
            self.steps.add_later(count, partial(rows_of, columns))
        self._steps_seen += count
        self._add_rewards(rewards)
        self._show_column(STREAM, columns.stream)
        self._show_column(AGENT, columns.agent)

    @QtCore.Slot(object)
    def _take_record(self, record: RunRecord) -> None:
        if record.run_id != self.run_id:
            return
        now = time.monotonic()
        if self._last_total is not None and now > self._last_total[0]:
            rate = (record.steps - self._last_total[1]) / (now - self._last_total[0])
            since = (time.time_ns() - record.started_ns) / 1e9 if record.started_ns else 0.0
            self._series["throughput"].add([(since, max(0.0, rate))])
        self._last_total = (now, record.steps)
        if record.state.is_final and not self._complete:
            self._complete = True
            self._read_file()
        self.trouble.tell_run(record)
        self._status.setText(self._status_text(record))
        self._mark_stale()

    def _status_text(self, record: RunRecord) -> str:
        parts = [
            self.tr(record.state.value.capitalize()),
            self.tr("{:,} steps").format(record.steps),
            self.tr("{:,} episodes").format(record.episodes),
        ]
        if note := str(self._counts):
            parts[1] += f" ({note})"
        rate = self._series["throughput"].last()
        if rate is not None and not record.state.is_final:
            parts.append(self.tr("{:,.0f} steps/s").format(rate))
        if record.last_return is not None:
            parts.append(self.tr("last return {:.6g}").format(record.last_return))
        if record.best_return is not None:
            parts.append(self.tr("best {:.6g}").format(record.best_return))
        if self.skipped:
            words = self.tr("{:,} steps not shown here")
            if not record.dropped:
                words += self.tr(" (all are recorded)")
            parts.append(words.format(self.skipped))
        if self.skipped_others:
            words = self.tr("{:,} other records not shown here")
            parts.append(words.format(self.skipped_others))
        if record.dropped:
            words = self.tr("{:,} records not kept for want of room")
            parts.append(words.format(record.dropped))
        parts += [text for text in (record.cause, self._remark) if text]
        return "   ·   ".join(parts)

    def _add_rewards(self, rewards: Sequence[float]) -> None:
        recent = self._series["rewards"]
        newest = rewards[-STEPS_KEPT:]
        recent.extend(np.arange(self._steps_seen - len(newest), self._steps_seen), newest)
        recent.keep_last(STEPS_KEPT)

    def _show_column(self, column: int, values: Iterable[Any]) -> None:
        """Show a column that tells environments or agents apart once there are several."""
        if self._step_view.isColumnHidden(column) and any(values):
            for view in (self._episode_view, self._step_view):
                view.setColumnHidden(column, False)

    def _add_episodes(
        self, episodes: list[EpisodeRecord], *, at: list[float] | None = None
    ) -> None:
        self.episodes.add(episodes)
        series = self._series["returns"]
        ends = series.last_x() + np.cumsum([episode.length for episode in episodes])
        series.extend(ends if at is None else at, [episode.return_ for episode in episodes])

    def _add_logs(self, entries: Iterable[tuple[str, str]]) -> None:
        """Take levels and messages."""
        lines = []
        for level, message in entries:
            if level == "bdi":
                self._add_thought(message)
            else:
                lines.append(f"[{level}] {message}")
        self.log.append("\n".join(lines))

    def _add_thought(self, message: str) -> None:
        self.mind.add(message)
        if self.tabs.indexOf(self.mind) < 0:
            self.tabs.addTab(self.mind, self.tr("Mind"))

    def _try_render_visual(self, payload: Any) -> bool:
        """Show ``payload``, an array of uint8 (height, width, 3 or 4), as the newest frame.

        Returns False, and leaves what is shown, for anything that is no picture.
        """
        frame = np.asarray(payload)
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] not in (3, 4):
            return False
        pixels = np.ascontiguousarray(frame)
        height, width, channels = pixels.shape
        form = (
            QtGui.QImage.Format.Format_RGB888
            if channels == 3
            else QtGui.QImage.Format.Format_RGBA8888
        )
        image = QtGui.QImage(pixels.tobytes(), width, height, width * channels, form)
        self._frame = image.copy()  # owned: the bytes above go away
        if self.tabs.indexOf(self._picture) < 0:
            self.tabs.addTab(self._picture, self.tr("Frame"))
        self._mark_stale()
        return True

    # -- timers -----------------------------------------------------------------------------

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        self._refresher.start()
        self._mark_stale()
        super().showEvent(event)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        self._refresher.stop()
        super().hideEvent(event)

    def _mark_stale(self) -> None:
        self._stale.update(PARTS)

    def _show_page(self) -> None:
        """Bring the page that is seen up to date next."""
        self._stale.add("page")
        self._turn = 0

    def _refresh(self) -> None:
        """Bring the next part of what is seen up to date; what is hidden waits until it is seen."""
        part = PARTS[self._turn]
        self._turn = (self._turn + 1) % len(PARTS)
        if part not in self._stale:
            return
        self._stale.discard(part)
        if part == "page":
            self._refresh_page()
        else:
            self._plots[part].draw(self._series[part])

    def _refresh_page(self) -> None:
        shown = self.tabs.currentWidget()
        if shown in (self._step_view, self._episode_view):
            self._refresh_rows(shown)
        elif shown is self.mind:
            self.mind.refresh()
        elif shown is self._picture and self._frame is not None:
            self._picture.setPixmap(_fitted(self._frame, self._picture.size()))
        elif shown is self.metrics:
            self.metrics.refresh()
        else:
            for name in ("cpu", "memory"):
                self._plots[name].draw(self._series[name])

    def _refresh_rows(self, view: Any) -> None:
        """Show new rows on top, unless older ones are being read: those stay where they are."""
        model: RecentRows = view.model()
        if view.verticalScrollBar().value() > 0 and model.waiting():
            self._stale.add("page")
            self._newest.setText(self.tr("{} newer rows").format(f"{model.waiting():,}"))
            self._newest.show()
            return
        self._newest.hide()
        model.refresh()

    def _go_to_newest(self) -> None:
        view = self.tabs.currentWidget()
        if isinstance(view, QtWidgets.QTableView):
            view.scrollToTop()
        self._newest.hide()
        self._show_page()

    def _sample(self) -> None:
        """Ask for new output and resource use, off the GUI thread, one question at a time."""
        if self._sampling:
            return
        self._sampling = True

        def ask() -> tuple[list[str], Any]:
            return [tail.read() for tail in self._tails], self._sampler.sample()

        self._background.run(ask, done=self._take_sample, failed=self._sample_failed)

    def _take_sample(self, answer: tuple[list[str], Any]) -> None:
        self._sampling = False
        texts, resources = answer
        for text in texts:
            self.log.append(text)
        if resources is None:
            ended = self.tr("The worker has ended.")
            away = self.tr("The worker is not running on this machine.")
            self._resources.setText(ended if self._complete else away)
            return
        at = time.monotonic() - self._started_s
        mib = resources.memory / 2**20
        self._series["cpu"].add([(at, resources.cpu)])
        self._series["memory"].add([(at, mib)])
        self._resources.setText(
            self.tr("{:.2f} cores, {:,.0f} MiB, {} processes").format(
                resources.cpu, mib, resources.processes
            )
        )
        self._mark_stale()

    def _sample_failed(self, error: Exception) -> None:
        self._sampling = False
        self._resources.setText(str(error))

    def _open_episode(self, index: QtCore.QModelIndex) -> None:
        episode = self.episodes.row(index.row())
        self.episode_activated.emit(self.run_id, episode.stream, episode.episode)

    # -- end --------------------------------------------------------------------------------

    def cleanup(self) -> None:
        """Stop timers and live data. Twice is safe."""
        if self._closed:
            return
        self._closed = True
        self._refresher.stop()
        self._sample_timer.stop()
        self._background.close()
        self._reading.close()
        self._source.resumed.disconnect(self._read_file)
        self._source.batch_ready.disconnect(self._take_batch)
        self._source.run_changed.disconnect(self._take_record)
        self._source.unfollow(self.run_id)

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.cleanup()
        super().closeEvent(event)


def _remark(record: RunRecord, metric_names: list[str]) -> str:
    try:
        worker = get_worker(record.spec.worker)
    except UsageError:
        return ""  # the plug-in that started this run is no longer installed
    return worker.remark(metric_names, episodes=record.episodes)


def rows_of(columns: Any) -> list[tuple[Any, ...]]:
    """Return step columns as the rows of the table."""
    agents = columns.agent or [""] * len(columns)
    return list(
        zip(
            columns.stream,
            columns.episode,
            columns.step,
            columns.action,
            columns.reward,
            columns.flags,
            agents,
            columns.observation,
            strict=True,
        )
    )


def _fitted(image: QtGui.QImage, size: QtCore.QSize) -> QtGui.QPixmap:
    return QtGui.QPixmap.fromImage(image).scaled(
        size,
        QtCore.Qt.AspectRatioMode.KeepAspectRatio,
        QtCore.Qt.TransformationMode.SmoothTransformation,
    )


def make_tab(
    context: Any, run_id: str, parent: QtWidgets.QWidget | None = None
) -> LiveTelemetryTab:
    """Return the tab for a run; ``context`` is the program's ``ProgramContext``."""
    return LiveTelemetryTab(run_id, context.live, data_dir=context.data_dir, parent=parent)
