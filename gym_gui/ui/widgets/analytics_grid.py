"""Small plots of everything that was logged, side by side, with the runs overlaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6 import QtCore, QtWidgets

from gym_gui.ui.widgets.analytics_plot import CurvePlot, Shown

LIMIT = 24  # plots at once; the filter reaches the others
ROOM = 190  # least height of a plot in pixels


class PlotGrid(QtWidgets.QWidget):
    """A filter, and a plot for each name that passes it. ``changed``: ask for other curves."""

    changed = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._plots: dict[str, CurvePlot] = {}
        self.filter = QtWidgets.QLineEdit()
        self.filter.setPlaceholderText(self.tr("Find a metric"))
        self.filter.setAccessibleName(self.tr("Find a metric"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self.changed)
        page = QtWidgets.QWidget()
        self._grid = QtWidgets.QGridLayout(page)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setWidget(page)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.addWidget(self.filter)
        column.addWidget(scroll, 1)

    def wanted(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names to plot: those with every word of the filter, the first ``LIMIT``."""
        words = self.filter.text().lower().split()
        found = [name for name in names if all(word in name.lower() for word in words)]
        return tuple(found[:LIMIT])

    def show_curves(
        self, shown: Mapping[str, Sequence[Shown]], *, x_title: str, is_log: bool
    ) -> None:
        """Draw each name's curves, keeping what is looked at closely."""
        if list(shown) != list(self._plots):
            self._arrange(list(shown))
        for name, plot in self._plots.items():
            plot.set_log(is_log)
            plot.show_curves(shown[name], x_title=x_title, y_title="")

    def _arrange(self, names: Sequence[str]) -> None:
        for name in [name for name in self._plots if name not in names]:
            plot = self._plots.pop(name)
            self._grid.removeWidget(plot)
            plot.deleteLater()
        self._plots = {name: self._plots.get(name) or CurvePlot(title=name) for name in names}
        for number, plot in enumerate(self._plots.values()):
            plot.setMinimumHeight(ROOM)
            self._grid.addWidget(plot, number // 2, number % 2)
            plot.show()
