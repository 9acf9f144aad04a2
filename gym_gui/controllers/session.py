"""A human session: who may choose actions, at what pace, and where the steps go."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtGui

from gym_gui.core.errors import ControlModeError, GymGuiError
from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir, private_dir
from gym_gui.core.records import (
    STEP_HUMAN,
    STEP_INTERVENTION,
    ControlMode,
    EpisodeRecord,
    RunSpec,
    RunState,
    StepRecord,
)
from gym_gui.services.human_session import PlayedEnvironment, Shown
from gym_gui.services.registry import RunRegistry
from gym_gui.services.storage import StorageRecorderService
from gym_gui.services.telemetry import TelemetryService
from gym_gui.telemetry.batch import EventEntry, RecordBatch

Policy = Callable[[Any], Any]  # observation as plain JSON data, to an action
WAITING = 256  # human actions not yet taken; more are refused
_FORMATS = {
    "BGRX": QtGui.QImage.Format.Format_RGB32,
    "RGB": QtGui.QImage.Format.Format_RGB888,
    "RGBA": QtGui.QImage.Format.Format_RGBA8888,
    "GREY": QtGui.QImage.Format.Format_Grayscale8,
}


class SessionController(QtCore.QObject):
    """Runs one session at a time on a thread of its own. Owner calls ``stop``; twice is safe.

    ``perform_human_action`` and ``hold_action`` are accepted in human and hybrid modes only.
    """

    started = QtCore.Signal(str, object)  # run id, the environment's description
    frame_ready = QtCore.Signal(QtGui.QImage)
    stepped = QtCore.Signal(object)  # StepRecord
    episode_finished = QtCore.Signal(object)  # EpisodeRecord
    ended = QtCore.Signal(str)  # the reason, empty when it was asked for
    mode_changed = QtCore.Signal(object)  # ControlMode

    def __init__(
        self,
        data_dir: DataDir,
        *,
        policy: Policy | None = None,
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._data_dir = data_dir
        self.policy = policy
        self.mode = ControlMode.HUMAN_ONLY
        self.realtime = False
        self.idle_action: Any = 0
        self._held: Any = None
        self._actions: queue.Queue[Any] = queue.Queue(WAITING)
        self._reset: tuple[int | None] | None = None
        self._paused = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(
        self,
        env_id: str,
        *,
        python: str | None = None,
        mode: ControlMode = ControlMode.HUMAN_ONLY,
        realtime: bool = False,
        seed: int | None = None,
        options: dict[str, Any] | None = None,
    ) -> str:
        """Begin a session and return its run id; a session under way is stopped first."""
        self.stop()
        self._check_policy(mode)
        self.mode, self.realtime = mode, realtime
        self._held, self._reset, self._paused = None, None, False
        self._actions = queue.Queue(WAITING)
        self._stopping = threading.Event()
        spec = RunSpec(
            new_run_id(f"play {env_id}"),
            "human",
            [python or sys.executable],
            str(self._data_dir.root),
            name=f"Playing {env_id}",
            env_id=env_id,
            seed=seed,
            mode="human",
            created_ns=time.time_ns(),
        )
        session = _Session(self, self._data_dir, spec, seed, options or {}, self._stopping)
        self._thread = threading.Thread(target=session.run, name="human-session", daemon=True)
        self._thread.start()
        return spec.run_id

    def stop(self, *, timeout_s: float = 15.0) -> None:
        """End the session; what was played is committed. Twice is safe."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout_s)

    def request_stop(self) -> None:
        """Ask the session to end without waiting for it; ``ended`` follows."""
        self._stopping.set()

    def set_mode(self, mode: ControlMode) -> None:
        """Change who may choose actions. Raises ControlModeError without a policy to do it."""
        self._check_policy(mode)
        self.mode = mode
        self._held = None
        self.mode_changed.emit(mode)

    def perform_human_action(self, action: Any) -> None:
        """Take one action. Raises ControlModeError where the mode does not accept it."""
        self._check_human()
        try:
            self._actions.put_nowait(action)
        except queue.Full:
            raise ControlModeError(
                "The environment is slower than the keys.", next_step="Wait a moment."
            ) from None

    def hold_action(self, action: Any) -> None:
        """Hold an action, for the real-time pace and for taking over; None lets it go."""
        if action is not None:
            self._check_human()
        self._held = action

    def reset(self, seed: int | None = None) -> None:
        """Begin another episode, with a chosen seed or a fresh one."""
        self._reset = (seed,)

    def set_paused(self, paused: bool) -> None:
        self._paused = paused

    def _check_human(self) -> None:
        if not self.mode.accepts_human:
            raise ControlModeError(
                "The agent alone is in control: a human's action is not accepted.",
                next_step="Choose a human or hybrid mode first.",
            )

    def _check_policy(self, mode: ControlMode) -> None:
        if mode is not ControlMode.HUMAN_ONLY and self.policy is None:
            raise ControlModeError(
                f"The mode {mode.value} needs a policy that plays.", next_step="Load one first."
            )

    # -- called from the session's thread ------------------------------------------------------

    def next_reset(self) -> tuple[int | None] | None:
        """Return the reset that was asked for since the last call."""
        asked, self._reset = self._reset, None
        return asked

    def decide(self, observation: Any, step: int) -> tuple[Any, int, Any] | None:
        """Return (action, flags, the policy's proposal), or None to wait."""
        if self._paused:
            return None
        mode, policy = self.mode, self.policy
        if mode is ControlMode.HUMAN_ONLY or policy is None:
            return self._human_choice()
        if mode is ControlMode.HYBRID_TURN_BASED and step % 2 == 0:
            chosen = self._human_choice()
            return None if chosen is None else (chosen[0], chosen[1], None)
        proposed = policy(observation)
        if mode is ControlMode.HYBRID_TAKE_OVER:
            taken = self._held if self._held is not None else self._waiting_action()
            if taken is not None:
                return taken, STEP_HUMAN | STEP_INTERVENTION, proposed
        return proposed, 0, proposed

    def _human_choice(self) -> tuple[Any, int, Any] | None:
        action = self._waiting_action()
        if action is None and self._held is not None:
            action = self._held
        if action is None and self.realtime:
            action = self.idle_action
        return None if action is None else (action, STEP_HUMAN, None)

    def _waiting_action(self) -> Any:
        try:
            return self._actions.get_nowait()
        except queue.Empty:
            return None


