"""The table of runs: thousands of rows, filtered and sorted here (5,000 in a few milliseconds)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from PySide6 import QtCore, QtGui

from gym_gui.core.records import RunRecord, RunState
from gym_gui.ui import theme
from gym_gui.ui.icons import dot, icon
from gym_gui.ui.translate import tr
from gym_gui.ui.words import age, compact, number, size, some

Index: TypeAlias = QtCore.QModelIndex | QtCore.QPersistentModelIndex

Column = tuple[str, Callable[["RunsModel", RunRecord], Any], Callable[[Any], str], bool]
COLUMNS: tuple[Column, ...] = (  # title, value to sort by, its text, whether it is a number
    ("Run", lambda model, run: (run.spec.name or run.run_id), str, False),
    ("Environment", lambda model, run: run.spec.env_id, str, False),
    ("Steps", lambda model, run: run.steps, compact, True),
    ("Last", lambda model, run: run.last_return, number, True),
    ("Best", lambda model, run: run.best_return, number, True),
    ("Age", lambda model, run: -run.created_ns, lambda value: age(-value), True),
    ("Steps/s", lambda model, run: model.rate(run), some, True),
    ("State", lambda model, run: state_text(run), str, False),
    ("Worker", lambda model, run: run.spec.worker, str, False),
    ("Size", lambda model, run: run.size_bytes, size, True),
    ("Group", lambda model, run: run.spec.group, str, False),
    ("Tags", lambda model, run: ", ".join(run.spec.tags), str, False),
    ("Notes", lambda model, run: " ".join(run.spec.notes.split()), str, False),
)  # fmt: skip
GROUPINGS: dict[str, Callable[[RunRecord], str]] = {  # what runs can be gathered by
    "group": lambda run: run.spec.group,
    "environment": lambda run: run.spec.env_id,
    "worker": lambda run: run.spec.worker,
    "state": lambda run: run.state.value,
    "tags": lambda run: ", ".join(sorted(run.spec.tags)),
    "script": lambda run: str(run.spec.config.get("script") or ""),
}
_HEAD = "\x1f"  # before a group's name, in the list of rows
NAME, AGE, STATE = 0, 5, 7
RUN_ID = QtCore.Qt.ItemDataRole.UserRole


class RunsModel(QtCore.QAbstractTableModel):
    """Shows the newest record of every run that passes the filter."""

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[str, RunRecord] = {}
        self._texts: dict[str, str] = {}
        self._rates: dict[str, tuple[float, int, float]] = {}  # time s, steps, steps/s
        self._hidden: set[str] = set()
        self._rows: list[str] = []
        self._places: dict[str, int] = {}
        self._words: list[str] = []
        self._state = ""
        self._by = ""
        self._folded: set[str] = set()
        self._members: dict[str, list[str]] = {}  # run ids by group, of the rows shown
        self._column, self._descending = AGE, False

    # -- content --------------------------------------------------------------------------------

    def update(self, records: Iterable[RunRecord]) -> None:
        """Take new or changed runs."""
        arrived = False
        for run in records:
            arrived = self._take(run) or arrived
        if arrived:
            self.arrange()

    def _take(self, run: RunRecord) -> bool:
        """Return whether the rows must be arranged again."""
        self._measure(run)
        before = self._all.get(run.run_id)
        self._all[run.run_id] = run
        spec = run.spec
        words = (
            run.run_id,
            spec.name,
            spec.env_id,
            spec.worker,
            spec.group,
            *spec.tags,
            spec.notes,
        )
        self._texts[run.run_id] = " ".join((*words, run.state.value)).lower()
        row = self._places.get(run.run_id)
        if row is not None:
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))
        return before is None or (row is None) == self._passes(run.run_id)

    def grow_older(self) -> None:
        """Tell that time went by: the ages that are seen are written anew."""
        if self._rows:
            self.dataChanged.emit(self.index(0, AGE), self.index(len(self._rows) - 1, AGE))

    def remove(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            for table in (self._all, self._texts, self._rates):
                table.pop(run_id, None)
            self._hidden.discard(run_id)
        self.arrange()

    def set_hidden(self, run_ids: Iterable[str], hidden: bool) -> None:
        """Leave runs out, or show them again (a deletion that can still be undone)."""
        (self._hidden.update if hidden else self._hidden.difference_update)(run_ids)
        self.arrange()

    def record(self, run_id: str) -> RunRecord | None:
        return self._all.get(run_id)

    def rate(self, run: RunRecord) -> float:
        """Return steps a second, 0 when it does not run."""
        return 0.0 if run.state.is_final else self._rates.get(run.run_id, (0, 0, 0.0))[2]

    def _measure(self, run: RunRecord) -> None:
        now = time.monotonic()
        then, steps, rate = self._rates.get(run.run_id, (now, run.steps, 0.0))
        if now - then >= 0.4:
            fresh = (run.steps - steps) / (now - then)
            rate = fresh if not rate else 0.6 * rate + 0.4 * fresh
            then, steps = now, run.steps
        self._rates[run.run_id] = (then, steps, rate)

    @property
    def total(self) -> int:
        return len(self._all) - len(self._hidden)

    @property
    def shown(self) -> int:
        """How many runs pass the filter, those in folded groups too."""
        if self._by:
            return sum(len(members) for members in self._members.values())
        return len(self._rows)

    # -- filter and order -----------------------------------------------------------------------

    def set_filter(self, text: str, state: str | None = None) -> None:
        """Show runs with all words of ``text``, and of ``state`` (a RunState's value, "" any)."""
        self._words = text.lower().split()
        if state is not None:
            self._state = state
        self.arrange()

    def _passes(self, run_id: str) -> bool:
        if run_id in self._hidden:
            return False
        if self._state and self._all[run_id].state.value != self._state:
            return False
        text = self._texts[run_id]
        return all(word in text for word in self._words)

    def sort(
        self, column: int, order: QtCore.Qt.SortOrder = QtCore.Qt.SortOrder.AscendingOrder
    ) -> None:
        self._column = column
        self._descending = order == QtCore.Qt.SortOrder.DescendingOrder
        self.arrange()

    def arrange(self) -> None:
        """Filter and sort anew."""
        value = COLUMNS[self._column][1]
        rows = [run_id for run_id in self._all if self._passes(run_id)]

        def key(run_id: str) -> tuple[bool, Any]:
            found = value(self, self._all[run_id])
            missing = found is None
            return (missing != self._descending, 0 if missing else found)

        rows.sort(key=lambda run_id: self._all[run_id].created_ns, reverse=True)
        rows.sort(key=key, reverse=self._descending)
        rows = self._gathered(rows)
        if rows == self._rows:
            return
        self.beginResetModel()
        self._rows = rows
        self._places = {run_id: row for row, run_id in enumerate(rows)}
        self.endResetModel()

    # -- groups ---------------------------------------------------------------------------------

    def set_grouping(self, by: str) -> None:
        """Gather the rows by one of ``GROUPINGS``; ``""`` shows them one after another."""
        self._by = by
        self._folded.clear()
        self.arrange()

    def _gathered(self, rows: list[str]) -> list[str]:
        """Return the rows with a head before each group, in the order of their first runs."""
        self._members = {}
        if not self._by:
            return rows
        value = GROUPINGS[self._by]
        for run_id in rows:
            self._members.setdefault(value(self._all[run_id]), []).append(run_id)
        gathered = []
        for name, members in self._members.items():
            gathered.append(_HEAD + name)
            gathered += [] if name in self._folded else members
        return gathered

    def is_head(self, row: int) -> bool:
        """Tell whether a row is the head of a group."""
        return self._rows[row].startswith(_HEAD)

    def heads(self) -> list[int]:
        """Return the rows that are heads of groups."""
        return [row for row in range(len(self._rows)) if self.is_head(row)] if self._by else []

    def toggle(self, row: int) -> None:
        """Fold or unfold the group whose head is at ``row``."""
        self._folded ^= {self._rows[row][1:]}
        self.arrange()

    def _head_data(self, name: str, column: int, role: int) -> Any:
        members = [self._all[run_id] for run_id in self._members[name]]
        if role == QtCore.Qt.ItemDataRole.FontRole:
            font = QtGui.QFont()
            font.setBold(True)
            return font
        if role == QtCore.Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role != QtCore.Qt.ItemDataRole.DisplayRole:
            return None
        if column == NAME:
            mark = "▸" if name in self._folded else "▾"
            return f"{mark} {name or self.tr('none')}  ({len(members):,})"
        title = COLUMNS[column][0]
        if title == "Steps":
            return compact(sum(run.steps for run in members))
        if title == "Best":
            return number(
                max((r.best_return for r in members if r.best_return is not None), default=None)
            )
        return ""

    # -- Qt -------------------------------------------------------------------------------------

    def flags(self, index: Index) -> QtCore.Qt.ItemFlag:
        if index.isValid() and self.is_head(index.row()):
            return QtCore.Qt.ItemFlag.ItemIsEnabled
        return super().flags(index)

    def rowCount(self, parent: Index = QtCore.QModelIndex()) -> int:  # noqa: B008 - Qt's form
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QtCore.QModelIndex()) -> int:  # noqa: B008 - Qt's form
        return 0 if parent.isValid() else len(COLUMNS)

    def row_of(self, run_id: str) -> int:
        """Return the row of a run, -1 when it is not shown."""
        return self._places.get(run_id, -1)

    def run_at(self, row: int) -> str:
        """Return the run shown in a row; empty for the head of a group."""
        return "" if self.is_head(row) else self._rows[row]

    def headerData(
        self,
        section: int,
        orientation: QtCore.Qt.Orientation,
        role: int = QtCore.Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation is not QtCore.Qt.Orientation.Horizontal:
            return None
        if role == QtCore.Qt.ItemDataRole.DisplayRole:
            return self.tr(COLUMNS[section][0])
        if role == QtCore.Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: Index, role: int = QtCore.Qt.ItemDataRole.DisplayRole) -> Any:
        column = index.column()
        if self.is_head(index.row()):
            return self._head_data(self._rows[index.row()][1:], column, role)
        run = self._all[self._rows[index.row()]]
        if role == QtCore.Qt.ItemDataRole.DisplayRole:
            value = COLUMNS[column][1](self, run)
            return "" if value is None else COLUMNS[column][2](value)
        if role == QtCore.Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == QtCore.Qt.ItemDataRole.DecorationRole and column == NAME:
            return icon("warning", "warn") if is_troubled(run) else dot(state_colour(run.state))
        if role == QtCore.Qt.ItemDataRole.ForegroundRole and column == STATE and is_troubled(run):
            return QtGui.QColor(theme.current().warn)
        if role == QtCore.Qt.ItemDataRole.ForegroundRole and column not in (NAME, STATE):
            return QtGui.QColor(theme.current().muted) if run.state.is_final else None
        if role == QtCore.Qt.ItemDataRole.ToolTipRole:
            return describe(run)
        return run.run_id if role == RUN_ID else None


