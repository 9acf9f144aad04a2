"""A human session: who may choose actions, at what pace, and what the window hears of it."""

from __future__ import annotations

import sys
import time
from typing import Any

from PySide6 import QtCore, QtGui

from gym_gui.controllers.session_choice import ActionChooser
from gym_gui.controllers.session_thread import SessionPlan, SessionThread
from gym_gui.core.errors import ControlModeError
from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir
from gym_gui.core.records import ControlMode, RunSpec
from gym_gui.services.human_session import PolicySource

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
    blank = QtCore.Signal(str)  # there is no picture, and why
    began = QtCore.Signal(object)  # ResetRecord
    stepped = QtCore.Signal(object)  # StepRecord
    situation_changed = QtCore.Signal(object, bool)  # Situation, whether the human is to act
    episode_finished = QtCore.Signal(object)  # EpisodeRecord
    paused_changed = QtCore.Signal(bool)
    noticed = QtCore.Signal(str)  # something to know: a full disk, an undo that cannot be
    ended = QtCore.Signal(str)  # the reason, empty when it was asked for
    stored = QtCore.Signal(object)  # RunRecord, after ``ended``
    mode_changed = QtCore.Signal(object)  # ControlMode

    def __init__(self, data_dir: DataDir, *, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._data_dir = data_dir
        self._chooser = ActionChooser(mode=ControlMode.HUMAN_ONLY, realtime=False, has_policy=False)
        self._thread: SessionThread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def mode(self) -> ControlMode:
        return self._chooser.mode

    @property
    def holds(self) -> bool:
        """Whether keys are held, rather than pressed for one action each."""
        return self._chooser.holds

    @property
    def is_behind(self) -> bool:
        """Whether an action waits that was asked for earlier."""
        return self._chooser.is_behind

    def start(
        self,
        env_id: str,
        *,
        python: str | None = None,
        mode: ControlMode = ControlMode.HUMAN_ONLY,
        realtime: bool = False,
        seed: int | None = None,
        options: dict[str, Any] | None = None,
        policy: PolicySource | None = None,
        seat: int = 0,
        frames_per_s: float | None = None,
    ) -> str:
        """Begin a session and return its run id; a session under way is stopped first.

        policy: a saved one that plays in the other modes; seat: which agent of a game the
        human is, from 0; frames_per_s: the pace, by default the environment's own.
        Raises ControlModeError for a mode that needs a policy without one.
        """
        self.stop()
        self._chooser = ActionChooser(mode=mode, realtime=realtime, has_policy=policy is not None)
        spec = RunSpec(
            new_run_id(f"play {env_id}"),
            "human",
            [python or sys.executable],
            str(self._data_dir.root),
            name=f"Playing {env_id}",
            env_id=env_id,
            seed=seed,
            config={"control": mode.value, **({"policy": policy.to_dict()} if policy else {})},
            mode="human",
            created_ns=time.time_ns(),
        )
        plan = SessionPlan(spec, seed, options or {}, policy, frames_per_s, seat)
        self._thread = SessionThread(plan, self._data_dir, self._chooser, self._hear)
        return spec.run_id

    def stop(self, *, timeout_s: float = 8.0) -> None:
        """End the session; what was played is committed. Twice is safe."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.ask_to_stop()
            thread.join(timeout_s)

    def request_stop(self) -> None:
        """Ask the session to end without waiting for it; ``ended`` follows."""
        if self._thread is not None:
            self._thread.ask_to_stop()

    def set_mode(self, mode: ControlMode) -> None:
        """Change who may choose actions. Raises ControlModeError without a policy to do it."""
        self._chooser.mode = self._chooser.checked(mode)
        self._chooser.hold(None)
        self._chooser.forget_presses()
        self._chooser.wake.set()
        self.mode_changed.emit(mode)

    def perform_human_action(self, action: Any) -> None:
        """Take one action. Raises ControlModeError where the mode does not accept it."""
        self._chooser.perform(action)

    def hold_action(self, action: Any) -> None:
        """Hold an action, for the real-time pace and for taking over; None lets it go."""
        self._chooser.hold(action)

    def set_idle(self, action: Any) -> None:
        """Say what is done at real-time pace while nothing is pressed."""
        self._chooser.idle = action

    def reset(self, seed: int | None = None) -> None:
        """Begin another episode, with a chosen seed or a fresh one."""
        self._request("reset", seed)

    def undo(self) -> None:
        """Take the last step back; where time goes on by itself, pause there."""
        self._request("undo", None)

    def set_paused(self, paused: bool) -> None:
        if self._thread is not None:
            self._thread.paused = paused
            self._chooser.wake.set()

    def _request(self, what: str, seed: int | None) -> None:
        if self._thread is None:
            raise ControlModeError("No session is going on.", next_step="Press Play first.")
        self._thread.requests.put((what, seed))
        self._chooser.wake.set()

    def _hear(self, name: str, *values: Any) -> None:
        """Pass on what the session's thread tells; called from that thread."""
        signals: dict[str, Any] = {
            "began": self.began,
            "blank": self.blank,
            "episode_finished": self.episode_finished,
            "noticed": self.noticed,
            "paused": self.paused_changed,
            "situation": self.situation_changed,
            "started": self.started,
            "stepped": self.stepped,
        }
        try:
            if name == "frame":
                self.frame_ready.emit(_image(*values))
            elif name == "ended":
                reason, record = values
                self.ended.emit(reason)
                if record is not None:
                    self.stored.emit(record)
            else:
                signals[name].emit(*values)
        except RuntimeError:
            return  # the window is gone, and with it whoever would listen


def _image(pixels: bytes, height: int, width: int, channels: int, form: str) -> QtGui.QImage:
    """Return an owned image, in the format that paints quickest."""
    image = QtGui.QImage(pixels, width, height, width * channels, _FORMATS[form])
    if form == "BGRX":
        return image.copy()
    return image.convertToFormat(QtGui.QImage.Format.Format_RGB32)
