"""One picture, scaled to fit, that can hold the keyboard's focus."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.ui import theme

CORNER = 6.0


class Screen(QtWidgets.QWidget):
    """The picture, and while there is none, a sentence in its place.

    Emits ``painted`` once a picture is on the screen's surface.
    """

    painted = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None, *, empty: str = "") -> None:
        super().__init__(parent)
        self.empty = empty
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Picture of the environment"))
        self.setMinimumSize(240, 180)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_InputMethodEnabled, False)
        self.image = QtGui.QImage()
        self.note = ""  # over the picture, such as that it is paused

    def show_image(self, image: QtGui.QImage) -> None:
        self.image = image
        self.update()

    def show_note(self, note: str) -> None:
        """Write a word over the picture; empty: none."""
        if note != self.note:
            self.note = note
            self.update()

    def clear(self, empty: str) -> None:
        """Show a sentence instead of a picture."""
        self.image, self.empty, self.note = QtGui.QImage(), empty, ""
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        if self.image.isNull():
            painter.setPen(self.palette().placeholderText().color())
            flags = QtCore.Qt.AlignmentFlag.AlignCenter | QtCore.Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 24, -24, -24), flags, self.empty)
        else:
            self._draw(painter)
        if self.note:
            self._write_note(painter)
        if self.hasFocus() and not self.image.isNull():
            painter.setPen(QtGui.QPen(QtGui.QColor(theme.current().accent), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()
        self.painted.emit()

    def _draw(self, painter: QtGui.QPainter) -> None:
        size = self.image.size().scaled(self.size(), QtCore.Qt.AspectRatioMode.KeepAspectRatio)
        place = QtCore.QRect(QtCore.QPoint(0, 0), size)
        place.moveCenter(self.rect().center())
        larger = size.width() >= 3 * self.image.width()  # small pictures stay crisp
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform, not larger)
        painter.drawImage(place, self.image)

    def _write_note(self, painter: QtGui.QPainter) -> None:
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        box = painter.fontMetrics().boundingRect(self.note).adjusted(-12, -6, 12, 6)
        box.moveCenter(QtCore.QPoint(self.rect().center().x(), 28))
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QColor(0, 0, 0, 170))
        painter.drawRoundedRect(box, CORNER, CORNER)
        painter.setPen(QtGui.QColor("#ffffff"))
        painter.drawText(box, QtCore.Qt.AlignmentFlag.AlignCenter, self.note)
