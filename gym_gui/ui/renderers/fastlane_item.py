"""``FastLaneItem``: a Qt Quick item that paints the newest frame, as ``GymGui 1.0`` in QML."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtQml, QtQuick

QML_IMPORT_NAME = "GymGui"
QML_IMPORT_MAJOR_VERSION = 1
QML_IMPORT_MINOR_VERSION = 0

GAP = 2.0  # between the pictures of several environments, in points
SMOOTH_BELOW = 2.0  # enlarged this much or more, pixels stay sharp squares


def fitted(size: QtCore.QSize, area: QtCore.QRectF) -> QtCore.QRectF:
    """Return where an image of ``size`` goes in ``area``: as large as fits, aspect kept."""
    if size.isEmpty() or area.isEmpty():
        return QtCore.QRectF()
    scale = min(area.width() / size.width(), area.height() / size.height())
    width, height = size.width() * scale, size.height() * scale
    return QtCore.QRectF(
        area.x() + (area.width() - width) / 2,
        area.y() + (area.height() - height) / 2,
        width,
        height,
    )


@QtQml.QmlElement
class FastLaneItem(QtQuick.QQuickPaintedItem):
    """Paints an owned QImage, and carries the HUD's numbers for the overlay."""

    hudChanged = QtCore.Signal()
    tileClicked = QtCore.Signal(float, float)  # where in the image, 0 to 1 each way

    def __init__(self, parent: QtQuick.QQuickItem | None = None) -> None:
        super().__init__(parent)
        self._image = QtGui.QImage()
        self._hud = (0.0, 0.0, 0.0)
        self._tiles = (1, 1)
        self.setOpaquePainting(True)
        self.setFillColor(QtGui.QColor("#0b0d10"))
        self.setAcceptedMouseButtons(QtCore.Qt.MouseButton.LeftButton)

    @QtCore.Slot(QtGui.QImage, float, float, float)
    def setFrame(
        self, image: QtGui.QImage, last_reward: float, rolling_return: float, step_rate_hz: float
    ) -> None:
        """Show ``image``, which must own its pixels, with its numbers."""
        self._image = image
        self.setHud(last_reward, rolling_return, step_rate_hz)
        self.update()

    @QtCore.Slot(int, int)
    def setTiles(self, columns: int, rows: int) -> None:
        """Keep apart the ``columns`` times ``rows`` pictures that the image is made of."""
        self._tiles = (columns, rows)

    @QtCore.Slot(float, float, float)
    def setHud(self, last_reward: float, rolling_return: float, step_rate_hz: float) -> None:
        """Change the numbers only."""
        hud = (last_reward, rolling_return, step_rate_hz)
        if hud != self._hud:
            self._hud = hud
            self.hudChanged.emit()

    @property
    def image(self) -> QtGui.QImage:
        return self._image

    def paint(self, painter: QtGui.QPainter) -> None:
        area = self.boundingRect()
        painter.fillRect(area, self.fillColor())
        target = fitted(self._image.size(), area)
        if target.isEmpty():
            return
        scale = target.width() / self._image.width()
        painter.setRenderHint(
            QtGui.QPainter.RenderHint.SmoothPixmapTransform, scale < SMOOTH_BELOW and scale != 1.0
        )
        painter.drawImage(target, self._image)
        self._part(painter, target)

    def _part(self, painter: QtGui.QPainter, target: QtCore.QRectF) -> None:
        columns, rows = self._tiles
        painter.setPen(QtGui.QPen(self.fillColor(), GAP))
        for column in range(1, columns):
            x = round(target.x() + target.width() * column / columns)
            painter.drawLine(QtCore.QLineF(x, target.top(), x, target.bottom()))
        for row in range(1, rows):
            y = round(target.y() + target.height() * row / rows)
            painter.drawLine(QtCore.QLineF(target.left(), y, target.right(), y))

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        target = fitted(self._image.size(), self.boundingRect())
        at = event.position()
        if not target.contains(at):
            event.ignore()
            return
        self.tileClicked.emit(
            (at.x() - target.x()) / target.width(), (at.y() - target.y()) / target.height()
        )

    def _last_reward(self) -> float:
        return self._hud[0]

    def _rolling_return(self) -> float:
        return self._hud[1]

    def _step_rate_hz(self) -> float:
        return self._hud[2]

    lastReward = QtCore.Property(float, _last_reward, notify=hudChanged)
    rollingReturn = QtCore.Property(float, _rolling_return, notify=hudChanged)
    stepRateHz = QtCore.Property(float, _step_rate_hz, notify=hudChanged)
