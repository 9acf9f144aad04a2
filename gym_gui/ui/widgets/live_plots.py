"""Plots of series that grow, drawn reduced to what the screen can show."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6 import QtCore, QtWidgets

from gym_gui.ui.widgets.empty_words import Caption, EmptyWords
from gym_gui.ui.widgets.live_series import Series


class LivePlot(QtWidgets.QWidget):
    """One plot with its title. pyqtgraph is loaded when there is something to draw.

    empty: what is said in its place until then.
    """

    def __init__(
        self,
        title: str,
        *,
        x_title: str,
        empty: str = "",
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setMinimumHeight(120)
        self.title, self._x_title, self._axis_named = title, x_title, True
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._caption = Caption(title)
        self._caption.setVisible(bool(title))
        self._layout.addWidget(self._caption)
        self.empty = EmptyWords(empty or self.tr("Nothing to draw yet"))
        self._layout.addWidget(self.empty, 1)
        self._plot: Any = None
        self._raw: Any = None
        self._mean: Any = None
        self._line: Any = None

    def changeEvent(self, event: QtCore.QEvent) -> None:
        if event.type() == QtCore.QEvent.Type.PaletteChange and self._plot is not None:
            self._dress()
        super().changeEvent(event)

    def set_title(self, title: str) -> None:
        self.title = title
        self._caption.setText(title)
        self._caption.setVisible(bool(title))

    def draw(self, series: Series) -> None:
        """Show ``series``, with its running mean in front where it has one."""
        if not self.isVisible():
            return
        self._show_plot(len(series) > 0)
        if not len(series):
            return
        self._raw.setData(*series.drawn(), symbol="o" if len(series) == 1 else None)
        if series.means is not None:
            self._mean.setData(*series.means.drawn())
        else:
            self._mean.clear()
        self._raw.setOpacity(0.45 if series.means is not None else 1.0)

    def show_points(self, x: np.ndarray, y: np.ndarray) -> None:
        """Show points that are reduced already."""
        self._show_plot(len(x) > 0)
        if len(x):
            self._raw.setData(x, y, symbol="o" if len(x) == 1 else None)

    def name_axis(self, named: bool) -> None:
        """Write below the plot what its axis is, or leave that out where there is little height."""
        self._axis_named = named
        if self._plot is not None:
            self._plot.showLabel("bottom", named)

    def mark(self, x: float) -> None:
        """Draw an upright line at ``x``."""
        self._ensure()
        if self._line is None:
            import pyqtgraph

            pen = pyqtgraph.mkPen(self.palette().placeholderText().color(), width=1)
            self._line = pyqtgraph.InfiniteLine(angle=90, movable=False, pen=pen)
            self._plot.addItem(self._line, ignoreBounds=True)
        self._line.setValue(x)

    def _show_plot(self, shown: bool) -> None:
        """Show the plot, or the words that stand for it while it has no points."""
        if shown:
            self._ensure()
        self.empty.setVisible(not shown)
        if self._plot is not None:
            self._plot.setVisible(shown)

    def _ensure(self) -> None:
        if self._plot is not None:
            return
        from gym_gui.ui.widgets.plot_widget import Plot

        self._plot = Plot()
        self._plot.setLabel("bottom", self._x_title)
        self._plot.showLabel("bottom", self._axis_named)
        self._raw = self._plot.plot([], [], connect="finite")
        self._mean = self._plot.plot([], [], connect="finite")
        self._layout.addWidget(self._plot, 1)
        self._dress()

    def _dress(self) -> None:
        """Take the colours of the present theme."""
        import pyqtgraph

        self._plot.dress(self.palette())
        accent = self.palette().link().color()
        sharp = self.devicePixelRatioF()  # pens are as wide as the screen's own pixels
        self._raw.setPen(pyqtgraph.mkPen(accent, width=sharp))
        self._raw.setSymbolPen(None)
        self._raw.setSymbolBrush(accent)
        self._mean.setPen(pyqtgraph.mkPen(accent, width=2 * sharp))
