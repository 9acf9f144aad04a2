"""What the TensorBoard and W&B tabs share: a list of tags, and a plot for each chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord, RunSpec
from gym_gui.telemetry.curves import decimate
from gym_gui.ui.widgets.live_plots import POINTS, LivePlot

POLL_MS = 1_500
PLOTS = 6  # shown at once; more are reached by choosing others

Drawn = Mapping[str, tuple[np.ndarray, np.ndarray, int]]  # tag: x, y, number of points


def reduce_points(step: Sequence[int], value: Sequence[float]) -> tuple[Any, Any, int]:
    """Return all points reduced to what a screen shows, and how many there are."""
    x, y = np.array(step, dtype=float), np.array(value, dtype=float)
    order = np.argsort(x, kind="stable")
    curve = decimate(x[order], y[order], max_points=POINTS)
    return curve.x, curve.y, curve.total


class ScalarsTab(QtWidgets.QWidget):
    """Polls ``read`` off the GUI thread while it is seen. Its host calls ``cleanup()``.

    Subclasses give ``read() -> (head, tags)``: a line about the source, and the curves.
    """

    empty = "Nothing has been logged yet."

    def __init__(
        self,
        run_id: str,
        record: RunRecord | None,
        *,
        data_dir: DataDir,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.run_id = run_id
        self.run_dir = data_dir.run(run_id)
        self._spec = record.spec if record is not None else None
        self._background = Background(self)
        self._asking = self._closed = False
        self._drawn: Drawn = {}
        self._plots: dict[str, LivePlot] = {}
        self._build()
        self._timer = QtCore.QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self.poll)

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        self.head = QtWidgets.QHBoxLayout()
        self._line = QtWidgets.QLabel(self.empty)
        self._line.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self._line.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred
        )
        self.head.addWidget(self._line, 1)
        layout.addLayout(self.head)
        split = QtWidgets.QSplitter()
        left = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        self._filter = QtWidgets.QLineEdit()
        self._filter.setPlaceholderText("Find a tag")
        self._filter.setClearButtonEnabled(True)
        self._filter.textChanged.connect(self._apply_filter)
        column.addWidget(self._filter)
        self._tags = QtWidgets.QListWidget()
        self._tags.setAccessibleName("Tags")
        self._tags.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self._tags.itemSelectionChanged.connect(self._show)
        column.addWidget(self._tags, 1)
        split.addWidget(left)
        page = QtWidgets.QWidget()
        self._grid = QtWidgets.QGridLayout(page)
        self._grid.setContentsMargins(0, 0, 0, 0)
        split.addWidget(page)
        split.setStretchFactor(1, 1)
        split.setSizes([260, 1000])
        split.setChildrenCollapsible(False)
        layout.addWidget(split, 1)

    # -- for subclasses ---------------------------------------------------------------------

    def read(self, spec: RunSpec) -> tuple[str, Drawn]:
        """Return what to say and what to draw. Runs off the GUI thread."""
        raise NotImplementedError

    def spec(self) -> RunSpec:
        """Return the run's spec, from its folder where the window did not know it yet."""
        if self._spec is None:
            import json

            self._spec = RunSpec.from_dict(json.loads(self.run_dir.spec.read_text()))
        return self._spec

    # -- polling ----------------------------------------------------------------------------

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        self._timer.start()
        self.poll()
        super().showEvent(event)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def poll(self) -> None:
        """Ask for what is new, unless the last question is still open."""
        if not self._asking and not self._closed:
            self._asking = True
            self._background.run(
                lambda: self.read(self.spec()), done=self._take, failed=self._failed
            )

    def _failed(self, error: Exception) -> None:
        self._asking = False
        self._line.setText(str(error))

    def _take(self, answer: tuple[str, Drawn]) -> None:
        self._asking = False
        line, self._drawn = answer
        self._line.setText(line or self.empty)
        self._line.setToolTip(line)
        known = {self._tags.item(row).text() for row in range(self._tags.count())}
        fresh = [tag for tag in self._drawn if tag not in known]
        self._tags.addItems(fresh)
        if fresh and not self._tags.selectedItems():
            with QtCore.QSignalBlocker(self._tags):
                for row in range(min(4, self._tags.count())):
                    self._tags.item(row).setSelected(True)
        self._apply_filter(self._filter.text())
        self._show()

    def _apply_filter(self, word: str) -> None:
        for row in range(self._tags.count()):
            item = self._tags.item(row)
            item.setHidden(word.strip().lower() not in item.text().lower())

    def _show(self) -> None:
        chosen = [item.text() for item in self._tags.selectedItems()][:PLOTS]
        if list(self._plots) != chosen:
            self._arrange(chosen)
        for tag, plot in self._plots.items():
            x, y, total = self._drawn[tag]
            plot.set_title(f"{tag}   ({total:,} points)")
            plot.show_points(x, y)

    def _arrange(self, chosen: Sequence[str]) -> None:
        for tag in [tag for tag in self._plots if tag not in chosen]:
            plot = self._plots.pop(tag)
            self._grid.removeWidget(plot)
            plot.deleteLater()
        columns = 1 if len(chosen) < 2 else 2
        self._plots = {tag: self._plots.get(tag) or LivePlot(tag, x_title="step") for tag in chosen}
        for number, plot in enumerate(self._plots.values()):
            self._grid.addWidget(plot, number // columns, number % columns)
            plot.show()

    def cleanup(self) -> None:
        """Stop asking. Twice is safe."""
        self._closed = True
        self._timer.stop()
        self._background.close()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.cleanup()
        super().closeEvent(event)
