"""Choosing the Python interpreter that trains."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6 import QtCore, QtWidgets


class InterpreterBox(QtWidgets.QWidget):
    """A path or name typed, chosen from those known, or found on disk. Empty: this program's."""

    changed = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QtWidgets.QComboBox()
        self.box.setEditable(True)
        self.box.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self.box.setAccessibleName(self.tr("Interpreter"))
        self.box.setMinimumContentsLength(16)
        line = self.box.lineEdit()
        assert line is not None
        line.setPlaceholderText(self.tr("This program's own, or a Python, venv or conda name"))
        self.box.currentTextChanged.connect(self.changed)
        browse = QtWidgets.QPushButton(self.tr("Browse…"))
        browse.clicked.connect(self._browse)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        row.addWidget(browse)

    def offer(self, known: Sequence[str]) -> None:
        """Offer interpreters, keeping what is chosen."""
        text = self.box.currentText()
        with QtCore.QSignalBlocker(self.box):
            self.box.clear()
            self.box.addItems(list(dict.fromkeys(["", *known])))
            self.box.setCurrentText(text)

    def text(self) -> str:
        return self.box.currentText().strip()

    def set_text(self, text: str) -> None:
        self.box.setCurrentText(text)

    def _browse(self) -> None:
        path, _ = QtWidgets.QFileDialog.getOpenFileName(self, self.tr("Choose an interpreter"))
        if path:
            self.set_text(path)
