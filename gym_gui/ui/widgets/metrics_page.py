"""The learner's metrics: a table of their latest values, and the curve of the one chosen."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from gym_gui.ui.widgets.columns import Columns
from gym_gui.ui.widgets.live_plots import LivePlot
from gym_gui.ui.widgets.live_series import Series
from gym_gui.ui.widgets.live_tables import RIGHT


class MetricsPage(Columns):
    """Takes values in ``series``; ``refresh`` shows them."""

    chosen = QtCore.Signal()  # another metric: its curve shows at the next refresh

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(QtCore.Qt.Orientation.Vertical, parent)
        self.series: dict[str, Series] = {}
        self.table = self._build_table()
        self.plot = LivePlot(
            "",
            x_title=self.tr("global step"),
            empty=self.tr(
                "The learner has reported no metric yet. Scalars that the script logs to "
                "TensorBoard or W&B appear here by themselves."
            ),
        )
        self.addWidget(self.table)
        self.addWidget(self.plot)
        self.setSizes([240, 360])

    def _build_table(self) -> QtWidgets.QTableWidget:
        table = QtWidgets.QTableWidget(0, 3)
        table.setHorizontalHeaderLabels([self.tr("Metric"), self.tr("Latest"), self.tr("Values")])
        table.setShowGrid(False)
        for column, side in enumerate(("AlignLeft", "AlignRight", "AlignRight")):
            table.model().setHeaderData(
                column,
                QtCore.Qt.Orientation.Horizontal,
                getattr(QtCore.Qt.AlignmentFlag, side) | QtCore.Qt.AlignmentFlag.AlignVCenter,
                QtCore.Qt.ItemDataRole.TextAlignmentRole,
            )
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.setAccessibleName(self.tr("The learner's metrics"))
        table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, QtWidgets.QHeaderView.ResizeMode.Stretch)
        table.itemSelectionChanged.connect(self.chosen)
        return table

    def add(self, name: str, x: float, y: float) -> None:
        """Take one value."""
        self.series.setdefault(name, Series()).extend((x,), (y,))

    def refresh(self) -> None:
        """Show what has come since."""
        table = self.table
        chosen = table.currentRow()
        with QtCore.QSignalBlocker(table):
            table.setRowCount(len(self.series))
            for row, (name, series) in enumerate(self.series.items()):
                last = series.last()
                texts = (name, "" if last is None else f"{last:.6g}", f"{series.total:,}")
                for column, text in enumerate(texts):
                    self._put(row, column, text)
            if chosen < 0 and self.series:
                table.selectRow(0)
                chosen = 0
        if 0 <= chosen < len(self.series):
            name = list(self.series)[chosen]
            self.plot.set_title(name)
            self.plot.draw(self.series[name])
        else:
            self.plot.set_title("")
            self.plot.draw(Series())

    def _put(self, row: int, column: int, text: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QtWidgets.QTableWidgetItem(text)
            if column:
                item.setTextAlignment(RIGHT)
            self.table.setItem(row, column, item)
        elif item.text() != text:
            item.setText(text)
