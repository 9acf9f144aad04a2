"""Every command by its name: type a few letters, press Enter."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import RunRecord
from gym_gui.ui.words import run_labels

MAX_RUNS = 20


def score(text: str, query: str) -> int | None:
    """Return how well ``query`` fits ``text`` (lower is better), None when it does not.

    Words that begin with it come first, then parts of it, then letters in the same order.
    """
    low, wanted = text.lower(), query.lower().strip()
    if not wanted:
        return 0
    if low.startswith(wanted):
        return 0
    if any(word.startswith(wanted) for word in low.split()):
        return 1
    if wanted in low:
        return 2
    letters = iter(low)
    return 3 if all(letter in letters for letter in wanted if letter != " ") else None


class CommandPalette(QtWidgets.QDialog):
    """Lists the enabled actions and the runs that fit what is typed.

    The chosen action is triggered; for a run, ``run_chosen(run_id)``.
    """

    run_chosen = QtCore.Signal(str)

    def __init__(
        self,
        actions: Iterable[QtGui.QAction],
        parent: QtWidgets.QWidget | None = None,
        *,
        runs: Iterable[RunRecord] = (),
    ) -> None:
        super().__init__(parent, QtCore.Qt.WindowType.Popup)
        self._runs = sorted(runs, key=lambda run: run.created_ns, reverse=True)
        self._actions = [action for action in actions if action.isEnabled()]
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFixedWidth(520)
        self.setObjectName("palette")
        self.line = QtWidgets.QLineEdit()
        self.line.setPlaceholderText(self.tr("Type a command, or a run's name…"))
        self.line.setAccessibleName(self.tr("Command"))
        self.line.textChanged.connect(self._filter)
        self.line.returnPressed.connect(self._run)
        self.line.installEventFilter(self)
        self.list = QtWidgets.QTreeWidget()
        self.list.setAccessibleName(self.tr("Commands and runs"))
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setColumnCount(2)
        self.list.setFixedHeight(300)
        self.list.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.list.itemClicked.connect(self._run)
        head = self.list.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(0, QtWidgets.QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(1, QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.list.ensurePolished()  # rows are measured once, when the first is chosen
        self._filter("")

    def open_over(self, window: QtWidgets.QWidget) -> None:
        """Show it at the top of ``window``."""
        place = window.mapToGlobal(QtCore.QPoint((window.width() - self.width()) // 2, 60))
        self.move(place)
        self.show()
        self.line.setFocus()

    def _filter(self, text: str) -> None:
        found = []
        for action in self._actions:
            name = action.text().replace("&&", "&")
            label = f"{action.data()}: {name}" if action.data() else name
            points = min(
                (s for s in (score(name, text), score(label, text)) if s is not None),
                default=None,
            )
            if points is not None:
                found.append((points, label, action))
        self.list.clear()
        by_fit = sorted(found, key=lambda entry: entry[0])  # equals in the order of the menus
        for _, label, action in by_fit:
            native = QtGui.QKeySequence.SequenceFormat.NativeText
            item = QtWidgets.QTreeWidgetItem([label, action.shortcut().toString(native)])
            item.setData(0, QtCore.Qt.ItemDataRole.UserRole, action)
            self.list.addTopLevelItem(item)
        self._add_runs(text)
        if self.list.topLevelItemCount():
            self._choose(0)

    def _choose(self, row: int) -> None:
        self.list.setCurrentIndex(self.list.model().index(row, 0))

    def _add_runs(self, text: str) -> None:
        """List the runs whose name holds what is typed, the newest first."""
        wanted = text.lower().strip()
        names = zip(run_labels(self._runs).values(), self._runs, strict=True)
        found = [(name, run) for name, run in names if wanted and wanted in name.lower()]
        for name, run in found[:MAX_RUNS]:
            item = QtWidgets.QTreeWidgetItem([name, self.tr("open the run")])
            item.setData(0, QtCore.Qt.ItemDataRole.UserRole, run.run_id)
            self.list.addTopLevelItem(item)

    def _run(self, *_: object) -> None:
        item = self.list.currentItem()
        self.close()
        if item is None:
            return
        chosen = item.data(0, QtCore.Qt.ItemDataRole.UserRole)
        if isinstance(chosen, str):
            self.run_chosen.emit(chosen)
        else:
            chosen.trigger()

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if isinstance(event, QtGui.QKeyEvent) and event.type() == QtCore.QEvent.Type.KeyPress:
            step = {QtCore.Qt.Key.Key_Down: 1, QtCore.Qt.Key.Key_Up: -1}.get(event.key())  # type: ignore[call-overload]
            if step:
                row = self.list.currentIndex().row() + step
                if 0 <= row < self.list.topLevelItemCount():
                    self._choose(row)
                return True
        return super().eventFilter(watched, event)
