"""One episode on the screen: its picture, and what is known of the moment shown."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.replay_player import Opened, ReplayPlayer
from gym_gui.core.errors import StorageError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import STEP_HUMAN, STEP_INTERVENTION
from gym_gui.telemetry.rows import finite_text
from gym_gui.ui import theme
from gym_gui.ui.widgets.live_plots import LivePlot
from gym_gui.ui.widgets.screen import Screen

_LONG = 400  # characters of an observation that are shown
_FACTS = ("Step", "Action", "Reward", "Return", "Observation", "Chosen by")


class ReplayPane(QtWidgets.QWidget):
    """Shows what its player gives. ``cleanup`` closes the player."""

    opened = QtCore.Signal(object)  # Opened
    paced = QtCore.Signal(float)  # the environment's own frames a second

    def __init__(self, run_dir: RunDir, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_dir = run_dir
        self.player = ReplayPlayer(run_dir, self)
        self.episode: Opened | None = None
        self._narrow = False
        self.shown = -2  # the step whose picture is on the screen
        self._build()
        queued = QtCore.Qt.ConnectionType.QueuedConnection
        self.player.opened.connect(self._opened, queued)
        self.player.frame_ready.connect(self._frame, queued)
        self.player.checked.connect(self._checked, queued)
        self.player.failed.connect(self._failed, queued)

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.title = QtWidgets.QLabel()
        self.title.setContentsMargins(4, 2, 0, 2)
        ignored = QtWidgets.QSizePolicy.Policy.Ignored
        self.title.setSizePolicy(ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        layout.addWidget(self.title)
        self._split = split = QtWidgets.QSplitter()
        split.setChildrenCollapsible(False)
        self.screen_ = Screen(empty=self.tr("No picture yet."))
        self.screen_.setAccessibleName(self.tr("Replayed picture"))
        split.addWidget(self.screen_)
        side = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(side)
        column.setContentsMargins(6, 0, 0, 0)
        form = QtWidgets.QFormLayout()
        self._facts: dict[str, QtWidgets.QLabel] = {}
        for name in _FACTS:
            label = QtWidgets.QLabel("–")
            label.setWordWrap(True)
            label.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setMinimumWidth(120)
            form.addRow(name, label)
            self._facts[name] = label
        column.addLayout(form)
        self.plot = LivePlot(self.tr("Return"), x_title=self.tr("steps"))
        column.addWidget(self.plot, 1)
        split.addWidget(side)
        split.setStretchFactor(0, 1)
        split.setSizes([600, 320])
        layout.addWidget(split, 1)
        self.message = QtWidgets.QLabel()
        self.message.setWordWrap(True)
        self.message.setContentsMargins(4, 2, 0, 2)
        layout.addWidget(self.message)
        self.notice = QtWidgets.QLabel()
        self.notice.setWordWrap(True)
        self.notice.setContentsMargins(4, 0, 0, 2)
        self.notice.hide()
        layout.addWidget(self.notice)

    def set_narrow(self, narrow: bool) -> None:
        """Put the numbers below the picture rather than beside it."""
        way = QtCore.Qt.Orientation
        self._split.setOrientation(way.Vertical if narrow else way.Horizontal)
        self._narrow = narrow
        self.plot.setMinimumHeight(64 if narrow else 120)
        if self.episode is not None:
            self._write_title(self.episode)

    def fact(self, name: str) -> str:
        """Return what is written beside ``name``."""
        return self._facts[name].text()

    def show_step(self, step: int) -> None:
        """Show a moment: its numbers at once, its picture as soon as it is there."""
        episode = self.episode
        if episode is None:
            return
        step = min(step, len(episode.steps) - 1)
        self._write(episode, step)
        self.player.show(step)
        if self.isVisible():
            self.plot.mark(float(step))

    def _write(self, episode: Opened, step: int) -> None:
        if step < 0:
            reset = episode.reset
            seed = "" if reset is None or reset.seed is None else f", seed {reset.seed}"
            observation = reset.observation if reset else None
            values = (f"reset{seed}", "–", "–", "0", _short(observation), "–")
        else:
            row = episode.steps[step]
            end = " (terminated)" if row.terminated else " (truncated)" if row.truncated else ""
            values = (
                f"{step:,} of {len(episode.steps) - 1:,}{end}", _short(row.action),
                f"{row.reward:g}", f"{episode.returns[step]:g}", _short(row.observation),
                _who(row.flags, row.proposed_action, row.agent),
            )  # fmt: skip
        for name, value in zip(_FACTS, values, strict=True):
            self._facts[name].setText(value)

    @QtCore.Slot(object)
    def _opened(self, episode: Opened) -> None:
        self.episode, self.shown = episode, -2
        self._write_title(episode)
        self.plot.show_points(np.arange(len(episode.returns)), episode.returns)
        how = "Recorded pictures." if episode.recorded else "Simulating the episode again…"
        self._say(self.tr(how))
        self.opened.emit(episode)

    def _write_title(self, episode: Opened) -> None:
        """Write what is shown; what matters beside another run comes first."""
        place = f"episode {episode.episode}"
        if not self._narrow:
            place = f"{episode.env_id}, environment {episode.stream}, {place}"
        told = f"{place}: {len(episode.steps):,} steps, return {episode.returns[-1]:g}"
        name = episode.run_id
        if self._narrow and len(name) > 16:
            name = f"{name[:8].rstrip('-')}…{name[-4:]}"
        run = f"<b>{name}</b>"
        self.title.setText(f"{told}  ·  {run}" if self._narrow else f"{run}  ·  {told}")
        self.title.setToolTip(episode.run_id)

    @QtCore.Slot(int, QtGui.QImage)
    def _frame(self, step: int, image: QtGui.QImage) -> None:
        self.shown = step
        self.screen_.show_image(image)

    @QtCore.Slot(object, float)
    def _checked(self, divergence: Any, frames_per_s: float) -> None:
        if divergence is not None and self.episode is not None and self.episode.recorded:
            self._say(
                self.tr("Recorded pictures. Simulated again it does not repeat itself: {}.").format(
                    divergence
                )
            )
        elif divergence is None:
            self._say(self.tr("Simulated again: every reward and observation is as recorded."))
        else:
            self._say(
                self.tr(
                    "This episode does not repeat itself: {}. From there on the pictures tell "
                    "another story; record frames to see it as it was."
                ).format(divergence),
                bad=True,
            )
        if frames_per_s:
            self.paced.emit(frames_per_s)

    @QtCore.Slot(object)
    def _failed(self, error: Any) -> None:
        if isinstance(error, StorageError):
            self._say("")  # the tab says it, and when it is over
        else:
            self._say(_words(error), bad=True)

    @QtCore.Slot(object)
    def refuse(self, error: Any) -> None:
        """Say why what was asked for is not shown, below what the shown episode says."""
        self.notice.setText(_words(error))
        self.notice.setStyleSheet(f"color: {theme.current().bad}")
        self.notice.show()

    def clear_notice(self) -> None:
        """Take away what ``refuse`` said: something else was asked for."""
        self.notice.clear()
        self.notice.hide()

    def _say(self, text: str, *, bad: bool = False) -> None:
        self.message.setText(text)
        colour = theme.current().bad if bad else theme.current().muted
        self.message.setStyleSheet(f"color: {colour}")

    def cleanup(self) -> None:
        """Close the player. Twice is safe."""
        self.player.close()


def _words(error: Any) -> str:
    return f"{getattr(error, 'message', error)} {getattr(error, 'next_step', '')}".strip()


def _short(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict) and set(value) == {"crc32", "shape", "dtype"}:
        return f"{value['dtype']} {tuple(value['shape'])}, checksum {value['crc32']}"
    written = json.dumps(finite_text(_rounded(value)))
    return written if len(written) <= _LONG else written[:_LONG] + "…"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _who(flags: int, proposed: Any, agent: str) -> str:
    who = "human" if flags & STEP_HUMAN else "policy" if agent else "agent"
    if flags & STEP_INTERVENTION:
        who = f"human, an intervention; the policy proposed {_short(proposed)}"
    return f"{agent} ({who})" if agent else who
