"""What the TensorBoard and W&B tabs share: a list of tags, and a plot for each chosen one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord, RunSpec
from gym_gui.services.learner_logs import Points
from gym_gui.telemetry.analytics import Pyramid, smooth
from gym_gui.ui import theme
from gym_gui.ui.widgets.analytics_plot import CurvePlot, Shown
from gym_gui.ui.widgets.columns import Columns
from gym_gui.ui.widgets.empty_words import EmptyWords
from gym_gui.ui.widgets.forms import align_labels
from gym_gui.ui.widgets.numbers import SpinBox
from gym_gui.ui.widgets.trouble_strip import TroubleStrip

POLL_MS = 1_500
PLOTS = 9  # shown at once; more are reached by choosing others
FIRST = 4  # plots that are shown without being chosen
ROOM = 220  # least height of a plot in pixels, below which the page scrolls
_AXES = {"step": "step", "relative": "seconds", "wall": "wall time (Unix s)"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which curves to draw, and how. smoothing: mean of that many points."""

    tags: tuple[str, ...] = ()
    by: str = "step"
    smoothing: int = 1


@dataclass(slots=True)
class Scalars:
    """What was read: a line about the source, points of every tag, curves of the wanted ones.

    unread: bytes that were not read yet; they are asked for at once.
    """

    line: str = ""
    points: dict[str, int] = field(default_factory=dict)
    curves: dict[str, Shown] = field(default_factory=dict)
    unread: int = 0


