"""A plot of long curves: reduced to the width it has, anew for every part that is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.telemetry.analytics import Band, Pyramid
from gym_gui.ui.widgets.empty_words import Caption, EmptyWords
from gym_gui.ui.widgets.plot_readout import PlotReadout, Value

COLOURS = (
    "#4c9aff", "#f2994a", "#3fb27f", "#ec6a5e", "#a78bfa",
    "#22b8cf", "#e0a63a", "#e879b9", "#94a3b8", "#84cc16",
)  # fmt: skip
Bars = tuple[str, str, np.ndarray, np.ndarray]  # name, colour, edges, counts
_LEGEND = 12  # names listed in the figure
_FAINT = 0.3  # opacity of the unsmoothed curve behind
_FAINTER = 0.12  # of each, where there are more than a few
_MANY = 4  # curves drawn, above which each gets half the points


@dataclass(slots=True)
class Shown:
    """One curve to show. ``raw`` lies faintly behind ``line``; ``band`` around it."""

    name: str
    colour: str
    line: Pyramid
    raw: Pyramid | None = None
    band: Band | None = None


class CurvePlot(QtWidgets.QWidget):
    """Curves, or bars. pyqtgraph is loaded when something is first shown.

    title: a caption above, for plots that stand beside each other; those have no legend.
    """

    def __init__(self, parent: QtWidgets.QWidget | None = None, *, title: str = "") -> None:
        super().__init__(parent)
        self.setMinimumSize(240, 160)
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._caption = Caption(title)
        self._caption.setVisible(bool(title))
        self._layout.addWidget(self._caption)
        self.empty = EmptyWords()
        self.empty.hide()
        self._layout.addWidget(self.empty, 1)
        self._plot: Any = None
        self._readout: PlotReadout | None = None
        self._items: list[tuple[Pyramid, Any]] = []
        self._shown: Sequence[Shown] = ()
        self._titles = ("", "")
        self._log = False

    @property
    def title(self) -> str:
        return self._caption.text()

    @property
    def _legend(self) -> Any:
        return self._plot.getPlotItem().legend

    def set_title(self, title: str) -> None:
        self._caption.setText(title)
        self._caption.setVisible(bool(title))

    def say_empty(self, words: str) -> None:
        """Show ``words`` instead of axes without a curve; empty: show the plot."""
        self.empty.setText(words)
        self.empty.setVisible(bool(words))
        if self._plot is not None:
            self._plot.setVisible(not words)

    def set_log(self, on: bool) -> None:
        """Show values by their logarithm; what is not above 0 is then left out."""
        if on != self._log:
            self._log = on
            self._show(fit=True)

    def show_curves(self, shown: Sequence[Shown], *, x_title: str, y_title: str) -> None:
        """Draw the curves instead of what was there.

        The view is fitted to them, unless a part of the same axes is being looked at closely.
        """
        same = (x_title, y_title) == self._titles and self._plot is not None
        fit = not (same and self._is_zoomed())
        self._shown, self._titles = shown, (x_title, y_title)
        self._show(fit=fit)

    def _show(self, *, fit: bool) -> None:
        self._clear(*self._titles)
        self._plot.setLogMode(False, self._log)
        faint = _FAINT if len(self._shown) <= 3 else _FAINTER
        for one in self._shown:
            self._add(one, faint)
        self._legend.setVisible(bool(self._legend.items))
        if fit:
            self._plot.enableAutoRange()  # stays on, until somebody looks closer
            self._plot.getViewBox().updateAutoRange()
        self._reduce()

    def _is_zoomed(self) -> bool:
        return not all(self._plot.getViewBox().autoRangeEnabled())

    def show_bars(self, bars: Sequence[Bars], *, x_title: str) -> None:
        """Draw histograms."""
        import pyqtgraph

        self._shown = ()
        self._clear(x_title, "episodes")
        for name, colour, edges, counts in bars:
            brush = QtGui.QColor(colour)
            brush.setAlphaF(0.15)
            self._plot.addItem(
                pyqtgraph.PlotDataItem(
                    edges,
                    counts,
                    stepMode="center",
                    fillLevel=0,
                    brush=brush,
                    pen=pyqtgraph.mkPen(colour, width=1.5 * self.devicePixelRatioF()),
                    name=name,
                )
            )
        self._legend.anchor((0.5, 0), (0.5, 0), offset=(0, 12))  # the tallest are at the sides
        self._plot.enableAutoRange()

    def save(self, path: Path) -> None:
        """Write the figure as PNG (twice the size on screen) or SVG, by the path's ending."""
        if path.suffix.lower() == ".svg":
            self._save_svg(path)
            return
        from pyqtgraph.exporters import ImageExporter

        exporter = ImageExporter(self._plot.getPlotItem())
        exporter.parameters()["width"] = 2 * max(320, self._plot.width())
        exporter.export(str(path))

    def _save_svg(self, path: Path) -> None:
        from PySide6 import QtSvg

        generator = QtSvg.QSvgGenerator()
        generator.setFileName(str(path))
        generator.setSize(self._plot.size())
        generator.setViewBox(self._plot.rect())
        painter = QtGui.QPainter(generator)
        self._plot.render(painter)
        painter.end()

    def changeEvent(self, event: QtCore.QEvent) -> None:
        if event.type() == QtCore.QEvent.Type.PaletteChange and self._plot is not None:
            self._dress()
        super().changeEvent(event)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        self._reduce()

    def _clear(self, x_title: str, y_title: str) -> None:
        plot = self._plot if self._plot is not None else self._make()
        plot.clear()
        self._items = []
        assert self._readout is not None
        self._readout.hide()
        self._readout.restore()
        plot.setLabel("bottom", x_title)
        plot.setLabel("left", y_title)

    def _make(self) -> Any:
        from gym_gui.ui.widgets.plot_widget import LegendLine, Plot

        self._plot = Plot()
        self._plot.addLegend(offset=(12, 12), labelTextSize="9pt", sampleType=LegendLine)
        self._plot.getViewBox().sigXRangeChanged.connect(self._reduce)
        self._plot.setToolTip(self.tr("Drag moves, the wheel zooms, A in the corner fits"))
        self._layout.addWidget(self._plot, 1)
        self._plot.setVisible(self.empty.isHidden())
        self._readout = PlotReadout(self._plot, self.values_at)
        self._dress()
        return self._plot

    def _dress(self) -> None:
        palette = self.palette()
        self._plot.dress(palette)
        background = palette.base().color()
        background.setAlphaF(0.8)
        self._legend.setBrush(background)
        self._legend.setLabelTextColor(palette.text().color())
        if self._readout is not None:
            self._readout.dress()

    def values_at(self, x: float) -> tuple[str, list[Value]]:
        """Return what the readout says at ``x``: greatest value first."""
        found = []
        for one in self._shown:
            point = one.line.nearest(x)
            if point is not None:
                found.append((point[1], (one.colour, one.name, _told(point[1], one.band, x))))
        found.sort(key=lambda pair: -pair[0])
        title = f"{self._titles[0]} {x:,.6g}" if found else ""
        return title, [value for _, value in found]

    def _add(self, one: Shown, faint: float) -> None:
        import pyqtgraph

        sharp = self.devicePixelRatioF()  # pens are as wide as the screen's own pixels
        if one.band is not None:
            self._add_band(one)
        if one.raw is not None:
            behind = self._item(one.raw, pyqtgraph.mkPen(one.colour, width=sharp))
            behind.setOpacity(faint)
        self._item(one.line, pyqtgraph.mkPen(one.colour, width=2 * sharp), name=one.name)

    def _item(self, pyramid: Pyramid, pen: Any, name: str | None = None) -> Any:
        whole = pyramid.view(-np.inf, np.inf, max_points=self._points())
        symbol = "o" if len(whole.x) == 1 else None
        listed = not self.title and len(self._legend.items) < _LEGEND
        item = self._plot.plot(
            whole.x,
            _above_0(whole.y) if self._log else whole.y,
            pen=pen,
            connect="finite",
            symbol=symbol,
            symbolPen=None,
            symbolBrush=pen.color(),
            name=name if listed else None,
        )
        self._items.append((pyramid, item))
        return item

    def _add_band(self, one: Shown) -> None:
        import pyqtgraph

        assert one.band is not None
        low, high = one.band.low, one.band.high
        if self._log:
            low, high = np.log10(_above_0(low)), np.log10(_above_0(high))
        known = np.isfinite(low) & np.isfinite(high)
        edges = [
            pyqtgraph.PlotCurveItem(one.band.x[known], end[known], pen=None) for end in (low, high)
        ]
        brush = QtGui.QColor(one.colour)
        brush.setAlphaF(0.2)
        self._plot.addItem(pyqtgraph.FillBetweenItem(*edges, brush=brush))

    def _points(self) -> int:
        """Return the points of each curve in view: two a pixel, one where there are many curves."""
        return (2 if len(self._items) <= _MANY else 1) * max(200, self.width())

    def _reduce(self, *_: object) -> None:
        """Give every curve the points that the part in view needs."""
        if self._plot is None or not self._items:
            return
        low, high = self._plot.getViewBox().viewRange()[0]
        margin = (high - low) / 2
        for pyramid, item in self._items:
            part = pyramid.view(low - margin, high + margin, max_points=2 * self._points())
            item.setData(part.x, _above_0(part.y) if self._log else part.y)


def _above_0(y: np.ndarray) -> np.ndarray:
    """Return ``y`` with NaN for what has no logarithm."""
    return np.where(y > 0, y, np.nan)


def _told(value: float, band: Band | None, x: float) -> str:
    if band is None or not len(band.x):
        return f"{value:,.6g}"
    place = int(np.argmin(np.abs(band.x - x)))
    runs = int(band.runs[place])
    return f"{value:,.5g}   ({band.low[place]:,.5g} – {band.high[place]:,.5g}, {runs} runs)"