class _Session:
    """The session's thread: the environment, the records' way, and the pace."""

    def __init__(
        self,
        controller: SessionController,
        data_dir: DataDir,
        spec: RunSpec,
        seed: int | None,
        options: dict[str, Any],
        stopping: threading.Event,
    ) -> None:
        self._controller = controller
        self._data_dir = data_dir.create()
        self._spec = spec
        self._seed = seed
        self._options = options
        self._stopping = stopping
        self._steps = self._episode_step = 0
        self._observation: Any = None
        self._over = True

    def run(self) -> None:
        reason = ""
        try:
            run_dir = self._data_dir.run(self._spec.run_id)
            private_dir(run_dir.root)
            with (
                RunRegistry(self._data_dir) as registry,
                TelemetryService(self._data_dir) as service,
                StorageRecorderService(run_dir.root / "episodes") as recorder,
            ):
                registry.add(self._spec)
                registry.update(
                    self._spec.run_id, state=RunState.RUNNING, started_ns=time.time_ns()
                )
                self._service, self._recorder = service, recorder
                service.open_run(self._spec.run_id, spec=self._spec)
                state = RunState.FAILED
                try:
                    self._play(run_dir)
                    state = RunState.FINISHED
                except GymGuiError as error:
                    reason = str(error)
                finally:
                    service.flush(self._spec.run_id)
                    registry.update(
                        self._spec.run_id,
                        state=state,
                        ended_ns=time.time_ns(),
                        steps=self._steps,
                        cause=reason,
                    )
        except Exception as error:  # noqa: BLE001 - a thread's edge: the window shows it
            reason = reason or str(error)
        self._controller.ended.emit(reason)

    def _play(self, run_dir: Any) -> None:
        environment = PlayedEnvironment(
            self._spec, run_dir, ring_dir=self._data_dir.ring_dir, options=self._options
        )
        try:
            self._channel = environment.about["channel"]
            period_s = 1.0 / float(environment.about["fps"])
            self._take(environment.first)
            self._controller.started.emit(self._spec.run_id, environment.about)
            self._take(environment.reset(self._seed))
            while not self._stopping.is_set():
                began = time.monotonic()
                self._turn(environment)
                rest = period_s - (time.monotonic() - began)
                if rest > 0:
                    self._stopping.wait(rest if self._controller.realtime else min(rest, 0.005))
        finally:
            last = environment.close()
            if last is not None:
                self._take(last)

    def _turn(self, environment: PlayedEnvironment) -> None:
        asked = self._controller.next_reset()
        if asked is not None or self._over:
            self._take(environment.reset(asked[0] if asked else None))
            return
        chosen = self._controller.decide(self._observation, self._episode_step)
        if chosen is not None:
            action, flags, proposed = chosen
            self._take(environment.step(action, flags=flags, proposed=proposed))

    def _take(self, shown: Shown) -> None:
        """Hand an answer's records to the service, then show it."""
        for seq, record in shown.records:
            if isinstance(record, dict):
                self._publish_event(seq, record)
                continue
            self._service.record(
                self._spec.run_id,
                [record],
                channel=self._channel,
                first_seq=seq,
                recorder=self._recorder,
            )
            self._notice(record)
        if shown.shape is not None:
            height, width, channels, form = shown.shape
            image = QtGui.QImage(shown.pixels, width, height, width * channels, _FORMATS[form])
            self._controller.frame_ready.emit(image.copy())

    def _publish_event(self, seq: int, record: dict[str, Any]) -> None:
        data = {k: v for k, v in record.items() if k not in ("type", "seq", "event", "time_ns")}
        entry = EventEntry(seq, record["event"], data, record["time_ns"])
        batch = RecordBatch(self._channel, seq, seq, events=[entry], run_id=self._spec.run_id)
        self._service.publish(batch, timeout_s=30.0)

    def _notice(self, record: Any) -> None:
        if isinstance(record, StepRecord):
            self._steps += 1
            self._episode_step += 1
            self._observation = record.observation
            self._controller.stepped.emit(record)
        elif isinstance(record, EpisodeRecord):
            self._over = True
            self._controller.episode_finished.emit(record)
        else:
            self._over, self._episode_step = False, 0
            self._observation = record.observation
