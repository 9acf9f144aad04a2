"""``FastLaneTab``: one agent, live, with its numbers over the picture and its controls above."""

from __future__ import annotations

import math
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtQuickWidgets, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.records import Live, RunState
from gym_gui.fastlane import Control, FastLaneMetrics
from gym_gui.ui.fastlane_consumer import FastLaneConsumer, View, ViewConfig
from gym_gui.ui.renderers.fastlane_item import FastLaneItem
from gym_gui.ui.translate import mark, tr
from gym_gui.ui.widgets.capture import Film, save_png
from gym_gui.ui.widgets.fastlane_bar import FastLaneBar
from gym_gui.ui.widgets.trouble_strip import TroubleStrip

QML = Path(__file__).resolve().parents[1] / "qml" / "FastLaneView.qml"
ANSWER_MS = 2_000  # within which the run's state follows a click

MESSAGES = {
    View.WAITING: (
        mark("Waiting for the agent"),
        mark("The picture appears with its first step. Loading libraries can take a while."),
    ),
    View.NO_RING: (
        mark("No picture has come"),
        mark(
            "The agent steps, but the memory that its pictures travel through is not there. It may "
            "be full (df /dev/shm), or what steps is no Gymnasium or PettingZoo environment. The "
            "run's log under Live Telemetry says more. Its numbers, its recording and its replay "
            "are not affected."
        ),
    ),
    View.NO_PICTURE: (
        mark("No pictures from this environment"),
        mark("{} Its numbers, its recording and its replay are not affected."),
    ),
    View.OFF: (
        mark("Live pictures are off for this run"),
        mark(
            "It was started without them: nothing is drawn, and it cannot be paused or slowed "
            "here. Its numbers are under Live Telemetry, and every step is recorded. To watch it, "
            "start it again with live pictures of all environments, or of the first."
        ),
    ),
    View.ENDED: (mark("The run has ended"), mark("Every recorded episode can be replayed.")),
}


def message(view: View, why_not: str = "") -> tuple[str, str]:
    """Return what is said instead of a picture: title and detail, empty where there is one."""
    title, detail = (tr(words) if words else "" for words in MESSAGES.get(view, ("", "")))
    return title, detail.format(why_not) if view is View.NO_PICTURE else detail


