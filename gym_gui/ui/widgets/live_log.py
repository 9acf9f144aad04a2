"""The worker's output with a search."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

MAX_LINES = 20_000


class LogView(QtWidgets.QWidget):
    """Text that grows at its end; follows it unless the reader scrolled up."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        row = QtWidgets.QHBoxLayout()
        self._search = QtWidgets.QLineEdit()
        self._search.setPlaceholderText(self.tr("Search the log"))
        self._search.setAccessibleName(self.tr("Search the log"))
        self._search.setClearButtonEnabled(True)
        self._found = QtWidgets.QLabel()
        previous = QtWidgets.QPushButton(self.tr("Previous"))
        following = QtWidgets.QPushButton(self.tr("Next"))
        row.addWidget(self._search, 1)
        row.addWidget(self._found)
        row.addWidget(previous)
        row.addWidget(following)
        layout.addLayout(row)
        self.text = QtWidgets.QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(MAX_LINES)
        self.text.setLineWrapMode(QtWidgets.QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self.text.setPlaceholderText(self.tr("The worker has not written anything yet."))
        self.text.setAccessibleName(self.tr("Log of the worker"))
        layout.addWidget(self.text, 1)
        self._search.returnPressed.connect(self.find_next)
        self._search.textChanged.connect(self._mark_all)
        following.clicked.connect(self.find_next)
        previous.clicked.connect(self.find_previous)

    def append(self, text: str) -> None:
        """Add whole lines at the end."""
        if not text:
            return
        bar = self.text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        self.text.appendPlainText(text.rstrip("\n"))
        if at_end:
            bar.setValue(bar.maximum())

    def find_next(self) -> bool:
        """Select the next match after the cursor, from the top at the end."""
        return self._find(QtGui.QTextDocument.FindFlag(0), QtGui.QTextCursor.MoveOperation.Start)

    def find_previous(self) -> bool:
        backward = QtGui.QTextDocument.FindFlag.FindBackward
        return self._find(backward, QtGui.QTextCursor.MoveOperation.End)

    def _find(
        self, flags: QtGui.QTextDocument.FindFlag, again: QtGui.QTextCursor.MoveOperation
    ) -> bool:
        word = self._search.text()
        if not word:
            return False
        if self.text.find(word, flags):
            return True
        self.text.moveCursor(again)
        return self.text.find(word, flags)

    def _mark_all(self, word: str) -> None:
        count = self.text.toPlainText().lower().count(word.lower()) if word else 0
        self._found.setText(self.tr("{} found").format(f"{count:,}") if word else "")
