"""Tables of the Analytics tab: episodes in pages, and settings that differ."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from PySide6 import QtCore, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.records import EpisodeRecord
from gym_gui.telemetry.analytics import Difference, Result
from gym_gui.telemetry.reader import RunReader
from gym_gui.ui.translate import tr
from gym_gui.ui.widgets.live_tables import LEFT, RIGHT
from gym_gui.ui.words import episode_end

PAGE_ROWS = 256
PAGES_KEPT = 64
ORDERS = {  # label: (order, greatest first)
    "newest": ("end", True),
    "oldest": ("end", False),
    "best": ("return", True),
    "worst": ("return", False),
    "longest": ("length", True),
    "shortest": ("length", False),
}
WIDTHS = (70, 80, 70, 92, 72, 64, 80)
_TITLES = ("Episode", "Return", "Length", "End", "Success", "Stream", "Agent")
_Index: TypeAlias = QtCore.QModelIndex | QtCore.QPersistentModelIndex
_TOP = QtCore.Qt.Orientation.Horizontal
_ALIGNMENT = QtCore.Qt.ItemDataRole.TextAlignmentRole
_NUMBERS = (0, 1, 2, 5)  # columns of the episodes


class EpisodePages(QtCore.QAbstractTableModel):
    """All episodes of one run, read in pages off the GUI thread as they come into view."""

    failed = QtCore.Signal(object)  # why the run cannot be read

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._background = Background(self)
        self._path: Path | None = None
        self._order = ORDERS["newest"]
        self._count = 0
        self._pages: OrderedDict[int, list[EpisodeRecord]] = OrderedDict()
        self._asked: set[int] = set()
        self._generation = 0

    def show_run(self, path: Path | None, *, order: str = "newest") -> None:
        """Show another run, or the same one anew."""
        self._path, self._order = path, ORDERS[order]
        self._generation += 1
        generation = self._generation
        self._asked.clear()
        if path is None:
            self._take_count(generation, 0)
            return
        self._background.run(
            lambda: _count(path),
            done=lambda count: self._take_count(generation, count),
            failed=lambda error: self._count_failed(generation, error),
        )

    def episode(self, row: int) -> EpisodeRecord | None:
        """Return the episode at a row, None while its page is on its way."""
        page = self._pages.get(row // PAGE_ROWS)
        if page is None:
            self._ask(row // PAGE_ROWS)
            return None
        return page[row % PAGE_ROWS] if row % PAGE_ROWS < len(page) else None

    def close(self) -> None:
        self._background.close()

    def rowCount(self, parent: _Index = QtCore.QModelIndex()) -> int:  # noqa: B008 - Qt's own form
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: _Index = QtCore.QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_TITLES)

    def data(self, index: _Index, role: int = QtCore.Qt.ItemDataRole.DisplayRole) -> Any:
        if role == QtCore.Qt.ItemDataRole.DisplayRole:
            episode = self.episode(index.row())
            return _texts(episode)[index.column()] if episode else "…"
        if role == QtCore.Qt.ItemDataRole.TextAlignmentRole and index.column() in _NUMBERS:
            return RIGHT
        return None

    def headerData(
        self,
        section: int,
        orientation: QtCore.Qt.Orientation,
        role: int = QtCore.Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != QtCore.Qt.Orientation.Horizontal:
            return None
        if role == QtCore.Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if section in _NUMBERS else LEFT
        return self.tr(_TITLES[section]) if role == QtCore.Qt.ItemDataRole.DisplayRole else None

    def _count_failed(self, generation: int, error: Exception) -> None:
        if generation == self._generation:
            self._take_count(generation, 0)
            self.failed.emit(error)

    def _take_count(self, generation: int, count: int) -> None:
        if generation == self._generation:
            self.beginResetModel()
            self._count = count
            self._pages.clear()
            self.endResetModel()

    def _ask(self, page: int) -> None:
        path, generation = self._path, self._generation
        if path is None or page in self._asked:
            return
        self._asked.add(page)
        order, greatest_first = self._order

        def read() -> list[EpisodeRecord]:
            with RunReader(path) as reader:
                return reader.episodes(
                    order=order,
                    newest_first=greatest_first,
                    limit=PAGE_ROWS,
                    offset=page * PAGE_ROWS,
                )

        self._background.run(
            read,
            done=lambda found: self._take_page(generation, page, found),
            failed=lambda _: self._take_page(generation, page, []),
        )

    def _take_page(self, generation: int, page: int, found: list[EpisodeRecord]) -> None:
        if generation != self._generation:
            return
        self._asked.discard(page)
        self._pages[page] = found
        while len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)
        first = self.index(page * PAGE_ROWS, 0)
        last = self.index(min(self._count, (page + 1) * PAGE_ROWS) - 1, len(_TITLES) - 1)
        self.dataChanged.emit(first, last)


def _count(path: Path) -> int:
    with RunReader(path) as reader:
        return int(reader.totals()["episodes"])


def _texts(episode: EpisodeRecord) -> tuple[str, ...]:
    end = episode_end(terminated=episode.terminated, truncated=episode.truncated)
    success = "" if episode.success is None else tr("yes") if episode.success else tr("no")
    return (
        f"{episode.episode:,}",
        f"{episode.return_:.6g}",
        f"{episode.length:,}",
        end,
        success,
        str(episode.stream),
        episode.agent,
    )


class ResultsTable(QtWidgets.QTableWidget):
    """How each run or group did, best first; a click on a heading sorts by it."""

    TITLES = ("Run", "Final", "95 % interval", "Best", "Mean", "Reached", "Points", "Runs")
    OF_GROUPS = (2, 7)  # columns that say nothing of single runs

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(0, len(self.TITLES), parent)
        self.setAccessibleName(self.tr("Results"))
        self.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.horizontalHeader().setSortIndicator(1, QtCore.Qt.SortOrder.DescendingOrder)

    def show_results(self, found: Sequence[Result]) -> None:
        """Fill the table, keeping the order that was chosen."""
        self.setSortingEnabled(False)
        self.setRowCount(len(found))
        self.setHorizontalHeaderLabels([self.tr(title) for title in self.TITLES])
        helps = {
            1: self.tr("Mean of each run's last 100 points"),
            2: self.tr("Bootstrap over the runs of a group"),
            4: self.tr("Mean height of the curve over its axis: fast learners score higher"),
        }
        for column, text in helps.items():
            self.model().setHeaderData(column, _TOP, text, QtCore.Qt.ItemDataRole.ToolTipRole)
        for column in range(len(self.TITLES)):
            side = RIGHT if column not in (0, 2) else LEFT
            self.model().setHeaderData(column, _TOP, side, _ALIGNMENT)
        for row, one in enumerate(found):
            band = f"{one.low:,.5g} – {one.high:,.5g}" if one.runs > 1 else ""
            for column, value in enumerate(
                (one.name, one.final, band, one.best, one.area, one.reached, one.points, one.runs)
            ):
                self.setItem(row, column, _cell(value))
        self.setSortingEnabled(True)
        for column in self.OF_GROUPS:
            self.setColumnHidden(column, all(one.runs == 1 for one in found))
        self.resizeColumnsToContents()
        self.setColumnWidth(0, min(300, max(140, self.columnWidth(0))))


class _Cell(QtWidgets.QTableWidgetItem):
    """A number that sorts as one."""

    def __init__(self, value: float) -> None:
        whole = isinstance(value, int) or abs(value) >= 100_000
        super().__init__(f"{value:,.0f}" if whole else f"{value:,.5g}")
        self.setTextAlignment(RIGHT)
        self.value = value

    def __lt__(self, other: QtWidgets.QTableWidgetItem) -> bool:
        return isinstance(other, _Cell) and self.value < other.value


def _cell(value: Any) -> QtWidgets.QTableWidgetItem:
    return QtWidgets.QTableWidgetItem(value) if isinstance(value, str) else _Cell(value)


class SettingsTable(QtWidgets.QTableWidget):
    """One row a setting in which the runs differ, one column a run."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Settings that differ"))
        self.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.verticalHeader().setDefaultSectionSize(24)

    def show_differences(self, found: Sequence[Difference], names: dict[str, str]) -> None:
        """Fill the table; ``names`` by run id gives the order of the columns."""
        self.clear()
        self.setColumnCount(len(names))
        self.setHorizontalHeaderLabels(list(names.values()))
        self.setRowCount(len(found))
        self.setVerticalHeaderLabels([difference.name for difference in found])
        for column in range(self.columnCount()):
            self.model().setHeaderData(column, _TOP, LEFT, _ALIGNMENT)
        for row, difference in enumerate(found):
            for column, run_id in enumerate(names):
                if run_id in difference.values:
                    text = _text(difference.values[run_id])
                    item = QtWidgets.QTableWidgetItem(text)
                    item.setToolTip(text)
                    self.setItem(row, column, item)
        self.resizeColumnsToContents()
        for column in range(self.columnCount()):
            self.setColumnWidth(column, min(260, max(90, self.columnWidth(column))))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
