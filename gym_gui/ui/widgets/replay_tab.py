"""The Replay tab: any recorded moment of a run again, beside another run if one likes."""

from __future__ import annotations

import time
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.controllers.patient import Patient, signs_of
from gym_gui.controllers.replay_player import Opened
from gym_gui.core.errors import StorageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord
from gym_gui.services.registry import RunRegistry
from gym_gui.services.replay import PACE
from gym_gui.services.replay_index import EpisodeIndex, episode_index, largest_rewards
from gym_gui.ui.widgets.columns import Columns
from gym_gui.ui.widgets.export_dialog import ExportDialog
from gym_gui.ui.widgets.replay_bar import ReplayBar
from gym_gui.ui.widgets.replay_pane import ReplayPane
from gym_gui.ui.widgets.trouble_strip import TroubleStrip
from gym_gui.ui.widgets.verify_strip import VerifyStrip
from gym_gui.ui.words import run_labels

TICK_MS = 16


class ReplayTab(QtWidgets.QWidget):
    """Timeline, one pane or two, playing. Its host calls ``cleanup()``."""

    def __init__(
        self, run_id: str, *, data_dir: DataDir, parent: QtWidgets.QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.run_id = run_id
        self._data_dir = data_dir
        self._run_dir = data_dir.run(run_id)
        self._background = Background(self)
        files = (self._run_dir.root, self._run_dir.store)
        self._reading = Patient(self, sign=lambda: signs_of(*files))
        self._listing = Patient(self, sign=lambda: signs_of(data_dir.registry))
        self._index: EpisodeIndex | None = None
        self._names: dict[str, str] = {}  # of the runs, by id
        self._wanted: tuple[int, int, int] | None = None  # stream, episode, step
        self._pace = PACE
        self._at = -1.0
        self._rewards: list[tuple[int, int, int, float]] = []
        self._reward_at = -1
        self._clock = time.monotonic()
        self.beside: ReplayPane | None = None
        self._build()
        self._timer = QtCore.QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.load()

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        self.verify = VerifyStrip(self._run_dir)
        self.export = QtWidgets.QPushButton(self.tr("Export…"))
        self.export.clicked.connect(self.open_export)
        top = QtWidgets.QHBoxLayout()
        top.addWidget(self.verify, 1)
        top.addWidget(self.export)
        layout.addLayout(top)
        self.trouble = TroubleStrip()
        layout.addWidget(self.trouble)
        self.pane = ReplayPane(self._run_dir)
        self.pane.opened.connect(self._opened)
        self.pane.paced.connect(self._set_pace)
        queued = QtCore.Qt.ConnectionType.QueuedConnection
        self.pane.player.failed.connect(self._player_failed, queued)
        self._panes = Columns()
        self._panes.addWidget(self.pane)
        layout.addWidget(self._panes, 1)
        self.bar = ReplayBar()
        self.bar.episode_chosen.connect(self.open_position)
        self.bar.step_chosen.connect(self.go_to_step)
        self.bar.play_toggled.connect(self._play)
        self.bar.jump_requested.connect(self.jump)
        self.bar.beside_chosen.connect(self.show_beside)
        layout.addWidget(self.bar)

    # -- which episode --------------------------------------------------------------------------

    def load(self) -> None:
        """Read which episodes and which other runs of the same environment there are."""
        self._read_index()
        self._listing.ask(self._runs, done=self._offer_others, failed=lambda _: None)

    def _read_index(self) -> None:
        self._reading.ask(
            lambda: episode_index(self._run_dir),
            done=self._loaded,
            failed=lambda error: self.trouble.tell("file", error),
        )

    @QtCore.Slot(object)
    def _player_failed(self, error: Exception) -> None:
        """A file that cannot be read now is read as soon as it can be; the pane says the rest."""
        if isinstance(error, StorageError):
            self.trouble.tell("file", error)
            self._read_index()

    def _runs(self) -> list[RunRecord]:
        with RunRegistry(self._data_dir) as registry:
            return registry.list()

    def _offer_others(self, runs: list[RunRecord]) -> None:
        """Name this run, and offer those of the same environment to be shown beside it."""
        self._names = run_labels(runs)
        self.pane.set_name(self._names.get(self.run_id, self.run_id))
        mine = [run for run in runs if run.run_id == self.run_id]
        env_id = mine[0].spec.env_id if mine else ""
        for run in runs:
            if run.run_id != self.run_id and (not env_id or run.spec.env_id in ("", env_id)):
                self.bar.beside.addItem(self._names[run.run_id], run.run_id)

    def _loaded(self, index: EpisodeIndex) -> None:
        self.trouble.solve("file")
        self._index = index
        self.bar.set_episodes(len(index))
        if self._wanted is not None:
            self.show_episode(*self._wanted)
        elif len(index):
            self.open_position(len(index) - 1)
        else:
            self.pane._say(self.tr("No episode of this run has ended yet."))

    def show_episode(self, stream: int, episode: int, step: int = -1) -> None:
        """Open one episode at a step."""
        self._wanted = (stream, episode, step)
        self.pane.clear_notice()
        if self._index is None:
            return
        position = self._index.position(stream, episode)
        if position is not None:
            self.bar.set_episode(position)
        self.pane.player.open(stream, episode)

    @QtCore.Slot(int)
    def open_position(self, position: int) -> None:
        """Open the episode that ended as the ``position``-th."""
        if self._index is not None and 0 <= position < len(self._index):
            index = self._index
            self.show_episode(int(index.stream[position]), int(index.episode[position]))

    @QtCore.Slot(str)
    def jump(self, where: str) -> None:
        """Open the best, worst, longest, … episode; or the step of the largest reward."""
        if self._index is None:
            return
        if where in ("largest reward", "next largest reward"):
            self._to_large_reward(first=where == "largest reward")
            return
        index = self._index
        self._background.run(
            lambda: index.jump(where), done=self.open_position, failed=self.pane.refuse
        )

    def _to_large_reward(self, *, first: bool) -> None:
        """Go to the largest reward of the run, or to the one that follows in size."""

        def go(found: list[tuple[int, int, int, float]]) -> None:
            self._rewards = found
            self._reward_at = 0 if first else (self._reward_at + 1) % len(found)
            self.show_episode(*found[self._reward_at][:3])

        if first or not self._rewards:
            self._background.run(
                lambda: largest_rewards(self._run_dir), done=go, failed=self.pane.refuse
            )
        else:
            go(self._rewards)

    @QtCore.Slot(object)
    def _opened(self, episode: Opened) -> None:
        self.bar.set_steps(len(episode.steps))
        self.bar.timeline.show_steps(episode.steps)
        wanted = self._wanted
        here = wanted is not None and wanted[:2] == (episode.stream, episode.episode)
        step = wanted[2] if wanted is not None and here else -1
        # Recorded pictures begin after the first step: nothing needs to be simulated for them.
        self.go_to_step(max(step, 0) if episode.recorded else step)
        if self.beside is not None:
            self._open_beside(episode)

    # -- which step -----------------------------------------------------------------------------

    @QtCore.Slot(int)
    def go_to_step(self, step: int) -> None:
        """Show a step of the open episode, -1 being the reset."""
        step = min(max(step, self.bar.step.minimum()), self.bar.step.maximum())
        self._at = float(step)
        self._show(step)

    def _show(self, step: int) -> None:
        self.bar.set_step(step)
        self.pane.show_step(step)
        if self.beside is not None:
            self.beside.show_step(step)

    @QtCore.Slot(float)
    def _set_pace(self, frames_per_s: float) -> None:
        self._pace = frames_per_s

    @QtCore.Slot(bool)
    def _play(self, playing: bool) -> None:
        if not playing:
            self._timer.stop()
            return
        if self.bar.step.value() == self.bar.step.maximum():
            self.go_to_step(-1)
        self._clock = time.monotonic()
        self._timer.start()

    def _tick(self) -> None:
        now = time.monotonic()
        self._at += (now - self._clock) * self._pace * self.bar.speed_factor
        self._clock = now
        end = self.bar.step.maximum()
        step = min(int(self._at // 1), end)
        if step != self.bar.step.value():
            self._show(step)
        if step == end:
            self.bar.play.setChecked(False)

    # -- beside ---------------------------------------------------------------------------------

    @QtCore.Slot(str)
    def show_beside(self, run_id: str) -> None:
        """Show the same seed's episode of another run beside this one; empty: nothing."""
        if self.beside is not None:
            self.beside.cleanup()
            self.beside.deleteLater()
            self.beside = None
        self.pane.set_narrow(bool(run_id))
        self.bar.beside.setCurrentIndex(max(0, self.bar.beside.findData(run_id)))
        if not run_id:
            return
        self.beside = pane = ReplayPane(self._data_dir.run(run_id))
        pane.opened.connect(lambda _episode: pane.show_step(self.bar.step.value()))
        pane.set_name(self._names.get(run_id, run_id))
        pane.set_narrow(True)
        self._panes.addWidget(pane)
        self._panes.setSizes([self.width() // 2] * 2)
        if self.pane.episode is not None:
            self._open_beside(self.pane.episode)

    def _open_beside(self, episode: Opened) -> None:
        assert self.beside is not None
        seed = episode.reset.seed if episode.reset is not None else None
        self.beside.player.open_seed(seed, episode.episode)

    def open_export(self) -> ExportDialog:
        """Open the dialog that writes the run, or the episode that is shown, for others."""
        episode = self.pane.episode
        dialog = ExportDialog(
            self._run_dir,
            stream=episode.stream if episode else 0,
            episode=episode.episode if episode else None,
            step=self.bar.step.value(),
            frames_per_s=self._pace,
            parent=self,
        )
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    # -- end ------------------------------------------------------------------------------------

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        self.bar.play.setChecked(False)
        super().hideEvent(event)

    def cleanup(self) -> None:
        """Let go of threads and children. Twice is safe."""
        self._timer.stop()
        self._background.close()
        self._reading.close()
        self._listing.close()
        self.verify.cleanup()
        self.pane.cleanup()
        if self.beside is not None:
            self.beside.cleanup()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.cleanup()
        super().closeEvent(event)


def make_tab(context: Any, run_id: str, parent: QtWidgets.QWidget | None = None) -> ReplayTab:
    """Return the tab; ``context`` is the program's ``ProgramContext``."""
    return ReplayTab(run_id, data_dir=context.data_dir, parent=parent)