class FastLaneTab(QtWidgets.QWidget):
    """Shows a run's ring. ``cleanup`` (also on close) releases timers, reader and leases.

    ring_dir: folder of the rings; stream: ring, None for the run's first; tile: only this
    environment of the process; live: what is shown at first where it steps several;
    captures: folder that pictures and films are saved in;
    own_pace: steps a second the run was started with, 0 unlimited;
    qml: another scene instead of ``FastLaneView.qml``: it needs a ``FastLaneItem`` in it.
    """

    detach_requested = QtCore.Signal()
    captured = QtCore.Signal(str)  # path of a saved picture or film
    failed = QtCore.Signal(object)  # the error of a capture
    tile_requested = QtCore.Signal(str, int)  # ring, place in it: open it on its own

    def __init__(
        self,
        run_id: str,
        agent_id: str,
        *,
        ring_dir: Path,
        stream: str | None = None,
        tile: int | None = None,
        live: str = Live.GRID.value,
        captures: Path | None = None,
        budget: float = 0.05,
        rate_hz: float = 60.0,
        own_pace: float = 0.0,
        qml: Path = QML,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.run_id, self.agent_id = run_id, agent_id
        self._captures = captures or Path.home()
        self._film: Film | None = None
        self._own_pace = own_pace
        self._tile = tile
        self._image = QtGui.QImage()
        self._ended_text = ""
        self._counted = (time.monotonic(), 0)
        self._background = Background(self)
        self._control, self._state, self._asked = Control(), RunState.RUNNING, False
        self._answer_timer = QtCore.QTimer(self, interval=ANSWER_MS, singleShot=True)
        self._answer_timer.timeout.connect(self._answered)
        self._consumer = FastLaneConsumer(self)
        self._quick = QtQuickWidgets.QQuickWidget(self)
        self._engine = self._quick.engine()  # kept: the place to tune QML for every tab
        self._bar = FastLaneBar(budget=budget, own_pace=own_pace, parent=self)
        self._compose(qml)
        self._connect()
        if live == Live.OFF.value:
            self._consumer.say_off()
        else:
            first = 0 if tile is None and live == Live.SINGLE.value else tile
            self._bar.environments.setCurrentIndex(0 if first is None else 1)
            self._consumer.start(run_id, ViewConfig(ring_dir, stream, rate_hz, budget, first))

    def _compose(self, qml: Path) -> None:
        self._quick.setResizeMode(QtQuickWidgets.QQuickWidget.ResizeMode.SizeRootObjectToView)
        self._quick.setClearColor(QtGui.QColor("#0b0d10"))
        self._quick.rootContext().setContextProperty("fastLaneConsumer", self._consumer)
        self._quick.setSource(QtCore.QUrl.fromLocalFile(str(qml)))
        root = self._quick.rootObject()
        if root is None:
            raise RuntimeError("; ".join(error.toString() for error in self._quick.errors()))
        self._root = root
        self._item: Any = root.findChild(FastLaneItem)
        self._quick.setAccessibleName(self.tr("Live picture of {}").format(self.agent_id))
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.trouble = TroubleStrip()
        layout.addWidget(self._bar)
        layout.addWidget(self.trouble)
        layout.addWidget(self._quick, 1)

    def _connect(self) -> None:
        self._consumer.frame_ready.connect(self._show_frame)
        self._consumer.hud_changed.connect(self._show_hud)
        self._consumer.view_changed.connect(self._show_view)
        self._item.tileClicked.connect(self._click)
        self._bar.hud_toggled.connect(self.set_hud_visible)
        self._bar.pace_changed.connect(self._set_pace)
        self._bar.budget_changed.connect(self._consumer.set_budget)
        self._consumer.control_changed.connect(self._take_control)
        self._consumer.environments_changed.connect(self._offer_environments)
        self._bar.alone_changed.connect(lambda alone: self._consumer.set_tile(0 if alone else None))
        self._bar.picture_requested.connect(self.capture_picture)
        self._bar.film_toggled.connect(self._toggle_film)
        self._bar.detach_requested.connect(self.detach_requested)

    # -- what is shown --------------------------------------------------------------------------

    @property
    def consumer(self) -> FastLaneConsumer:
        return self._consumer

    @property
    def message(self) -> str:
        return str(self._root.property("message"))

    @QtCore.Slot(QtGui.QImage, object)
    def _show_frame(self, image: QtGui.QImage, metrics: FastLaneMetrics) -> None:
        if self._image.isNull():
            self._bar.set_capture_enabled(True)
        self._image = image
        self._item.setTiles(*self._consumer.tile_shape())
        self._item.setFrame(
            image, metrics.last_reward, metrics.rolling_return, metrics.step_rate_hz
        )
        if self._film is not None:
            self._film.add(image, time.monotonic())
            if self._film.is_full:
                self._bar.end_film()

    @QtCore.Slot(object)
    def _show_hud(self, metrics: FastLaneMetrics) -> None:
        self._item.setHud(metrics.last_reward, metrics.rolling_return, metrics.step_rate_hz)

    @QtCore.Slot(object)
    def _show_view(self, view: View) -> None:
        if view is View.STOPPED:
            return  # the last picture and message stay
        title, detail = message(view, self._consumer.why_not)
        if view is View.ENDED and self._ended_text:
            detail = self._ended_text
        self._root.setProperty("message", title)
        self._root.setProperty("detail", detail)
        self._root.setProperty("numbersGoOn", view is View.NO_PICTURE)
        self._bar.set_live(view in (View.WAITING, View.LIVE, View.NO_PICTURE))
        self._bar.set_capture_enabled(not self._image.isNull())

    @QtCore.Slot(int)
    def _offer_environments(self, count: int) -> None:
        if self._tile is None:
            self._bar.offer_environments(count)

    def frames_per_s(self) -> float:
        """Return the pictures a second since the last call."""
        (then, before), now = self._counted, time.monotonic()
        self._counted = (now, self._consumer.frames)
        return (self._consumer.frames - before) / (now - then) if now > then else 0.0

    def run_ended(self, words: str = "") -> None:
        """Say that the run is over, with ``words`` on how."""
        self._ended_text = words
        self._consumer.run_ended()
        self._show_view(View.ENDED)

    @QtCore.Slot(bool)
    def set_hud_visible(self, visible: bool) -> None:
        self._root.setProperty("hudVisible", visible)
        self._bar.show_hud_state(visible)

    def set_mode(self, text: str) -> None:
        """Say over the numbers what is watched, where it is no training; empty for training."""
        self._root.setProperty("mode", text)

    @QtCore.Slot(bool, float)
    def _set_pace(self, paused: bool, max_steps_per_s: float) -> None:
        """max_steps_per_s: 0 is unlimited, NaN the pace that the run was started with."""
        own = math.isnan(max_steps_per_s)
        rate = self._own_pace if own else max_steps_per_s
        self._root.setProperty("paused", paused)
        self._asked = True
        self._answer_timer.start()
        if own and not paused and not rate:
            self._consumer.set_control(paused=None, max_steps_per_s=None)
        else:
            self._consumer.set_control(paused=paused, max_steps_per_s=rate)

    @QtCore.Slot(object)
    def _take_control(self, control: Control) -> None:
        self._control = control
        self._show_pause()

    def take_state(self, state: RunState, steps: int = 0) -> None:
        """Follow the run's state: it may have been paused by another program or machine.

        steps: as many as are known to have been made.
        """
        if steps and state is RunState.RUNNING:
            self._consumer.run_steps()
        if state is not self._state:
            self._state, self._asked = state, False
            self._show_pause()

    def _answered(self) -> None:
        self._asked = False
        self._show_pause()

    def _show_pause(self) -> None:
        """Show what holds; after a click the run's state needs a moment to follow."""
        elsewhere = self._state is RunState.PAUSED and not self._asked
        own = self._consumer.asked
        paused = (own or self._control).paused or elsewhere
        free = self._control == Control()
        rate = self._own_pace if free else self._control.max_steps_per_s
        self._bar.show_pace(paused, None if own else rate)
        self._root.setProperty("paused", paused)

    @QtCore.Slot(float, float)
    def _click(self, x: float, y: float) -> None:
        """x, y: where in the picture, 0 to 1. Asks for a view of the environment there."""
        at = QtCore.QPoint(int(x * self._image.width()), int(y * self._image.height()))
        places = self._consumer.tile_places(self._image)
        if self._tile is None and len(places) > 1:
            for index, place in enumerate(places):
                if place.contains(at):
                    self.tile_requested.emit(self._consumer.stream, index)

    # -- capture --------------------------------------------------------------------------------

    def _capture_path(self, suffix: str) -> Path:
        stamp = f"{datetime.now():%Y%m%d-%H%M%S-%f}"[:-3]  # to the millisecond
        return self._captures / f"{self.run_id}-{self.agent_id}-{stamp}{suffix}"

    @QtCore.Slot()
    def capture_picture(self) -> None:
        """Save the frame that is shown, as PNG at its own size."""
        if self._image.isNull():
            return
        image, path = self._image, self._capture_path(".png")
        self._save(lambda: save_png(image, path))

    @QtCore.Slot(str)
    def _toggle_film(self, suffix: str) -> None:
        """Begin a film of this kind; with an empty suffix, end it and save it."""
        film, self._film = self._film, Film(suffix) if suffix else None
        if film is not None:
            path = self._capture_path(film.suffix)
            self._save(lambda: film.save(path))

    def _save(self, work: Any) -> None:
        self._background.run(
            work, done=lambda path: self.captured.emit(str(path)), failed=self.failed.emit
        )

    # -- life -----------------------------------------------------------------------------------

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        self._consumer.set_visible(True)
        super().showEvent(event)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        self._consumer.set_visible(False)
        super().hideEvent(event)

    def cleanup(self) -> None:
        """Save a film that is being recorded, let go of the ring. Calling it twice is safe."""
        self._bar.end_film()
        self._answer_timer.stop()
        self._consumer.stop()
        self._background.close()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.cleanup()
        super().closeEvent(event)
