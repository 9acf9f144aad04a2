"""Curves that grow: bounded series, drawn reduced to what the screen can show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from PySide6 import QtCore, QtWidgets

from gym_gui.telemetry.curves import decimate
from gym_gui.ui.widgets.empty_words import EmptyWords

LIMIT = 200_000  # points kept of one series; then every bucket's least and greatest
POINTS = 2_000  # points drawn


class Series:
    """Points in the order in which they came. ``reduced`` tells that old ones were merged."""

    def __init__(self) -> None:
        self._x: list[float] = []
        self._y: list[float] = []
        self.reduced = False

    def __len__(self) -> int:
        return len(self._x)

    def add(self, points: Iterable[tuple[float, float]]) -> None:
        for x, y in points:
            self._x.append(x)
            self._y.append(y)
        if len(self._x) > LIMIT:
            curve = decimate(np.array(self._x), np.array(self._y), max_points=LIMIT // 2)
            self._x, self._y = list(curve.x), list(curve.y)
            self.reduced = True

    def keep_last(self, count: int) -> None:
        """Forget all but the newest ``count`` points."""
        if len(self._x) > count:
            del self._x[:-count], self._y[:-count]

    def last_x(self) -> float:
        return self._x[-1] if self._x else 0.0

    def last(self) -> float | None:
        return self._y[-1] if self._y else None

    def drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y for the screen, x ascending."""
        x, y = np.array(self._x, dtype=float), np.array(self._y, dtype=float)
        order = np.argsort(x, kind="stable")
        curve = decimate(x[order], y[order], max_points=POINTS)
        return curve.x, curve.y

    def smoothed(self, window: int) -> tuple[np.ndarray, np.ndarray]:
        """Return x and the mean of the last ``window`` points, reduced for the screen."""
        x, y = np.array(self._x, dtype=float), np.array(self._y, dtype=float)
        if len(y) < 2:
            return x, y
        sums = np.cumsum(np.nan_to_num(y))
        counts = np.minimum(np.arange(1, len(y) + 1), window)
        before = np.concatenate([np.zeros(min(window, len(y))), sums[:-window]])[: len(y)]
        means = (sums - before) / counts
        curve = decimate(x, means, max_points=POINTS)
        return curve.x, curve.y


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
        self.title, self._x_title = title, x_title
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._caption = QtWidgets.QLabel(title)
        self._caption.setContentsMargins(6, 4, 0, 0)
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

    def draw(self, series: Series, *, mean_of: int = 0) -> None:
        """Show ``series``; with ``mean_of`` also the mean of that many points, in front."""
        if not self.isVisible():
            return
        self._show_plot(len(series) > 0)
        if not len(series):
            return
        self._raw.setData(*series.drawn())
        if mean_of:
            self._mean.setData(*series.smoothed(mean_of))
        else:
            self._mean.clear()
        self._raw.setOpacity(0.45 if mean_of else 1.0)

    def show_points(self, x: np.ndarray, y: np.ndarray) -> None:
        """Show points that are reduced already."""
        self._show_plot(len(x) > 0)
        if len(x):
            self._raw.setData(x, y, symbol="o" if len(x) == 1 else None)

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
        import pyqtgraph

        self._plot = pyqtgraph.PlotWidget()
        self._plot.setLabel("bottom", self._x_title)
        self._plot.showGrid(x=True, y=True, alpha=0.15)
        for side in ("left", "bottom"):
            self._plot.getAxis(side).setStyle(maxTickLevel=0)
            self._plot.getAxis(side).enableAutoSIPrefix(False)
        self._plot.getPlotItem().layout.setContentsMargins(4, 8, 14, 2)  # room for the last number
        self._plot.getPlotItem().setMenuEnabled(False)
        self._raw = self._plot.plot([], [], connect="finite")
        self._mean = self._plot.plot([], [], connect="finite")
        self._layout.addWidget(self._plot, 1)
        self._dress()

    def _dress(self) -> None:
        """Take the colours of the present theme."""
        import pyqtgraph

        palette = self.palette()
        text = palette.text().color()
        faint = palette.placeholderText().color()
        accent = palette.link().color()
        self._plot.setBackground(palette.base().color())
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(pyqtgraph.mkPen(faint))
            axis.setTextPen(pyqtgraph.mkPen(text))
        sharp = self.devicePixelRatioF()  # pens are as wide as the screen's own pixels
        self._raw.setPen(pyqtgraph.mkPen(accent, width=sharp))
        self._mean.setPen(pyqtgraph.mkPen(accent, width=2 * sharp))
