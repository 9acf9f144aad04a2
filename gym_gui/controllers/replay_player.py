"""One episode's replay on a thread of its own: the GUI asks, the newest wish wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6 import QtCore, QtGui

from gym_gui.core.errors import GymGuiError, ReplayError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import ResetRecord, StepRecord
from gym_gui.services.replay import EpisodeReplay
from gym_gui.services.replay_index import episode_of_seed


@dataclass(frozen=True)
class Opened:
    """An episode that is ready. returns: return after each step."""

    run_id: str
    stream: int
    episode: int
    env_id: str
    steps: list[StepRecord]
    reset: ResetRecord | None
    returns: np.ndarray
    recorded: bool  # every picture was recorded


class ReplayPlayer(QtCore.QObject):
    """Opens episodes and shows moments of them. ``close`` returns at once."""

    opened = QtCore.Signal(object)  # Opened
    frame_ready = QtCore.Signal(int, QtGui.QImage)  # step (-1: the reset), its picture
    checked = QtCore.Signal(object, float)  # Divergence or None, the environment's frames/s or 0
    failed = QtCore.Signal(object)  # the error

    def __init__(self, run_dir: RunDir, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._run_dir = run_dir
        self._wish = threading.Condition()
        self._episode: Callable[[], tuple[int, int]] | None = None
        self._step: int | None = None
        self._closed = False
        self._replay: EpisodeReplay | None = None
        self._told = False
        self._thread: threading.Thread | None = None

    def open(self, stream: int, episode: int) -> None:
        """Open an episode; ``opened`` or ``failed`` follows."""
        self._ask(lambda: (stream, episode))

    def open_seed(self, seed: int | None, episode: int) -> None:
        """Open the episode that began with ``seed``, or else stream 0's ``episode``."""
        self._ask(lambda: episode_of_seed(self._run_dir, seed, episode))

    def _ask(self, episode: Callable[[], tuple[int, int]]) -> None:
        with self._wish:
            self._episode, self._step = episode, None
            self._wish.notify()
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._work, name="replay")
            self._thread.start()

    def show(self, step: int) -> None:
        """Ask for a moment of the open episode; an older wish not yet begun is dropped."""
        with self._wish:
            self._step = step
            self._wish.notify()

    def close(self) -> None:
        """Let the thread end; nothing is told any more. Twice is safe."""
        with self._wish:
            self._closed = True
            self._wish.notify()
        replay = self._replay
        if replay is not None:
            replay.interrupt()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the thread after ``close``."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        while self._wait():
            with self._wish:
                episode, self._episode = self._episode, None
                step, self._step = self._step, None
            try:
                if episode is not None:
                    self._open(*episode())
                if step is not None:
                    self._show(step)
            except GymGuiError as error:
                self._tell(self.failed, error)
            except Exception as error:  # noqa: BLE001 - a thread's edge: the user is told
                self._tell(self.failed, ReplayError(f"{type(error).__name__}: {error}."))
        if self._replay is not None:
            self._replay.close()

    def _wait(self) -> bool:
        with self._wish:
            self._wish.wait_for(
                lambda: self._closed or self._episode is not None or self._step is not None
            )
            return not self._closed

    def _open(self, stream: int, episode: int) -> None:
        old, self._replay = self._replay, None
        if old is None:
            self._replay = EpisodeReplay(self._run_dir, stream=stream, episode=episode)
        else:
            try:
                self._replay = old.go_to(stream, episode)
            except BaseException:
                old.close()
                raise
        found = self._replay
        self._told = False
        rewards = np.array([step.reward for step in found.steps])
        env_id = found.info.env_id if found.info else ""
        self._tell(
            self.opened,
            Opened(
                self._run_dir.run_id, found.stream, found.episode, env_id, found.steps,
                found.reset, np.cumsum(rewards), found.has_frames,
            ),
        )  # fmt: skip

    def _show(self, step: int) -> None:
        replay = self._replay
        if replay is None:
            return
        step = min(step, len(replay) - 1)
        frame = replay.frame(step)
        if replay.simulated and not self._told:
            self._told = True
            self._tell(self.checked, replay.divergence, replay.frames_per_s or 0.0)
        height, width, _ = frame.shape
        pixels = np.ascontiguousarray(frame)
        image = QtGui.QImage(
            pixels.data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888
        )
        self._tell(self.frame_ready, step, image.convertToFormat(QtGui.QImage.Format.Format_RGB32))

    def _tell(self, signal: Any, *values: object) -> None:
        if self._closed:
            return
        try:
            signal.emit(*values)
        except RuntimeError:
            self._closed = True  # the widget is gone, and with it whoever would listen
