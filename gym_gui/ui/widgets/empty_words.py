"""The words around a plot: its caption, and why there is nothing to show yet."""

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


class Caption(QtWidgets.QLabel):
    """The title over a plot, on the same ground as the plot."""

    def __init__(self, text: str = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setObjectName("plotCaption")
