"""Icons drawn with lines on a 24-unit square, so that they are sharp at every scale and colour."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ClassVar

from PySide6 import QtCore, QtGui

from gym_gui.ui import theme

DISABLED_ALPHA = 0.35


@functools.lru_cache(maxsize=256)
def icon(name: str, colour: str) -> QtGui.QIcon:
    """Return the icon called ``name``, paler where disabled.

    colour: one of the theme's purposes (``text``, ``muted``, …), followed when the theme changes,
    or a fixed ``#rrggbb``.
    """
    return QtGui.QIcon(_LineEngine(name, colour))


def dot(colour: str) -> QtGui.QIcon:
    """Return a small disc in ``colour``."""
    return icon("dot", colour)


class _LineEngine(QtGui.QIconEngine):
    """Draws at the size and in the colour that are asked for at that moment."""

    _clones: ClassVar[list[_LineEngine]] = []  # Qt owns a clone; Python must keep its half

    def __init__(self, name: str, colour: str) -> None:
        super().__init__()
        self._name, self._colour = name, colour

    def paint(
        self,
        painter: QtGui.QPainter,
        rect: QtCore.QRect,
        mode: QtGui.QIcon.Mode,
        state: QtGui.QIcon.State,
    ) -> None:
        colour = QtGui.QColor(getattr(theme.current(), self._colour, self._colour))
        if mode == QtGui.QIcon.Mode.Disabled:
            colour.setAlphaF(DISABLED_ALPHA)
        side = min(rect.width(), rect.height())
        painter.save()
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.translate(rect.center().x() + 0.5 - side / 2, rect.center().y() + 0.5 - side / 2)
        painter.scale(side / 24, side / 24)
        pen = QtGui.QPen(colour, 1.8)
        pen.setCapStyle(QtCore.Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(QtCore.Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        _DRAWINGS[self._name](painter)
        painter.restore()

    def pixmap(
        self, size: QtCore.QSize, mode: QtGui.QIcon.Mode, state: QtGui.QIcon.State
    ) -> QtGui.QPixmap:
        pixmap = QtGui.QPixmap(size)
        pixmap.fill(QtCore.Qt.GlobalColor.transparent)
        painter = QtGui.QPainter(pixmap)
        self.paint(painter, QtCore.QRect(QtCore.QPoint(0, 0), size), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QtGui.QIconEngine:
        copy = _LineEngine(self._name, self._colour)
        self._clones.append(copy)
        return copy


def _lines(*points: tuple[float, float, float, float]) -> Callable[[QtGui.QPainter], None]:
    def draw(painter: QtGui.QPainter) -> None:
        for x1, y1, x2, y2 in points:
            painter.drawLine(QtCore.QLineF(x1, y1, x2, y2))

    return draw


def _play(painter: QtGui.QPainter) -> None:
    painter.setBrush(painter.pen().color())
    painter.drawPolygon(
        [QtCore.QPointF(8, 5.5), QtCore.QPointF(18.5, 12), QtCore.QPointF(8, 18.5)],
        QtCore.Qt.FillRule.OddEvenFill,
    )


def _pause(painter: QtGui.QPainter) -> None:
    painter.setBrush(painter.pen().color())
    painter.drawRoundedRect(QtCore.QRectF(7, 6, 3, 12), 1, 1)
    painter.drawRoundedRect(QtCore.QRectF(14, 6, 3, 12), 1, 1)


def _stop(painter: QtGui.QPainter) -> None:
    painter.setBrush(painter.pen().color())
    painter.drawRoundedRect(QtCore.QRectF(7, 7, 10, 10), 1.5, 1.5)


def _dot(painter: QtGui.QPainter) -> None:
    painter.setBrush(painter.pen().color())
    painter.drawEllipse(QtCore.QPointF(12, 12), 6, 6)


def _hud(painter: QtGui.QPainter) -> None:
    painter.drawRoundedRect(QtCore.QRectF(4, 5, 16, 14), 2, 2)
    _lines((7, 9, 12, 9), (7, 12.5, 10.5, 12.5))(painter)


def _camera(painter: QtGui.QPainter) -> None:
    painter.drawRoundedRect(QtCore.QRectF(3.5, 7.5, 17, 12), 2, 2)
    painter.drawEllipse(QtCore.QPointF(12, 13.5), 3.2, 3.2)
    _lines((9, 7.5, 10, 5), (10, 5, 14, 5), (14, 5, 15, 7.5))(painter)


def _detach(painter: QtGui.QPainter) -> None:
    _lines((11, 5, 6, 5), (6, 5, 5, 6), (5, 6, 5, 19), (5, 19, 18, 19), (18, 19, 19, 18))(painter)
    _lines((19, 18, 19, 13), (15, 4.5, 19.5, 4.5), (19.5, 4.5, 19.5, 9), (19.5, 4.5, 12, 12))(
        painter
    )


def _search(painter: QtGui.QPainter) -> None:
    painter.drawEllipse(QtCore.QPointF(10.5, 10.5), 5.5, 5.5)
    _lines((14.8, 14.8, 19.5, 19.5))(painter)


def _trash(painter: QtGui.QPainter) -> None:
    _lines((4.5, 7, 19.5, 7), (9, 7, 9.5, 4.5), (9.5, 4.5, 14.5, 4.5), (14.5, 4.5, 15, 7))(painter)
    _lines((6.5, 7, 7.5, 19.5), (7.5, 19.5, 16.5, 19.5), (16.5, 19.5, 17.5, 7))(painter)


def _copy(painter: QtGui.QPainter) -> None:
    painter.drawRoundedRect(QtCore.QRectF(8.5, 8.5, 11, 11), 2, 2)
    _lines(
        (5.5, 15.5, 4.5, 14.5), (4.5, 14.5, 4.5, 5.5), (4.5, 5.5, 5.5, 4.5), (5.5, 4.5, 14, 4.5)
    )(painter)


def _replay(painter: QtGui.QPainter) -> None:
    painter.drawArc(QtCore.QRectF(5, 5, 14, 14), 60 * 16, -300 * 16)
    _lines((9, 3.2, 8.6, 6.6), (8.6, 6.6, 5, 6.2))(painter)


def _chart(painter: QtGui.QPainter) -> None:
    _lines((4.5, 4.5, 4.5, 19.5), (4.5, 19.5, 19.5, 19.5))(painter)
    _lines((7.5, 15.5, 11, 11), (11, 11, 14, 13), (14, 13, 19, 6.5))(painter)


def _gauge(painter: QtGui.QPainter) -> None:
    painter.drawArc(QtCore.QRectF(4, 6, 16, 16), 0, 180 * 16)
    _lines((12, 14, 16, 9.5))(painter)


def _live(painter: QtGui.QPainter) -> None:
    painter.drawRoundedRect(QtCore.QRectF(3.5, 5, 17, 12), 2, 2)
    _lines((9, 20, 15, 20))(painter)
    painter.setBrush(painter.pen().color())
    painter.drawEllipse(QtCore.QPointF(12, 11), 2, 2)


def _grid(painter: QtGui.QPainter) -> None:
    for x in (4.5, 13.5):
        for y in (4.5, 13.5):
            painter.drawRoundedRect(QtCore.QRectF(x, y, 6, 6), 1, 1)


def _settings(painter: QtGui.QPainter) -> None:
    _lines((4.5, 8, 19.5, 8), (4.5, 16, 19.5, 16))(painter)
    painter.setBrush(painter.pen().color())
    painter.drawEllipse(QtCore.QPointF(9, 8), 2.2, 2.2)
    painter.drawEllipse(QtCore.QPointF(15, 16), 2.2, 2.2)


def _warning(painter: QtGui.QPainter) -> None:
    painter.drawPolygon(
        [QtCore.QPointF(12, 4), QtCore.QPointF(20.5, 19), QtCore.QPointF(3.5, 19)],
        QtCore.Qt.FillRule.OddEvenFill,
    )
    _lines((12, 9.5, 12, 13.5), (12, 16.2, 12, 16.3))(painter)


def _keyboard(painter: QtGui.QPainter) -> None:
    painter.drawRoundedRect(QtCore.QRectF(3, 6, 18, 12), 2, 2)
    _lines((6.5, 10, 7, 10), (10, 10, 10.5, 10), (13.5, 10, 14, 10), (17, 10, 17.5, 10))(painter)
    _lines((8, 14, 16, 14))(painter)


_DRAWINGS: dict[str, Callable[[QtGui.QPainter], None]] = {
    "dot": _dot,
    "play": _play,
    "pause": _pause,
    "stop": _stop,
    "plus": _lines((12, 5, 12, 19), (5, 12, 19, 12)),
    "close": _lines((7, 7, 17, 17), (17, 7, 7, 17)),
    "grid": _grid,
    "hud": _hud,
    "camera": _camera,
    "detach": _detach,
    "search": _search,
    "trash": _trash,
    "copy": _copy,
    "replay": _replay,
    "chart": _chart,
    "gauge": _gauge,
    "live": _live,
    "settings": _settings,
    "warning": _warning,
    "keyboard": _keyboard,
    "back": _lines((14, 6, 8, 12), (8, 12, 14, 18)),
    "forward": _lines((10, 6, 16, 12), (16, 12, 10, 18)),
    "first": _lines((7, 6, 7, 18), (16, 6, 10, 12), (10, 12, 16, 18)),
    "last": _lines((17, 6, 17, 18), (8, 6, 14, 12), (14, 12, 8, 18)),
}