def _alignment(column: int) -> int:
    flag = QtCore.Qt.AlignmentFlag
    side = flag.AlignRight if COLUMNS[column][3] else flag.AlignLeft
    return int(side | flag.AlignVCenter)


def state_colour(state: RunState) -> str:
    """Return the colour that stands for a run's state in the present theme."""
    shades = theme.current()
    return {
        RunState.RUNNING: shades.good,
        RunState.PAUSED: shades.warn,
        RunState.FAILED: shades.bad,
        RunState.STARTING: shades.accent,
        RunState.QUEUED: shades.accent,
    }.get(state, shades.muted)


def is_troubled(run: RunRecord) -> bool:
    """Tell whether something keeps the run from being recorded, or has kept records from it."""
    return bool(run.trouble or run.dropped)


def state_text(run: RunRecord) -> str:
    """Return a run's state with what its recording lacks."""
    if run.dropped:
        return f"{run.state.value}, {compact(run.dropped)} not recorded"
    if run.trouble:
        return f"{run.state.value}, " + ("damaged" if run.state.is_final else "recording waits")
    return run.state.value


def describe(run: RunRecord) -> str:
    """Return a run in a few lines of plain words."""
    lines = [run.spec.name or run.run_id, f"{run.run_id} · {run.state.value}"]
    if run.cause:
        lines.append(run.cause)
    if run.trouble:
        lines.append(run.trouble)
    lines.append(tr("{:,} steps, {:,} episodes").format(run.steps, run.episodes))
    if run.rejected or run.dropped:
        words = tr("{:,} records not kept, {:,} rejected")
        lines.append(words.format(run.dropped, run.rejected))
    if run.spec.tags:
        lines.append(tr("Tags: {}").format(", ".join(run.spec.tags)))
    return "\n".join(lines)
