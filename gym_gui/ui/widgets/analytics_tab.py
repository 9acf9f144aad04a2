"""The Analytics tab: what was recorded of any selection of runs, compared.

Everything is read and computed on the thread pool; the GUI thread only draws what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.controllers.patient import Patient, signs_of
from gym_gui.core.errors import GymGuiError, StoreMissingError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord
from gym_gui.services.registry import RunRegistry
from gym_gui.telemetry import analytics
from gym_gui.telemetry.reader import RunReader
from gym_gui.ui.icons import dot
from gym_gui.ui.widgets.analytics_answer import Answer, Question, answer, table
from gym_gui.ui.widgets.analytics_grid import PlotGrid
from gym_gui.ui.widgets.analytics_plot import COLOURS, CurvePlot
from gym_gui.ui.widgets.analytics_tables import (
    ORDERS,
    WIDTHS,
    EpisodePages,
    ResultsTable,
    SettingsTable,
)
from gym_gui.ui.widgets.columns import Columns
from gym_gui.ui.widgets.numbers import SpinBox
from gym_gui.ui.widgets.trouble_strip import TroubleStrip
from gym_gui.ui.words import run_labels

REFRESH_MS = 3_000  # while a chosen run is still training
_X_TITLES = {"steps": "environment steps", "episodes": "episodes", "time": "seconds"}
_STATISTICS = {"mean": "Mean", "iqm": "Interquartile mean", "median": "Median"}


class AnalyticsTab(QtWidgets.QWidget):
    """Curves, distribution, episodes and settings of chosen runs. Its host calls ``cleanup()``."""

    episode_activated = QtCore.Signal(str, int, int)  # run id, stream, episode: open its replay

    def __init__(
        self, run_id: str, *, data_dir: DataDir, parent: QtWidgets.QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._data_dir = data_dir
        self._background = Background(self)
        self._listing = Patient(self, sign=lambda: signs_of(data_dir.registry))
        self._unread: dict[str, Path] = {}  # files that could not be read
        self._mending = Patient(self, sign=lambda: signs_of(*self._unread.values()))
        self._records: dict[str, RunRecord] = {}
        self._answer = Answer(Question())
        self._first = run_id
        self._wanted = {run_id}  # ticked when they come into the list
        self._asking = self._again = self._closed = False
        self._build()
        self.pages.currentChanged.connect(self.ask)
        self._timer = QtCore.QTimer(self, interval=REFRESH_MS)
        self._timer.timeout.connect(self._refresh_live)
        self._delay = QtCore.QTimer(self, interval=60, singleShot=True)
        self._delay.timeout.connect(self.refresh)
        self.load_runs()

    # -- making ---------------------------------------------------------------------------------

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addLayout(self._make_controls())
        self.trouble = TroubleStrip()
        layout.addWidget(self.trouble)
        split = Columns()
        split.addWidget(self._make_list())
        self.pages = QtWidgets.QTabWidget()
        self.plot, self.bars = CurvePlot(), CurvePlot()
        self.settings = SettingsTable()
        self.results = ResultsTable()
        self.grid = PlotGrid()
        self.grid.changed.connect(self.ask)
        self.pages.addTab(self.plot, self.tr("Curves"))
        self.pages.addTab(self.grid, self.tr("All metrics"))
        self.pages.addTab(self.results, self.tr("Results"))
        self.pages.addTab(self.bars, self.tr("Distribution"))
        self.pages.addTab(self._make_episodes(), self.tr("Episodes"))
        self.pages.addTab(self.settings, self.tr("Settings"))
        split.addWidget(self.pages)
        split.setStretchFactor(1, 1)
        split.setSizes([224, 1000])
        layout.addWidget(split, 1)
        self.message = QtWidgets.QLabel()
        self.message.setObjectName("muted")
        self.message.setWordWrap(True)
        layout.addWidget(self.message)

    def _make_controls(self) -> QtWidgets.QHBoxLayout:
        row = QtWidgets.QHBoxLayout()
        self.what = self._combo(self.tr("What to plot"), {analytics.RETURN: "return"})
        self.what.setMinimumContentsLength(14)
        self.by = self._combo(
            self.tr("Horizontal axis"),
            {axis: self.tr(axis.capitalize()) for axis in analytics.AXES},
        )
        self.window_ = SpinBox(minimum=1, maximum=10_000, value=20)
        self.window_.setAccessibleName(self.tr("Smoothing"))
        self.window_.setToolTip(self.tr("Mean of that many points; 1 shows them as they are"))
        self.window_.valueChanged.connect(self.ask)
        for title, widget in (
            (self.tr("Show"), self.what),
            (self.tr("By"), self.by),
            (self.tr("Smooth"), self.window_),
        ):
            row.addWidget(QtWidgets.QLabel(title))
            row.addWidget(widget)
        self.log = QtWidgets.QCheckBox(self.tr("Logarithmic"))
        self.log.toggled.connect(self._show_plots)
        row.addWidget(self.log)
        row.addStretch(1)
        row.addWidget(self._make_export())
        return row

    def _combo(self, name: str, items: Mapping[str, str]) -> QtWidgets.QComboBox:
        combo = QtWidgets.QComboBox()
        combo.setAccessibleName(name)
        combo.setToolTip(name)
        for value, text in items.items():
            combo.addItem(text, value)
        combo.currentIndexChanged.connect(self.ask)
        return combo

    def _make_export(self) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(self.tr("Export"))
        menu = QtWidgets.QMenu(button)
        for text, ending in (
            (self.tr("Figure as PNG…"), "png"),
            (self.tr("Figure as SVG…"), "svg"),
            (self.tr("Data as CSV…"), "csv"),
            (self.tr("Data as Parquet…"), "parquet"),
        ):
            menu.addAction(text, lambda ending=ending: self._choose_export(ending))
        button.setMenu(menu)
        return button

    def _make_list(self) -> QtWidgets.QWidget:
        panel = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(panel)
        column.setContentsMargins(0, 0, 0, 0)
        self.filter = QtWidgets.QLineEdit()
        self.filter.setPlaceholderText(self.tr("Find a run"))
        self.filter.setAccessibleName(self.tr("Find a run"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._apply_filter)
        column.addWidget(self.filter)
        self.list = QtWidgets.QListWidget()
        self.list.setAccessibleName(self.tr("Runs to compare"))
        self.list.setUniformItemSizes(True)
        self.list.setSpacing(2)
        self.list.itemChanged.connect(self.ask)
        self.list.currentItemChanged.connect(lambda *_: self._show_episodes())
        column.addWidget(self.list, 1)
        caption = QtWidgets.QLabel(self.tr("Group the runs by"))
        column.addWidget(caption)
        self.group = self._combo(self.tr("Group by"), {"": self.tr("Each run")})
        self.group.setMinimumContentsLength(8)
        self.statistic = self._combo(self.tr("Statistic of a group"), _STATISTICS)
        self.band = QtWidgets.QCheckBox(self.tr("95 % band"))
        self.band.setChecked(True)
        self.band.toggled.connect(self.ask)
        for widget in (self.group, self.statistic, self.band):
            column.addWidget(widget)
        return panel

    def _make_episodes(self) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(page)
        column.setContentsMargins(0, 4, 0, 0)
        head = QtWidgets.QHBoxLayout()
        self.of_run = QtWidgets.QLabel()
        head.addWidget(self.of_run, 1)
        self.order = QtWidgets.QComboBox()
        self.order.setAccessibleName(self.tr("Order of the episodes"))
        for order in ORDERS:
            self.order.addItem(self.tr(order.capitalize()), order)
        self.order.currentIndexChanged.connect(lambda *_: self._show_episodes())
        head.addWidget(self.order)
        column.addLayout(head)
        self.episodes = EpisodePages(self)
        self.episodes.failed.connect(lambda error: self.of_run.setText(str(error)))
        self.table = QtWidgets.QTableView()
        self.table.setModel(self.episodes)
        self.table.setAccessibleName(self.tr("Episodes"))
        self.table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.horizontalHeader().setStretchLastSection(True)
        for number, width in enumerate(WIDTHS):
            self.table.setColumnWidth(number, width)
        self.table.setToolTip(self.tr("A double click opens the replay"))
        self.table.activated.connect(self._open_episode)
        column.addWidget(self.table, 1)
        return page

    # -- runs -----------------------------------------------------------------------------------

    def load_runs(self) -> None:
        """Read the registry again."""
        self._listing.ask(
            self._read_runs,
            done=self._take_runs,
            failed=lambda error: self.trouble.tell("list", error),
        )

    def _read_runs(self) -> list[RunRecord]:
        with RunRegistry(self._data_dir) as registry:
            return registry.list()

    def _take_runs(self, records: list[RunRecord]) -> None:
        self.trouble.solve("list")
        known = set(self._records)
        self._records = {record.run_id: record for record in records}
        labels = run_labels(records)
        with QtCore.QSignalBlocker(self.list):
            for record in reversed(records):
                if record.run_id not in known:
                    self._add_run(record)
            for item in self._items():
                item.setText(labels.get(item.data(QtCore.Qt.ItemDataRole.UserRole), item.text()))
        if self.list.currentItem() is None:
            self._go_to(self._first)
        self._apply_filter(self.filter.text())
        self.ask() if self._answer.question.runs else self.refresh()  # the first one at once

    def _add_run(self, record: RunRecord) -> None:
        item = QtWidgets.QListWidgetItem()
        item.setData(QtCore.Qt.ItemDataRole.UserRole, record.run_id)
        item.setToolTip(f"{record.run_id}\n{record.spec.env_id}")
        item.setCheckState(self._tick(record.run_id))
        self.list.insertItem(0, item)

    def _go_to(self, run_id: str) -> None:
        for item in self._items():
            if item.data(QtCore.Qt.ItemDataRole.UserRole) == run_id:
                self.list.setCurrentItem(item)

    def _items(self) -> list[QtWidgets.QListWidgetItem]:
        return [self.list.item(row) for row in range(self.list.count())]

    def _apply_filter(self, text: str) -> None:
        words = text.lower().split()
        for item in self._items():
            about = f"{item.text()} {item.toolTip()}".lower()
            item.setHidden(not all(word in about for word in words))

    def choose(self, run_ids: Sequence[str]) -> None:
        """Tick these runs and no others, also those that are still to be read."""
        self._wanted = set(run_ids)
        with QtCore.QSignalBlocker(self.list):
            for item in self._items():
                item.setCheckState(self._tick(item.data(QtCore.Qt.ItemDataRole.UserRole)))
        self.ask()

    def _tick(self, run_id: str) -> QtCore.Qt.CheckState:
        state = QtCore.Qt.CheckState
        return state.Checked if run_id in self._wanted else state.Unchecked

    def chosen(self) -> tuple[str, ...]:
        """Return the ids of the runs that are ticked, in the order of the list."""
        checked = QtCore.Qt.CheckState.Checked
        role = QtCore.Qt.ItemDataRole.UserRole
        return tuple(item.data(role) for item in self._items() if item.checkState() == checked)

    # -- question and answer --------------------------------------------------------------------

    def question(self) -> Question:
        return Question(
            self.chosen(),
            self.what.currentData() or analytics.RETURN,
            self.by.currentData() or "steps",
            self.window_.value(),
            self.group.currentData() or "",
            self.statistic.currentData() or "mean",
            self.band.isChecked(),
            self.grid.wanted(self._answer.names) if self._is_shown(self.grid) else (),
        )

    def _is_shown(self, page: QtWidgets.QWidget) -> bool:
        return self.pages.currentWidget() is page

    def ask(self, *_: object) -> None:
        """Show what the choices now ask for, soon: several changes at once are one question."""
        if not self._closed:
            self._delay.start()

    def refresh(self) -> None:
        """Read and draw again; while an answer is awaited, once more after it."""
        if self._closed or self._asking:
            self._again = True
            return
        self._asking, self._again = True, False
        question, records = self.question(), dict(self._records)
        self._background.run(
            lambda: answer(question, self._data_dir, records),
            done=self._take_answer,
            failed=self._failed,
        )

    def _take_answer(self, found: Answer) -> None:
        self._asking = False
        self._answer = found
        question = found.question
        self._offer(self.what, {name: name for name in found.names})
        self._offer(
            self.group, {"": self.tr("Each run"), **{d.name: d.name for d in found.differences}}
        )
        self.statistic.setEnabled(bool(question.group))
        self.band.setEnabled(bool(question.group))
        self._show_plots()
        self.results.show_results(found.results)
        self.bars.show_bars(found.bars, x_title=question.what)
        names = {run_id: found.labels[run_id] for run_id in question.runs if run_id in found.labels}
        self.settings.show_differences(found.differences, names)
        self._colour(found)
        self._say(found)
        self._wait_for(found)
        self._show_episodes()
        if self._again:
            self.refresh()

    def _show_plots(self, *_: object) -> None:
        found, is_log = self._answer, self.log.isChecked()
        x_title = self.tr(_X_TITLES[found.question.by])
        self.plot.set_log(is_log)
        self.plot.show_curves(found.shown, x_title=x_title, y_title=found.question.what)
        if self._is_shown(self.grid):
            self.grid.show_curves(found.small, x_title=x_title, is_log=is_log)

    def _offer(self, combo: QtWidgets.QComboBox, items: Mapping[str, str]) -> None:
        """Give a combo its items, keeping the choice where it is still there."""
        if not items or [combo.itemData(i) for i in range(combo.count())] == list(items):
            return
        chosen = combo.currentData()
        with QtCore.QSignalBlocker(combo):
            combo.clear()
            for value, text in items.items():
                combo.addItem(text, value)
            combo.setCurrentIndex(max(0, combo.findData(chosen)))

    def _colour(self, found: Answer) -> None:
        """Give each run in the list the colour of its curve."""
        shown = [curve.run_id for curve in found.curves if len(curve)]
        specs = {run_id: self._records[run_id].spec for run_id in shown}
        groups = analytics.grouped(specs, found.question.group)
        colours = {
            run_id: COLOURS[number % len(COLOURS)]
            for number, run_ids in enumerate(groups.values())
            for run_id in run_ids
        }
        with QtCore.QSignalBlocker(self.list):
            for item in self._items():
                colour = colours.get(item.data(QtCore.Qt.ItemDataRole.UserRole))
                item.setIcon(dot(colour or "line"))

    def _say(self, found: Answer) -> None:
        points = sum(len(curve) for curve in found.curves)
        if not found.question.runs:
            text = self.tr("Tick the runs to compare.")
        elif found.unread and not any(self._is_news(*one) for one in found.unread.items()):
            labels = ", ".join(found.labels[run_id] for run_id in found.unread)
            text = self.tr("{}: nothing is recorded yet.").format(labels)
        elif not points:
            text = self.tr("Nothing to show yet: no episode has ended.")
        else:
            one = len(found.curves) == 1
            words = self.tr("{} points of 1 run") if one else self.tr("{} points of {} runs")
            text = words.format(f"{points:,}", len(found.curves))
        self.message.setText("" if text and not points else text)
        for plot in (self.plot, self.bars):
            plot.say_empty("" if points else text)

    def _wait_for(self, found: Answer) -> None:
        """Say which run cannot be read, and draw again as soon as all can be."""
        self._unread = {run_id: self._data_dir.run(run_id).store for run_id in found.unread}
        for run_id, error in found.unread.items():
            if self._is_news(run_id, error):
                named = type(error)(
                    f"{found.labels[run_id]}: {error.message}", next_step=error.next_step
                )
                named.__cause__ = error
                self.trouble.tell("files", named)
                break
        else:
            self.trouble.solve("files")
        if not self._unread:
            self._mending.drop()
        elif not self._mending.waits:
            paths = tuple(self._unread.values())
            self._mending.ask(
                lambda: _open_all(paths), done=lambda _: self.ask(), failed=lambda _: None
            )

    def _is_news(self, run_id: str, error: GymGuiError) -> bool:
        """A run that has only just begun has no file yet: that is no trouble."""
        return not isinstance(error, StoreMissingError) or bool(self._records[run_id].steps)

    def _failed(self, error: Exception) -> None:
        self._asking = False
        self.message.setText(str(error))

    def _refresh_live(self) -> None:
        records = (self._records.get(run_id) for run_id in self.chosen())
        if any(record is not None and not record.state.is_final for record in records):
            self.load_runs()

    # -- episodes -------------------------------------------------------------------------------

    def _current(self) -> str:
        item = self.list.currentItem()
        chosen = self.chosen()
        if item is not None:
            return str(item.data(QtCore.Qt.ItemDataRole.UserRole))
        return chosen[0] if chosen else ""

    def _show_episodes(self) -> None:
        run_id = self._current()
        record = self._records.get(run_id)
        self.of_run.setText(self._answer.labels.get(run_id, "") if record else "")
        path = self._data_dir.run(run_id).store if run_id else None
        self.episodes.show_run(path, order=self.order.currentData())

    def _open_episode(self, index: QtCore.QModelIndex) -> None:
        episode = self.episodes.episode(index.row())
        if episode is not None:
            self.episode_activated.emit(self._current(), episode.stream, episode.episode)

    # -- export ---------------------------------------------------------------------------------

    def _choose_export(self, ending: str) -> None:
        path, _ = QtWidgets.QFileDialog.getSaveFileName(
            self, self.tr("Export"), f"{self._answer.question.what}.{ending}", f"*.{ending}"
        )
        if path:
            self.export(Path(path).with_suffix(f".{ending}"))

    def export(self, path: Path) -> None:
        """Write the figure (.png, .svg) or its data (.csv, .parquet)."""
        if path.suffix in (".png", ".svg"):
            self.plot.save(path)
            self.message.setText(self.tr("Written to {}").format(path))
            return
        columns = table(self._answer)
        self._background.run(
            lambda: analytics.write_table(path, columns),
            done=lambda _: self.message.setText(self.tr("Written to {}").format(path)),
            failed=self._failed,
        )

    # -- life -----------------------------------------------------------------------------------

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        self._timer.start()
        super().showEvent(event)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def cleanup(self) -> None:
        """Stop asking. Twice is safe."""
        self._closed = True
        self._timer.stop()
        self._delay.stop()
        self._background.close()
        self._listing.close()
        self._mending.close()
        self.episodes.close()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.cleanup()
        super().closeEvent(event)


def _open_all(paths: Sequence[Path]) -> None:
    """Raise what keeps one of the runs from being read."""
    for path in paths:
        with RunReader(path) as reader:
            reader.totals()


def make_tab(context: Any, run_id: str, parent: QtWidgets.QWidget | None = None) -> AnalyticsTab:
    """Return the tab, with ``run_id`` ticked; ``context`` is the program's ``ProgramContext``."""
    return AnalyticsTab(run_id, data_dir=context.data_dir, parent=parent)
