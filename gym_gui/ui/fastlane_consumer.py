"""Polls a run's ring and hands its newest frame to whoever shows it.

Owns: one ``FastLaneReader``, its viewer's lease (demand) and its control lease.
Knows nothing of widgets or QML: frames leave through ``frame_ready`` only.
"""

from __future__ import annotations

import enum
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6 import QtCore, QtGui

from gym_gui.core.errors import GymGuiError
from gym_gui.fastlane import (
    Control,
    FastLaneConfig,
    FastLaneFrame,
    FastLaneMetrics,
    FastLaneReader,
    FastLaneState,
)
from gym_gui.fastlane.layout import VIEW_ALL, VIEW_ONE
from gym_gui.fastlane.tiling import tiling_of

POLL_MS = 8  # half a display interval, so that a frame is shown within one
SEEK_MS = 200  # between attempts to find a ring that is not there yet
LEASE_S = 1.0  # demand and control lapse after this when the program dies
RENEW_S = 0.3
GONE_S = 1.5  # a ring gone for so long is said to be; a run's end is known by then
NO_RING_S = 8.0  # an agent that steps for so long without a ring will have none
HUD_AFTER_S = 0.5  # without a new picture, the numbers of the latest step are shown


class View(enum.Enum):
    """What the viewer can say about the run's picture."""

    STOPPED = "stopped"
    WAITING = "waiting"  # no ring yet
    NO_RING = "no_ring"  # none came, although the agent steps
    LIVE = "live"  # a frame has come
    NO_PICTURE = "no_picture"  # its writer says that it cannot be drawn, and why
    OFF = "off"  # the run was started without live pictures
    ENDED = "ended"  # the writer closed or died


@dataclass(frozen=True)
class ViewConfig:
    """Where to look and how much to ask for.

    ring_dir: folder of the rings; stream: ring name, None for the run's first;
    wanted_hz: pictures a second; budget: share of the training's wall time for them, 0 to 1;
    tile: show only this environment of the process, None for all; poll_ms: between looks.
    """

    ring_dir: Path
    stream: str | None = None
    wanted_hz: float = 60.0
    budget: float = 0.05
    tile: int | None = None
    poll_ms: int = POLL_MS


