"""The live side of one process: pictures and HUD on demand, pause and pace.

Owns this process's ring. The training looks in every few milliseconds (``tick``) and pays a
comparison in between; with no viewer nothing is rendered and no HUD is written.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Collection, Optional

from gym_gui.core.interrupts import held_back, let_through
from gym_gui.core.records import Live
from gym_gui.fastlane.buffer import FastLaneWriter
from gym_gui.fastlane.frames import Control, Demand, FastLaneConfig, FastLaneMetrics
from gym_gui.fastlane.governor import RenderGovernor
from gym_gui.fastlane.layout import VIEW_ALL, VIEW_DEFAULT, VIEW_ONE
from gym_gui.worker import render
from gym_gui.worker.pace import Pace
from gym_gui.worker.render import Painter
from gym_gui.worker.stage import Stage

TICK_NS = 4_000_000  # between looks while a viewer is there
_IDLE_NS = 12_000_000  # and while none is
_LEAST_NS = 200_000  # between looks while a picture is due
_HUD_NS = 20_000_000  # between the numbers of steps without a picture
_PAUSE_LOOK_S = 0.02
_RATE_NS = 500_000_000
_LAST_LOOK_S = 1.0
_FIRST_CONFIG = FastLaneConfig(8, 8, 3)  # before a picture's size is known


class Lane:
    """Looked at every few milliseconds of training; costs a comparison in between.

    Several threads may step environments: one of them looks at a time, the others never wait for
    it, and each renders only environments that it steps itself.
    """

    def __init__(self, session: Any, config: dict[str, Any]) -> None:
        self.session = session
        self.last_ns = 0
        self.next_ns = 0
        self.taps: list[Any] = []
        self._config = config
        self._returns: deque[float] = deque(maxlen=100)
        self._pace = Pace(float(config.get("max_steps_per_s") or 0.0))
        self._writer: Optional[FastLaneWriter] = None
        self._off = not config.get("ring_dir") or config.get("live") == Live.OFF.value
        self._view = VIEW_ONE if config.get("live") == Live.SINGLE.value else VIEW_ALL
        self._turn = threading.Lock()
        self._thread = 0
        self._alone = True  # one thread steps all environments, as far as was seen
        self._stage: Optional[Stage] = None
        self._governor = RenderGovernor()
        self._watched = False
        self._hud_ns = 0
        self._control = Control()
        self._rate_hz = 0.0
        self._rate_from = (0, 0)
        self._frame_painters: dict[int, Painter] = {}
        self._painters: dict[Any, Painter] = {}
        self._told_why = ""

    def add(self, tap: Any) -> None:
        """Take an environment in."""
        self.taps.append(tap)
        self._stage = None

    def remove(self, tap: Any) -> None:
        """Let an environment go: the script closed it."""
        if tap in self.taps:
            self.taps.remove(tap)
            self._stage = None
        self._painters.pop(tap, None)
        self._frame_painters.pop(tap.stream, None)

    def finished_episode(self, return_: float) -> None:
        """Take an episode's return into the rolling mean."""
        self._returns.append(return_)

    # -- in the training loop ---------------------------------------------------------------------

    def tick(self, now: int, taps: Collection[Any] = ()) -> None:
        """Look for viewers and control. ``now``: Unix ns; sleeps when paused or paced.

        taps: the environments that the calling thread has just stepped or reset.
        """
        self.last_ns = now
        if self._turn.acquire(False):  # else another thread looks, or a render of ours stepped
            try:
                self._look(taps)
            finally:
                self._turn.release()
        if self._control.paused:
            for tap in taps:
                tap.catch_up()
        while self._control.paused:
            self._governor.disturbed()
            time.sleep(_PAUSE_LOOK_S)
            self._look_at_control()
        self._pace.wait(self._steps(), self._look_at_control)
        self.next_ns = time.time_ns() + (0 if self._pace.is_slow else self._until_next())

    def _until_next(self) -> int:
        """Nanoseconds until the next look: sooner where a picture is due sooner."""
        if not self._watched:
            return _IDLE_NS
        return min(TICK_NS, max(_LEAST_NS, self._governor.next_ns - time.monotonic_ns()))

    def _look(self, taps: Collection[Any]) -> None:
        if self.session.deferred:
            self.session.run_deferred()
        thread = threading.get_ident()
        self._thread = self._thread or thread
        self._alone = self._alone and thread == self._thread
        if self._off:
            return
        try:
            self._serve(taps)
        except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
            let_through(error)
            self._switch_off(error)

    def _serve(self, taps: Collection[Any]) -> None:
        writer = self._writer or self._open()
        now_ns = time.monotonic_ns()
        demand, control = writer.look(now_ns)
        if control != self._control:
            self._obey(control)
        self._watched = bool(demand.wanted_hz and self.taps)
        if not self._watched or self._pace.holds_back:
            self._governor.disturbed()
        if self._watched:
            self._measure_rate(now_ns)
            self._show(writer, demand, now_ns, taps)

    def _look_at_control(self) -> None:
        if not self._turn.acquire(False):
            return
        try:
            if self._writer is not None and not self._off:
                control = self._writer.look(time.monotonic_ns())[1]
                if control != self._control:
                    self._obey(control)
        except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
            let_through(error)
            self._switch_off(error)
        finally:
            self._turn.release()

    def _obey(self, control: Control) -> None:
        """Follow the user's word, and tell the record of each change."""
        before, self._control = self._control, control
        self._pace.limit(control.max_steps_per_s, self._steps())
        if control.paused != before.paused:
            self.session.event("paused" if control.paused else "resumed")
        if control.max_steps_per_s != before.max_steps_per_s:
            self.session.event("speed", max_steps_per_s=control.max_steps_per_s)

    def _show(
        self, writer: FastLaneWriter, demand: Demand, now_ns: int, taps: Collection[Any]
    ) -> None:
        stage = self._stage_for(demand.view)
        self._tell_why(writer, stage)
        wanted = Demand(min(demand.wanted_hz * stage.tiles, 1000.0), demand.budget)
        steps = self._steps()
        self._governor.stepped(now_ns, steps)
        is_due = not stage.why_not and self._governor.due(now_ns, wanted)
        if is_due:  # other threads, if any, may step the environments that this one does not
            is_due = stage.choose(None if self._has_one_thread() else taps)
        if not is_due and now_ns < self._hud_ns:
            return
        tap = stage.tap
        metrics = self._metrics(tap)
        if is_due:
            stage.show(writer, metrics, alone=self._alone)
            self._governor.rendered(now_ns, time.monotonic_ns(), wanted, steps)
        self._tell_why(writer, stage)
        writer.set_hud(metrics, step=tap.step, episode=max(tap.episode, 0))
        self._hud_ns = now_ns + _HUD_NS

    def _stage_for(self, view: int) -> Stage:
        """Return what shows the wanted environments."""
        view = self._view if view == VIEW_DEFAULT else view
        stage = self._stage
        if stage is None or stage.view != view:
            stage = Stage(self.taps, view, self._painters, self.session.failed)
            self._stage = stage
        return stage

    def _tell_why(self, writer: FastLaneWriter, stage: Stage) -> None:
        why_not = stage.why_not
        if why_not != self._told_why:
            self._told_why = why_not
            writer.cannot_draw(why_not)

    def _has_one_thread(self) -> bool:
        return self._alone and threading.active_count() == 1

    def _metrics(self, tap: Any) -> FastLaneMetrics:
        returns = self._returns
        rolling = sum(returns) / len(returns) if returns else tap.return_
        return FastLaneMetrics(tap.last_reward, rolling, self._rate_hz)

    def _steps(self) -> int:
        return sum(tap.index for tap in self.taps)

    def _measure_rate(self, now_ns: int) -> None:
        steps = self._steps()
        steps_then, then_ns = self._rate_from
        elapsed = now_ns - then_ns
        if elapsed < _RATE_NS and steps >= steps_then:
            return
        if then_ns and elapsed < 10 * _RATE_NS:
            self._rate_hz = max(0.0, (steps - steps_then) * 1e9 / elapsed)
        self._rate_from = (steps, now_ns)

    # -- the ring's life --------------------------------------------------------------------------

    def _open(self) -> FastLaneWriter:
        with held_back():
            self._writer = FastLaneWriter.create(
                self.session.run_id,
                _FIRST_CONFIG,
                ring_dir=self._config["ring_dir"],
                channel=self.session.channel,
            )
        return self._writer

    def _switch_off(self, error: BaseException) -> None:
        self._off = True
        self._control = Control()
        self._pace.limit(0.0, self._steps())
        self.session.failed("Live view is off for this process", error)
        self._close()

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def finish(self) -> None:
        """The process ends: say so to viewers."""
        self._off = True
        if self._turn.acquire(timeout=_LAST_LOOK_S):  # a thread that still steps may be looking
            self._close()
            self._turn.release()

    def after_fork(self) -> None:
        """In a forked child: a ring of its own, once it steps."""
        render.after_fork()
        self._turn = threading.Lock()
        self._thread, self._alone = 0, True
        self._writer = None
        self._stage = None
        self._painters = {}
        self._frame_painters = {}
        self._told_why = ""
        self.taps = []
        self._governor = RenderGovernor()
        self._control = Control()

    # -- recorded frames --------------------------------------------------------------------------

    def record_frame(self, tap: Any) -> None:
        """Keep the picture after the step just made in the slow lane."""
        painter = self._frame_painters.get(tap.stream)
        if painter is None:
            painter = self._frame_painters[tap.stream] = Painter(tap.base)
        try:
            painter.paint(lambda picture: tap.session.append_frame(tap, picture), alone=self._alone)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a render may raise anything
            let_through(error)
            self.session.record_frames = False
            self.session.failed("Frames are not recorded", error)
