"""``FastLaneGrid``: every agent of a run at once, painted by one widget from the rings' pictures.

A ring shows the tiles of one process; the grid joins the rings of all. Only the pictures that
changed are painted again, and only what is scrolled into view. A process that is gone takes its
tiles with it; where none is left, the last pictures stay, dimmed, with a word on why.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import NamedTuple

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import Live, RunRecord, RunSpec
from gym_gui.fastlane import FastLaneMetrics, rings
from gym_gui.ui.context import ProgramContext
from gym_gui.ui.fastlane_consumer import FastLaneConsumer, View, ViewConfig
from gym_gui.ui.renderers.fastlane_item import fitted
from gym_gui.ui.widgets.fastlane_tab import message

LOOK_MS = 500  # between looks for rings of new processes
RATE_HZ = 30.0
GAP = 4
SMALLEST = 84  # a tile's width on the screen, in points
BACKGROUND = QtGui.QColor("#0b0d10")
OVER = View.ENDED, View.WAITING, View.STOPPED  # nobody draws there
DIMMED = 0.18


class Tile(NamedTuple):
    """One environment: the ring it is in, and its place there."""

    stream: str
    index: int


class _Canvas(QtWidgets.QWidget):
    """Paints the tiles; knows where each lies."""

    clicked = QtCore.Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.images: dict[str, QtGui.QImage] = {}
        self.places: dict[str, list[QtCore.QRect]] = {}  # in each ring's picture
        self.tiles: list[Tile] = []
        self.columns = 1
        self.is_dimmed = False
        self.cell = QtCore.QSize(SMALLEST, SMALLEST)

    def rect_of(self, number: int) -> QtCore.QRect:
        row, column = divmod(number, self.columns)
        x = column * (self.cell.width() + GAP)
        y = row * (self.cell.height() + GAP)
        return QtCore.QRect(QtCore.QPoint(x, y), self.cell)

    def repaint_ring(self, stream: str) -> None:
        """Ask for the tiles of one ring to be painted again."""
        area = QtCore.QRect()
        for number, tile in enumerate(self.tiles):
            if tile.stream == stream:
                area = area.united(self.rect_of(number))
        self.update(area)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(event.rect(), BACKGROUND)
        painter.setOpacity(DIMMED if self.is_dimmed else 1.0)
        for number, tile in enumerate(self.tiles):
            rect = self.rect_of(number)
            image = self.images.get(tile.stream)
            if image is not None and rect.intersects(event.rect()):
                place = self.places[tile.stream][tile.index]
                painter.drawImage(fitted(place.size(), QtCore.QRectF(rect)), image, place)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        for number, tile in enumerate(self.tiles):
            if self.rect_of(number).contains(event.position().toPoint()):
                self.clicked.emit(tile.stream, tile.index)
                return


class FastLaneGrid(QtWidgets.QScrollArea):
    """All rings of a run. ``cleanup`` (also on close) releases readers, leases and timers."""

    tile_requested = QtCore.Signal(str, int)  # ring, place in it: open it on its own

    def __init__(
        self,
        run_id: str,
        *,
        ring_dir: Path,
        budget: float = 0.05,
        live: str = Live.GRID.value,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.run_id = run_id
        self._ring_dir = ring_dir
        self._budget = budget
        self._is_off = live == Live.OFF.value
        self._has_ended = False
        self.consumers: dict[str, FastLaneConsumer] = {}
        self._canvas = _Canvas()
        self._canvas.clicked.connect(self.tile_requested)
        self.setWidget(self._canvas)
        self.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setAccessibleName(self.tr("All agents of {}").format(run_id))
        self.viewport().setStyleSheet(f"background: {BACKGROUND.name()}")
        self._words = QtWidgets.QLabel(self.viewport())
        self._words.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self._words.setWordWrap(True)
        self._words.setTextFormat(QtCore.Qt.TextFormat.RichText)
        self._words.setStyleSheet("color: #c3cbd6; background: transparent; font-size: 13px;")
        self._words.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._looking = QtCore.QTimer(self)
        self._looking.timeout.connect(self._look)
        self._looking.start(LOOK_MS)
        self._look()

    @property
    def tiles(self) -> list[Tile]:
        return self._canvas.tiles

    def rect_of(self, number: int) -> QtCore.QRect:
        """Return where tile ``number`` is painted, in the coordinates of ``widget()``."""
        return self._canvas.rect_of(number)

    @property
    def words(self) -> str:
        """What is said over the tiles, empty while they are live."""
        return self._words.text()

    @QtCore.Slot()
    def _look(self) -> None:
        for stream in [] if self._is_off else rings(self.run_id, self._ring_dir):
            if stream not in self.consumers:
                consumer = FastLaneConsumer(self)
                consumer.frame_ready.connect(
                    lambda image, metrics, stream=stream: self._take(stream, image, metrics)
                )
                consumer.view_changed.connect(self._tell)
                consumer.set_visible(self.isVisible())
                self.consumers[stream] = consumer
                config = ViewConfig(self._ring_dir, stream, RATE_HZ, self._budget, poll_ms=16)
                consumer.start(self.run_id, config)
        self._let_go()
        self._tell()

    def _let_go(self) -> None:
        """Take the tiles of processes that are gone away, unless no others are there."""
        gone = [name for name, consumer in self.consumers.items() if consumer.view in OVER]
        gone = [name for name in gone if self._canvas.images.get(name) is not None]
        if gone and any(one.view is View.LIVE for one in self.consumers.values()):
            for name in gone:
                consumer = self.consumers.pop(name)
                consumer.stop()
                consumer.deleteLater()
                del self._canvas.images[name], self._canvas.places[name]
            self._number_tiles()

    @QtCore.Slot(str, object)
    def take_ended(self, run_id: str, record: RunRecord) -> None:
        """Say that the run is over, where it is this one."""
        if run_id == self.run_id:
            self._has_ended = True
            for consumer in self.consumers.values():
                consumer.run_ended()
            self._tell()

    def _state(self) -> View:
        if self._has_ended:
            return View.ENDED
        if self._is_off:
            return View.OFF
        views = {consumer.view for consumer in self.consumers.values()}
        return next((one for one in (View.LIVE, View.NO_PICTURE) if one in views), View.WAITING)

    @QtCore.Slot()
    def _tell(self) -> None:
        """Say why nothing is live, over the last pictures."""
        consumers, found = self.consumers.values(), self._state()
        why_not = next((one.why_not for one in consumers if one.why_not), "")
        title, detail = message(found, html.escape(why_not))
        heading = f"<p style='font-size:18px; color:#f2f5f9'><b>{title}</b></p>"
        self._words.setText(f"{heading}<p>{detail}</p>" if title else "")
        self._words.setVisible(bool(title))
        if self._canvas.is_dimmed != bool(title):
            self._canvas.is_dimmed = bool(title)
            self._canvas.update()

    def _take(self, stream: str, image: QtGui.QImage, metrics: FastLaneMetrics) -> None:
        canvas = self._canvas
        places = self.consumers[stream].tile_places(image)
        if canvas.places.get(stream) != places:
            canvas.places[stream] = places
            self._number_tiles()
        canvas.images[stream] = image
        canvas.repaint_ring(stream)

    def _number_tiles(self) -> None:
        canvas = self._canvas
        canvas.tiles = [
            Tile(name, index)
            for name in sorted(canvas.places)
            for index in range(len(canvas.places[name]))
        ]
        self._arrange()

    def _arrange(self) -> None:
        """Choose the columns that make the tiles as large as may be, but not too small."""
        canvas = self._canvas
        if not canvas.tiles:
            return
        size = canvas.places[canvas.tiles[0].stream][0].size()
        aspect = size.height() / max(1, size.width())
        area, count = self.viewport().size(), len(canvas.tiles)

        def width_with(columns: int) -> float:
            rows = -(-count // columns)
            wide = (area.width() - GAP * (columns - 1)) / columns
            high = (area.height() - GAP * (rows - 1)) / rows
            return min(wide, high / aspect)

        columns = max(range(1, count + 1), key=width_with)
        width = width_with(columns)
        if width < SMALLEST:
            columns = max(1, (area.width() + GAP) // (SMALLEST + GAP))
            width = (area.width() - GAP * (columns - 1)) / columns
        canvas.columns = columns
        canvas.cell = QtCore.QSize(int(width), max(1, int(width * aspect)))
        rows = -(-count // columns)
        canvas.resize(
            columns * (canvas.cell.width() + GAP) - GAP, rows * (canvas.cell.height() + GAP) - GAP
        )
        canvas.update()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        self._words.setGeometry(self.viewport().rect().adjusted(24, 0, -24, 0))
        self._arrange()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        for consumer in self.consumers.values():
            consumer.set_visible(True)
        super().showEvent(event)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        for consumer in self.consumers.values():
            consumer.set_visible(False)
        super().hideEvent(event)

    def cleanup(self) -> None:
        """Let go of every ring. Calling it twice is safe."""
        self._looking.stop()
        for consumer in self.consumers.values():
            consumer.stop()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.cleanup()
        super().closeEvent(event)


def make_tab(
    context: ProgramContext, run_id: str, parent: QtWidgets.QWidget | None = None
) -> FastLaneGrid:
    """Return the grid of a run's agents."""
    record = context.record(run_id)
    spec = record.spec if record is not None else RunSpec(run_id, "", [], "")
    grid = FastLaneGrid(
        run_id,
        ring_dir=context.ring_dir,
        budget=spec.render_budget,
        live=spec.live,
        parent=parent,
    )
    context.live.run_completed.connect(grid.take_ended)
    if record is not None and record.state.is_final:
        grid.take_ended(run_id, record)
    return grid
