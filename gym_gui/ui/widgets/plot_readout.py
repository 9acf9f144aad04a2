"""What a plot says under the pointer: an upright line, and every curve's value beside it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.ui import theme

ROWS = 12  # values listed at once; more would hide the curves
Value = tuple[str, str, str]  # colour, name, text


class PlotReadout(QtCore.QObject):
    """Watches the pointer over a pyqtgraph PlotWidget.

    values_at(x) -> (title, values): what to say at a place of the horizontal axis; an empty title
    hides the readout.
    """

    def __init__(
        self, plot: Any, values_at: Callable[[float], tuple[str, Sequence[Value]]]
    ) -> None:
        super().__init__(plot)
        import pyqtgraph

        self._plot, self._values_at = plot, values_at
        self._line = pyqtgraph.InfiniteLine(angle=90, movable=False)
        self._line.hide()
        self.label = QtWidgets.QLabel(plot)
        self.label.setTextFormat(QtCore.Qt.TextFormat.RichText)
        self.label.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.label.hide()
        plot.scene().sigMouseMoved.connect(self._moved)
        plot.installEventFilter(self)
        self.restore()
        self.dress()

    def restore(self) -> None:
        """Put the line back after the plot was cleared."""
        self._plot.addItem(self._line, ignoreBounds=True)

    def dress(self) -> None:
        """Take the colours of the present theme."""
        import pyqtgraph

        shades = theme.current()
        self._line.setPen(pyqtgraph.mkPen(shades.muted, width=1))
        self.label.setStyleSheet(
            f"background: {shades.surface}; color: {shades.text};"
            f"border: 1px solid {shades.line}; border-radius: 4px; padding: 4px 6px;"
        )

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.Type.Leave:
            self.hide()
        return False

    def hide(self) -> None:
        self._line.hide()
        self.label.hide()

    def _moved(self, place: QtCore.QPointF) -> None:
        box = self._plot.getViewBox()
        if not box.sceneBoundingRect().contains(place):
            self.hide()
            return
        self.show_at(float(box.mapSceneToView(place).x()), place.toPoint())

    def show_at(self, x: float, near: QtCore.QPoint) -> None:
        """Say what is at ``x``; the text stands near a point of the plot widget."""
        title, values = self._values_at(x)
        if not title:
            self.hide()
            return
        self._line.setValue(x)
        self._line.show()
        rows = "".join(
            f"<tr><td><span style='color:{colour}'>■</span></td>"
            f"<td style='padding:0 8px'>{html.escape(name)}</td>"
            f"<td align='right'>{html.escape(text)}</td></tr>"
            for colour, name, text in values[:ROWS]
        )
        more = len(values) - ROWS
        rest = f"<tr><td></td><td>… {more} more</td></tr>" if more > 0 else ""
        self.label.setText(f"<b>{html.escape(title)}</b><table>{rows}{rest}</table>")
        self.label.adjustSize()
        self._place(near)
        self.label.show()

    def _place(self, near: QtCore.QPoint) -> None:
        size, room = self.label.size(), self._plot.size()
        x = near.x() + 14
        if x + size.width() > room.width():
            x = near.x() - 14 - size.width()
        y = min(max(4, near.y() - size.height() // 2), room.height() - size.height() - 4)
        self.label.move(max(4, x), max(4, y))
