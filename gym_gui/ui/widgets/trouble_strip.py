"""A strip that says what is wrong and what to do about it, for as long as it is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.errors import StorageError
from gym_gui.core.records import RunRecord
from gym_gui.ui.icons import icon
from gym_gui.ui.widgets.problems_panel import Problem

SHOW_AFTER_MS = 700  # what is over sooner is not worth a look


class _Mark(QtWidgets.QWidget):
    """The sign of a warning, sharp at every scale and in the present theme's colour."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(18, 18)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        icon("warning", "warn").paint(QtGui.QPainter(self), self.rect())


class TroubleStrip(QtWidgets.QFrame):
    """Shows the newest of the troubles that last. It takes no room while there is none."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trouble")
        self.setAccessibleName(self.tr("What is wrong"))
        self._troubles: dict[str, Problem] = {}
        self._actions: dict[str, tuple[str, Callable[[], object]]] = {}
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(
            QtCore.Qt.TextInteractionFlag.TextSelectableByMouse
            | QtCore.Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.text.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred
        )
        self.action = self._button("")
        self.action.clicked.connect(self._act)
        self.copy = self._button(self.tr("Copy details"))
        self.copy.clicked.connect(self.copy_details)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(12, 5, 8, 5)
        row.setSpacing(8)
        row.addWidget(_Mark())
        row.addWidget(self.text, 1)
        row.addWidget(self.action)
        row.addWidget(self.copy)
        self._timer = QtCore.QTimer(self, interval=SHOW_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self.show)
        self.hide()

    def _button(self, text: str) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(text)
        button.setObjectName("slim")
        return button

    @property
    def told(self) -> str:
        """What is told now, shown yet or not; empty without trouble."""
        return self.text.text() if self._troubles else ""

    def tell(
        self,
        what: str,
        error: Exception,
        *,
        action: tuple[str, Callable[[], object]] | None = None,
    ) -> None:
        """Tell of a trouble until ``solve(what)``; the same one again changes nothing.

        action: the text of a button, and what it does about it.
        """
        held = self._troubles.get(what)
        if held is not None and str(held.error) == str(error):
            return
        self._troubles.pop(what, None)
        self._troubles[what] = Problem(what, error, time.time())
        self._actions.pop(what, None)
        if action is not None:
            self._actions[what] = action
        self._fill()

    def tell_run(self, run: RunRecord) -> None:
        """Tell what keeps a run from being recorded, if anything does."""
        if run.trouble:
            self.tell("run", StorageError(run.trouble))
        else:
            self.solve("run")

    def solve(self, what: str) -> None:
        """Take a trouble away: its cause is gone."""
        if self._troubles.pop(what, None) is not None:
            self._actions.pop(what, None)
            self._fill()

    def copy_details(self) -> None:
        """Put every trouble, with its trace, on the clipboard."""
        details = "\n".join(problem.details() for problem in self._troubles.values())
        QtWidgets.QApplication.clipboard().setText(details)

    def _fill(self) -> None:
        if not self._troubles:
            self._timer.stop()
            self.hide()
            self.text.clear()
            return
        what, newest = next(reversed(self._troubles.items()))
        words = f"{newest.message} {newest.next_step}".strip()
        more = len(self._troubles) - 1
        self.text.setText(words + (self.tr("  (and {} more)").format(more) if more else ""))
        text, _ = self._actions.get(what, ("", None))
        self.action.setText(text)
        self.action.setVisible(bool(text))
        if self.isHidden() and not self._timer.isActive():
            self._timer.start()

    def _act(self) -> None:
        what = next(reversed(self._troubles), "")
        if what in self._actions:
            self._actions[what][1]()
