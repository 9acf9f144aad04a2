"""The look that all plots share. Imports pyqtgraph: wait until there is something to draw."""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph
from pyqtgraph.graphicsItems.LegendItem import ItemSample
from PySide6 import QtGui

_UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))
_SPELT_OUT = 10_000  # numbers below it need no unit
_MARGINS = (4, 8, 14, 2)  # room for half of the last number


class NumberAxis(pyqtgraph.AxisItem):
    """An axis that writes ``20k`` and ``1.5M`` where its numbers are long and round."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        numbers = [value * scale for value in values]
        greatest = max(map(abs, numbers), default=0.0)
        if self.logMode or greatest < _SPELT_OUT:
            return super().tickStrings(values, scale, spacing)
        sign, unit = next(pair for pair in _UNITS if greatest >= pair[1])
        if spacing * scale < unit / 100:  # looked at closely
            places = max(0, math.ceil(-math.log10(spacing * scale)))
            return [f"{number:,.{places}f}" for number in numbers]
        return [f"{number / unit:.6g}{sign}" if number else "0" for number in numbers]


class LegendLine(ItemSample):
    """The colour of a curve in the legend, without the area that is filled under it."""

    def paint(self, painter: QtGui.QPainter, *rest: Any) -> None:
        if not self.item.isVisible():  # hidden by a click on it
            super().paint(painter, *rest)
            return
        painter.setPen(pyqtgraph.mkPen(self.item.opts["pen"]))
        painter.drawLine(0, 11, 20, 11)


class Plot(pyqtgraph.PlotWidget):
    """A plot with a faint grid and numbers that are short."""

    def __init__(self) -> None:
        axes = {side: NumberAxis(side) for side in ("left", "bottom")}
        super().__init__(axisItems=axes)
        self.showGrid(x=True, y=True, alpha=0.15)
        for axis in axes.values():  # lines between the numbers took half of a frame's time
            axis.setStyle(maxTickLevel=0)
            axis.enableAutoSIPrefix(False)
        item: Any = self.getPlotItem()
        item.layout.setContentsMargins(*_MARGINS)
        item.setMenuEnabled(False)

    def dress(self, palette: QtGui.QPalette) -> None:
        """Take the colours of the present theme."""
        self.setBackground(palette.base().color())
        faint = palette.placeholderText().color()
        for side in ("left", "bottom"):
            axis: Any = self.getAxis(side)
            axis.setPen(pyqtgraph.mkPen(faint, width=self.devicePixelRatioF()))
            axis.setTextPen(pyqtgraph.mkPen(palette.text().color()))
