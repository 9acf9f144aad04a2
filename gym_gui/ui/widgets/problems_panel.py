"""The one place for errors: what went wrong, when, what to do, and the details to copy."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass

from PySide6 import QtCore, QtWidgets

from gym_gui.core.errors import GymGuiError


@dataclass(frozen=True)
class Problem:
    """One error as it was shown. time_s: Unix seconds; count: how often it came in a row."""

    what: str
    error: Exception
    time_s: float
    count: int = 1

    @property
    def message(self) -> str:
        if isinstance(self.error, GymGuiError):
            return self.error.message
        return f"{type(self.error).__name__}: {self.error}"

    @property
    def next_step(self) -> str:
        return self.error.next_step if isinstance(self.error, GymGuiError) else ""

    def details(self) -> str:
        """Return everything that helps whoever looks into it, as text."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time_s))
        trace = "".join(traceback.format_exception(self.error))
        return f"{stamp} {self.what}: {self.error}\n\n{trace}"


class ProblemLog(QtCore.QObject):
    """The newest problems, at most ``CAPACITY``; the same one again only counts up."""

    CAPACITY = 200
    changed = QtCore.Signal()

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self.problems: list[Problem] = []

    def add(self, what: str, error: Exception) -> None:
        """Take one more problem."""
        last = self.problems[-1] if self.problems else None
        if last is not None and (last.what, str(last.error)) == (what, str(error)):
            self.problems[-1] = Problem(what, error, time.time(), last.count + 1)
        else:
            self.problems.append(Problem(what, error, time.time()))
            del self.problems[: -self.CAPACITY]
        self.changed.emit()

    def hold(self, what: str, error: Exception) -> bool:
        """Keep the one problem of a kind that lasts, in place of an earlier one of that kind.

        Returns whether it is news: not what was held before.
        """
        held = next((problem for problem in self.problems if problem.what == what), None)
        if held is not None and str(held.error) == str(error):
            return False
        self.problems = [problem for problem in self.problems if problem.what != what]
        self.add(what, error)
        return True

    def solve(self, what: str) -> None:
        """Forget the problems of one kind: their cause is gone."""
        left = [problem for problem in self.problems if problem.what != what]
        if len(left) < len(self.problems):
            self.problems = left
            self.changed.emit()

    def clear(self) -> None:
        self.problems.clear()
        self.changed.emit()


class ProblemsDialog(QtWidgets.QDialog):
    """Lists the log, newest first."""

    def __init__(self, log: ProblemLog, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._log = log
        self.setWindowTitle(self.tr("Problems"))
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(640, 420)
        self.list = QtWidgets.QListWidget()
        self.list.setWordWrap(True)
        self.list.setAccessibleName(self.tr("Problems"))
        self.empty = QtWidgets.QLabel(self.tr("Nothing has gone wrong."))
        self.empty.setObjectName("muted")
        self.empty.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        role = QtWidgets.QDialogButtonBox.ButtonRole.ActionRole
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton(self.tr("Copy details"), role)
        self.copy.clicked.connect(self.copy_details)
        self.forget = buttons.addButton(self.tr("Clear"), role)
        self.forget.clicked.connect(log.clear)
        buttons.rejected.connect(self.close)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.empty, 1)
        layout.addWidget(buttons)
        log.changed.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        self.list.clear()
        for problem in reversed(self._log.problems):
            stamp = time.strftime("%H:%M:%S", time.localtime(problem.time_s))
            times = f" ({problem.count} times)" if problem.count > 1 else ""
            text = f"{stamp}  {problem.message}{times}"
            if problem.next_step:
                text += f"\n{problem.next_step}"
            item = QtWidgets.QListWidgetItem(text)
            item.setData(QtCore.Qt.ItemDataRole.UserRole, problem)
            self.list.addItem(item)
        found = bool(self._log.problems)
        self.list.setVisible(found)
        self.empty.setVisible(not found)
        self.copy.setEnabled(found)
        self.forget.setEnabled(found)
        if found:
            self.list.setCurrentRow(0)

    def copy_details(self) -> None:
        """Put the chosen problem, with its trace, on the clipboard."""
        item = self.list.currentItem()
        if item is not None:
            problem: Problem = item.data(QtCore.Qt.ItemDataRole.UserRole)
            QtWidgets.QApplication.clipboard().setText(problem.details())