class FastLaneConsumer(QtCore.QObject):
    """Emits ``frame_ready`` when, and only when, the ring has a newer frame.

    ``set_visible(False)`` drops the demand, so that a hidden tab costs the training nothing.
    Pause and speed limit are leases of their own, renewed whether visible or not, until another
    viewer of the run says otherwise: the latest word holds, and all viewers show it.
    """

    frame_ready = QtCore.Signal(QtGui.QImage, object)  # image, FastLaneMetrics
    hud_changed = QtCore.Signal(object)  # FastLaneMetrics of a step without a picture
    view_changed = QtCore.Signal(object)  # View; also when ``why_not`` is another
    control_changed = QtCore.Signal(object)  # Control in force, whoever asked for it
    environments_changed = QtCore.Signal(int)  # that the process could show

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._poll)
        self._reader: FastLaneReader | None = None
        self._run_id = ""
        self._config: ViewConfig | None = None
        self._view = View.STOPPED
        self._visible = True
        self._finished = False
        self._renew_at = 0.0
        self._wanted_since = 0.0
        self._gone_at = 0.0
        self._steps_since = math.inf  # when the agent was first known to step, without a ring
        self._paused: bool | None = None
        self._max_steps_per_s: float | None = None
        self._said = False  # what the user asked for is in the ring
        self._control = Control()
        self._hud: FastLaneMetrics | None = None
        self.frame: FastLaneFrame | None = None
        self.frames = 0
        self.why_not = ""  # why there are no pictures, in the writer's words
        self.environments = 1

    # -- life -----------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        return self._view

    @property
    def run_id(self) -> str:
        return self._run_id

    @property
    def is_active(self) -> bool:
        return self._timer.isActive()

    @QtCore.Slot(str, object)
    def start(self, run_id: str, config: ViewConfig) -> None:
        """Look for the run's ring and follow it, until ``stop``."""
        self.stop()
        self._run_id = run_id
        self._config = config
        self._finished = False
        self._steps_since = math.inf
        self._set_view(View.WAITING)
        self._timer.start(SEEK_MS)
        self._poll()

    def say_off(self) -> None:
        """Say that nothing will come, because the run was started without live pictures."""
        self._set_view(View.OFF)

    @QtCore.Slot()
    def stop(self) -> None:
        """Release lease, mapping and timer. Stopping twice is safe."""
        self._timer.stop()
        self._detach()
        self._set_view(View.STOPPED)

    def run_steps(self) -> None:
        """Know that the agent steps: its ring should be there."""
        if self._view is View.WAITING:
            self._steps_since = min(self._steps_since, time.monotonic())

    def run_ended(self) -> None:
        """Say that no writer will come any more."""
        self._finished = True
        if self._view is not View.STOPPED:
            self._set_view(View.ENDED)

    def _attach(self, stream: str | None = None) -> bool:
        assert self._config is not None
        try:
            self._reader = FastLaneReader.attach(
                self._run_id, stream or self._config.stream, ring_dir=self._config.ring_dir
            )
        except (GymGuiError, OSError):
            return False  # not there yet; the view says "waiting"
        self._renew_at = 0.0
        self._steps_since = math.inf
        self._said = False
        self._wanted_since = time.monotonic()
        self._hud = None
        self.why_not = ""
        self._timer.start(self._config.poll_ms)
        return True

    def _detach(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _set_view(self, view: View) -> None:
        if view is not self._view:
            self._view = view
            self.view_changed.emit(view)

    # -- what the user asks for -----------------------------------------------------------------

    def set_visible(self, visible: bool) -> None:
        """Ask for pictures, or stop asking at once."""
        if visible == self._visible:
            return
        self._visible = visible
        self._renew_at = 0.0
        self._wanted_since = time.monotonic()
        if self._reader is not None:
            if not visible:
                self._reader.release()
            poll_ms = self._config.poll_ms if self._config is not None else POLL_MS
            self._timer.start(poll_ms if visible else SEEK_MS)

    def set_budget(self, budget: float) -> None:
        """Set the share of wall time that pictures may take, 0 to 1."""
        if self._config is not None:
            self._config = replace(self._config, budget=budget)
            self._renew_at = 0.0

    def set_tile(self, tile: int | None) -> None:
        """Ask for one environment of the process alone, or for all side by side."""
        if self._config is not None:
            self._config = replace(self._config, tile=tile)
            self._renew_at = 0.0
            self._poll()

    def set_control(self, *, paused: bool | None, max_steps_per_s: float | None) -> None:
        """Pause or slow the training for as long as this lives; None and None gives it back.

        Another viewer's word of before holds no longer.
        """
        self._paused, self._max_steps_per_s = paused, max_steps_per_s
        self._said = False
        if paused is None and max_steps_per_s is None and self._reader is not None:
            self._reader.release_control(anyones=True)
        self._renew_at = 0.0
        self._poll()

    @property
    def asked(self) -> Control | None:
        """What the user asked for here and still holds, None for nothing."""
        if self._paused is None and self._max_steps_per_s is None:
            return None
        return Control(bool(self._paused), self._max_steps_per_s or 0.0)

    # -- tiles ----------------------------------------------------------------------------------

    @property
    def stream(self) -> str:
        """Name of the ring that is followed, empty while none is."""
        return self._reader.stream if self._reader is not None else ""

    def tile_shape(self) -> tuple[int, int]:
        """Return how many columns and rows of environments a shown picture has."""
        alone = self._config is None or self._config.tile is not None
        if alone or self._reader is None:
            return 1, 1
        return self._reader.columns, -(-self._reader.tiles // self._reader.columns)

    def tile_places(self, image: QtGui.QImage) -> list[QtCore.QRect]:
        """Return where each environment lies in a picture of the ring."""
        if self._reader is None:
            return [image.rect()]
        config = FastLaneConfig(
            image.width(), image.height(), 3, self._reader.tiles, self._reader.columns
        )
        tiling = tiling_of(config)
        size = QtCore.QSize(tiling.width, tiling.height)
        return [
            QtCore.QRect(QtCore.QPoint(*tiling.place(index)), size) for index in range(tiling.tiles)
        ]

    # -- the poll -------------------------------------------------------------------------------

    @QtCore.Slot()
    def _poll(self) -> None:
        if self._config is None or (self._reader is None and not self._attach()):
            self._say_gone()
            return
        reader = self._reader
        assert reader is not None
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew(reader, now)
        if not self._visible:
            return
        state, frame = reader.latest_frame()
        if frame is not None:
            self._show(reader, frame)
        elif state is FastLaneState.IDLE:
            self._idle(reader, now)
        elif state is not FastLaneState.FRAME:
            self._lost(replaced=state is FastLaneState.REPLACED)

    def _renew(self, reader: FastLaneReader, now: float) -> None:
        assert self._config is not None
        self._renew_at = now + RENEW_S
        if self._visible:
            tile = self._config.tile
            view = VIEW_ALL if tile is None else VIEW_ONE + tile
            reader.lease(self._config.wanted_hz, self._config.budget, LEASE_S, view)
        self._renew_control(reader)

    def _renew_control(self, reader: FastLaneReader) -> None:
        """Say again what the user asked for, unless another viewer said otherwise since."""
        control, is_mine = reader.control()
        if self._said and not is_mine:
            self._paused = self._max_steps_per_s = None
        elif self._paused is not None or self._max_steps_per_s is not None:
            reader.set_control(bool(self._paused), self._max_steps_per_s or 0.0, LEASE_S)
            self._said = True
            control = reader.control()[0]
        if control != self._control:
            self._control = control
            self.control_changed.emit(control)

    def _show(self, reader: FastLaneReader, frame: FastLaneFrame) -> None:
        if reader.environments != self.environments:
            self.environments = reader.environments
            self.environments_changed.emit(self.environments)
        image = self._cut(reader, to_image(frame))
        if image is None:
            return
        self.frame = frame
        self.frames += 1
        self._wanted_since = time.monotonic()
        self.why_not = ""
        if not self._finished:
            self._set_view(View.LIVE)
        self.frame_ready.emit(image, frame.metrics)

    def _cut(self, reader: FastLaneReader, image: QtGui.QImage) -> QtGui.QImage | None:
        """Return the wanted environment's picture, None where another one's is shown."""
        tile = self._config.tile if self._config is not None else None
        if tile is None:
            return image
        place = min(tile, reader.environments - 1) - reader.first
        places = self.tile_places(image)
        if not 0 <= place < len(places):
            return None  # another viewer's wish, from before ours was heard
        return image if len(places) == 1 else image.copy(places[place])

    def _idle(self, reader: FastLaneReader, now: float) -> None:
        why_not = reader.cannot_draw()
        if why_not and why_not != self.why_not and not self._finished:
            self.why_not = why_not
            self._view = View.NO_PICTURE
            self.view_changed.emit(self._view)
        waited = now - self._wanted_since
        if waited < HUD_AFTER_S:
            return  # the picture that is shown keeps its own numbers
        hud = reader.live_hud()
        if hud is None or hud == self._hud:
            return
        self._hud = hud
        self.hud_changed.emit(hud)

    def _lost(self, *, replaced: bool) -> None:
        """REPLACED, CLOSED or LOST: let go, and look for a newer ring of the run.

        A replaced ring's successor is there already, and loses no time.
        """
        stream = self.stream
        self._detach()
        self._gone_at = time.monotonic()
        if replaced and self._attach(stream):
            return
        self._timer.start(SEEK_MS)

    def _say_gone(self) -> None:
        if self._finished:
            self._set_view(View.ENDED)
        elif time.monotonic() > self._steps_since + NO_RING_S:
            self._set_view(View.NO_RING)
        elif time.monotonic() > self._gone_at + GONE_S and self._view is not View.NO_RING:
            self._set_view(View.WAITING)


_FORMATS = {
    "RGB": QtGui.QImage.Format.Format_RGB888,
    "RGBA": QtGui.QImage.Format.Format_RGBA8888,
    "GREY": QtGui.QImage.Format.Format_Grayscale8,
    "BGRX": QtGui.QImage.Format.Format_ARGB32,  # its X may be 0; the conversion makes it opaque
}


def to_image(frame: FastLaneFrame) -> QtGui.QImage:
    """Return an image that owns its pixels, in RGB32 (which paints without helper threads)."""
    wrapped = QtGui.QImage(
        frame.data, frame.width, frame.height, frame.row_stride, _FORMATS[frame.pixel_format.name]
    )
    return wrapped.convertToFormat(QtGui.QImage.Format.Format_RGB32)
