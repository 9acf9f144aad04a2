"""Tables of what came last: bounded, newest first, and formatted only where they are seen."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from PySide6 import QtCore, QtWidgets

from gym_gui.ui.words import episode_end

RIGHT = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
LEFT = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
INSERTED_AT_ONCE = 1_000  # rows; more than a screenful by far is a new table
_Index: TypeAlias = QtCore.QModelIndex | QtCore.QPersistentModelIndex


class RecentRows(QtCore.QAbstractTableModel):
    """The newest ``capacity`` rows. ``texts`` turns one row into the texts of its columns."""

    def __init__(
        self,
        titles: Sequence[str],
        texts: Callable[[Any], Sequence[str]],
        *,
        capacity: int,
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._titles = titles
        self._texts = texts
        self._capacity = capacity
        self._rows: deque[Any] = deque(maxlen=capacity)
        self._shown: list[Any] = []
        self._later: deque[tuple[int, Callable[[], Sequence[Any]]]] = deque()
        self._held = 0  # rows that those of ``_later`` will be
        self._fresh = 0  # rows that are not shown yet
        self._anew = False

    def add(self, rows: Sequence[Any]) -> None:
        """Take rows, oldest first. They show at the next ``refresh``."""
        self.add_later(len(rows), lambda: rows)

    def add_later(self, count: int, rows: Callable[[], Sequence[Any]]) -> None:
        """Take ``count`` rows that are made only if they are still among the newest when shown."""
        self._later.append((count, rows))
        self._held += count
        self._fresh += count
        while self._held - self._later[0][0] >= self._capacity:
            self._held -= self._later.popleft()[0]

    def clear(self) -> None:
        """Forget all rows. It shows at the next ``refresh``."""
        self._rows.clear()
        self._later.clear()
        self._held, self._fresh, self._anew = 0, 0, True

    def waiting(self) -> int:
        """Return how many rows came since the last ``refresh``."""
        return self._fresh

    def refresh(self) -> None:
        """Show what came since, on top; what is selected stays so."""
        fresh, self._fresh = self._fresh, 0
        while self._later:
            self._rows.extend(self._later.popleft()[1]())
        self._held = 0
        if self._anew or fresh >= min(len(self._shown) + 1, INSERTED_AT_ONCE):
            self._anew = False
            self.beginResetModel()
            self._shown = list(reversed(self._rows))
            self.endResetModel()
        elif fresh:
            self._insert(list(itertools.islice(reversed(self._rows), fresh)))

    def _insert(self, newest: list[Any]) -> None:
        over = len(self._shown) + len(newest) - self._capacity
        if over > 0:
            last = len(self._shown) - 1
            self.beginRemoveRows(QtCore.QModelIndex(), last - over + 1, last)
            del self._shown[-over:]
            self.endRemoveRows()
        self.beginInsertRows(QtCore.QModelIndex(), 0, len(newest) - 1)
        self._shown[:0] = newest
        self.endInsertRows()

    def row(self, number: int) -> Any:
        """Return the row that is shown at ``number``."""
        return self._shown[number]

    def rowCount(self, parent: _Index = QtCore.QModelIndex()) -> int:  # noqa: B008 - Qt's own form
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: _Index = QtCore.QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._titles)

    def data(self, index: _Index, role: int = QtCore.Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == QtCore.Qt.ItemDataRole.DisplayRole:
            return self._texts(self._shown[index.row()])[index.column()]
        if role == QtCore.Qt.ItemDataRole.ToolTipRole and index.column() == len(self._titles) - 1:
            return self._texts(self._shown[index.row()])[-1]  # the widest; it may be cut off
        if role == QtCore.Qt.ItemDataRole.TextAlignmentRole and index.column() < 5:
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
            return RIGHT if section < 5 else LEFT
        shown = role == QtCore.Qt.ItemDataRole.DisplayRole
        return self.tr(self._titles[section]) if shown else None


def table_view(model: RecentRows, name: str, widths: Sequence[int]) -> QtWidgets.QTableView:
    """Return a compact view of ``model``; rows have one height, so that none is measured."""
    view = QtWidgets.QTableView()
    view.setModel(model)
    view.setAccessibleName(name)
    view.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
    view.setWordWrap(False)
    view.setShowGrid(False)
    view.setAlternatingRowColors(True)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(22)
    view.horizontalHeader().setStretchLastSection(True)
    view.horizontalHeader().setMinimumSectionSize(30)
    for column, width in enumerate(widths):
        view.setColumnWidth(column, width)
    return view


STEP_WIDTHS = (58, 64, 50, 54, 58, 78, 64)
REWARD = 4  # column of the steps
STREAM = 0  # column of both tables
EPISODE_WIDTHS = (58, 64, 56, 68, 62, 84)
STEP_TITLES = ("Stream", "Episode", "Step", "Action", "Reward", "Flags", "Agent", "Observation")
EPISODE_TITLES = ("Stream", "Episode", "Steps", "Return", "Seconds", "End", "Agent")


def flag_text(flags: int) -> str:
    """Return the words for a step's flag bits."""
    words = ("terminated", "truncated", "reset", "human", "intervention")
    return " ".join(word for bit, word in enumerate(words) if flags & (1 << bit))


def step_texts(row: Sequence[Any]) -> Sequence[str]:
    """Return a step's cells; ``row``: stream, episode, step, action, reward, flags, agent, …"""
    stream, episode, step, action, reward, flags, agent, observation = row
    return (
        str(stream),
        str(episode),
        str(step),
        f"{action:.4g}" if isinstance(action, float) else str(action),
        f"{reward:.4g}",
        flag_text(flags),
        agent,
        observation if len(observation) <= 400 else observation[:400] + "…",
    )


def episode_texts(row: Any) -> Sequence[str]:
    """Return an episode's cells from its record."""
    end = episode_end(terminated=row.terminated, truncated=row.truncated)
    seconds = (row.end_ns - row.start_ns) / 1e9 if row.end_ns and row.start_ns else 0.0
    return (
        str(row.stream),
        str(row.episode),
        str(row.length),
        f"{row.return_:.6g}",
        f"{seconds:.3f}" if seconds < 1 else f"{seconds:,.1f}",
        end,
        row.agent,
    )