class ScalarsTab(QtWidgets.QWidget):
    """Polls ``read`` off the GUI thread while it is seen. Its host calls ``cleanup()``.

    Subclasses give ``read_source(spec) -> (line, points by tag, bytes unread)``.
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
        self._asking = self._again = self._closed = False
        self._made: dict[tuple[str, str, int], tuple[int, Shown]] = {}
        self._found = Scalars()
        self._plots: dict[str, CurvePlot] = {}
        self._build()
        self._timer = QtCore.QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self.poll)

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        self.head = QtWidgets.QHBoxLayout()
        self._line = QtWidgets.QLabel()
        self._line.setWordWrap(True)
        self._line.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self._line.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred
        )
        self.head.addWidget(self._line, 1)
        layout.addLayout(self.head)
        self.trouble = TroubleStrip()
        layout.addWidget(self.trouble)
        split = Columns()
        split.addWidget(self._build_tags())
        self._page = QtWidgets.QWidget()
        self._grid = QtWidgets.QGridLayout(self._page)
        self._grid.setContentsMargins(0, 0, 0, 0)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setWidget(self._page)
        split.addWidget(scroll)
        split.setStretchFactor(1, 1)
        split.setSizes([220, 1000])
        layout.addWidget(split, 1)
        self._split = split
        split.hide()
        self.nothing = EmptyWords()
        self.nothing.setObjectName("emptyText")
        layout.addWidget(self.nothing, 1)

    def _build_tags(self) -> QtWidgets.QWidget:
        left = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        self._filter = QtWidgets.QLineEdit()
        self._filter.setPlaceholderText(self.tr("Find a tag"))
        self._filter.setAccessibleName(self.tr("Find a tag"))
        self._filter.setClearButtonEnabled(True)
        self._filter.textChanged.connect(self._apply_filter)
        column.addWidget(self._filter)
        self._tags = QtWidgets.QListWidget()
        self._tags.setAccessibleName(self.tr("Tags"))
        self._tags.setSpacing(2)
        self._tags.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self._tags.itemSelectionChanged.connect(self.poll)
        column.addWidget(self._tags, 1)
        form = QtWidgets.QFormLayout()
        self._by = QtWidgets.QComboBox()
        for value, text in (("step", "Step"), ("relative", "Time"), ("wall", "Wall time")):
            self._by.addItem(self.tr(text), value)
        self._by.setAccessibleName(self.tr("Horizontal axis"))
        self._by.currentIndexChanged.connect(self.poll)
        self._smooth = SpinBox(minimum=1, maximum=10_000, value=1)
        self._smooth.setAccessibleName(self.tr("Smoothing"))
        self._smooth.setToolTip(self.tr("Mean of that many points; 1 shows them as they are"))
        self._smooth.valueChanged.connect(self.poll)
        self._log = QtWidgets.QCheckBox(self.tr("Logarithmic"))
        self._log.toggled.connect(self._show)
        form.addRow(self.tr("By"), self._by)
        form.addRow(self.tr("Smooth"), self._smooth)
        form.addRow(self.tr("Values"), self._log)
        align_labels(form)
        column.addLayout(form)
        return left

    # -- reading, off the GUI thread --------------------------------------------------------

    def read_source(self, spec: RunSpec) -> tuple[str, Mapping[str, Points], int]:
        """Return a line about the source, its points by tag, and how many bytes are unread."""
        raise NotImplementedError

    def _read(self, wanted: Wanted) -> Scalars:
        line, found, unread = self.read_source(self.spec())
        scalars = Scalars(line, {tag: len(points) for tag, points in found.items()}, {}, unread)
        for tag in wanted.tags or tuple(found)[:FIRST]:
            if tag in found:
                scalars.curves[tag] = self._curve(tag, found[tag], wanted)
        return scalars

    def _curve(self, tag: str, points: Points, wanted: Wanted) -> Shown:
        """Return the curve of a tag; the one made before while nothing was added to it."""
        key = (tag, wanted.by, wanted.smoothing)
        count, shown = self._made.get(key, (-1, None))
        if shown is None or count != len(points):
            x, y = points.columns(wanted.by)
            raw = Pyramid(x, y)
            line = Pyramid(x, smooth(y, wanted.smoothing)) if wanted.smoothing > 1 else raw
            behind = raw if wanted.smoothing > 1 else None
            shown = Shown(tag, theme.current().accent, line, behind)
            if len(self._made) > 4 * PLOTS:
                self._made.clear()
            self._made[key] = (len(points), shown)
        return shown

    def spec(self) -> RunSpec:
        """Return the run's spec, from its folder where the window did not know it yet."""
        if self._spec is None:
            self._spec = RunSpec.from_dict(json.loads(self.run_dir.spec.read_text()))
        return self._spec

    # -- asking and showing -----------------------------------------------------------------

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        self._timer.start()
        self.poll()
        super().showEvent(event)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def wanted(self) -> Wanted:
        chosen = tuple(item.text() for item in self._tags.selectedItems())[:PLOTS]
        return Wanted(chosen, self._by.currentData() or "step", self._smooth.value())

    def poll(self, *_: object) -> None:
        """Ask for what is new; once more after the answer where a question is open."""
        if self._closed or self._asking:
            self._again = True
            return
        self._asking, self._again = True, False
        wanted = self.wanted()
        self._background.run(lambda: self._read(wanted), done=self._take, failed=self._failed)

    def _failed(self, error: Exception) -> None:
        self._asking = False
        self.trouble.tell("read", error)

    def _take(self, found: Scalars) -> None:
        self._asking = False
        self.trouble.solve("read")
        self._found = found
        self.nothing.setText(self.tr(self.empty))
        self.nothing.setVisible(not found.line)
        self._split.setVisible(bool(found.line))
        line = found.line
        if found.unread:
            line += self.tr("   reading, {:.1f} MB left…").format(found.unread / 1e6)
        self._line.setText(line)
        self._line.setToolTip(found.line)
        known = {self._tags.item(row).text() for row in range(self._tags.count())}
        fresh = [tag for tag in found.points if tag not in known]
        self._tags.addItems(fresh)
        if fresh and not self._tags.selectedItems():
            with QtCore.QSignalBlocker(self._tags):
                for row in range(min(FIRST, self._tags.count())):
                    self._tags.item(row).setSelected(True)
        self._apply_filter(self._filter.text())
        self._show()
        if self._again or found.unread:
            self.poll()

    def _apply_filter(self, word: str) -> None:
        for row in range(self._tags.count()):
            item = self._tags.item(row)
            item.setHidden(word.strip().lower() not in item.text().lower())

    def _show(self, *_: object) -> None:
        curves = self._found.curves
        if list(self._plots) != list(curves):
            self._arrange(list(curves))
        x_title = self.tr(_AXES[self.wanted().by])
        for tag, plot in self._plots.items():
            plot.set_title(self.tr("{}   ({:,} points)").format(tag, self._found.points[tag]))
            plot.set_log(self._log.isChecked())
            plot.show_curves([curves[tag]], x_title=x_title, y_title="")

    def _arrange(self, chosen: Sequence[str]) -> None:
        for tag in [tag for tag in self._plots if tag not in chosen]:
            plot = self._plots.pop(tag)
            self._grid.removeWidget(plot)
            plot.deleteLater()
        columns = 1 if len(chosen) < 2 else 2
        self._plots = {tag: self._plots.get(tag) or CurvePlot(title=tag) for tag in chosen}
        for number, plot in enumerate(self._plots.values()):
            plot.setMinimumHeight(ROOM)
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
