"""Parts side by side, with room on both sides of the line between them."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

ROOM = 6  # pixels on either side of the line


class Columns(QtWidgets.QSplitter):
    """A splitter whose parts stay in view and do not touch its line."""

    def __init__(
        self,
        orientation: QtCore.Qt.Orientation = QtCore.Qt.Orientation.Horizontal,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(orientation, parent)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(2 * ROOM + 1)

    def createHandle(self) -> QtWidgets.QSplitterHandle:
        return _Line(self.orientation(), self)


class _Line(QtWidgets.QSplitterHandle):
    """A thin line in the middle of the place that the mouse can take hold of."""

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        across = self.orientation() == QtCore.Qt.Orientation.Horizontal
        line = (ROOM, 0, 1, self.height()) if across else (0, ROOM, self.width(), 1)
        painter.fillRect(*line, self.palette().mid())
