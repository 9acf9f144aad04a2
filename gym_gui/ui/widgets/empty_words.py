"""What stands in a place that has nothing to show yet: why, and what would fill it."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets


class EmptyWords(QtWidgets.QLabel):
    """Quiet words in the middle of an empty place."""

    def __init__(self, text: str = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setObjectName("emptyPlot")
        self.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setMargin(24)
