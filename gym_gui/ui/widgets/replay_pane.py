"""One episode on the screen: its picture, and what is known of the moment shown."""

from __future__ import annotations

import html
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
from gym_gui.ui.widgets.columns import Columns
from gym_gui.ui.widgets.live_plots import LivePlot
from gym_gui.ui.widgets.screen import Screen

_LONG = 400  # characters of an observation that are shown
_FACTS = ("Step", "Action", "Reward", "Return", "Observation", "Chosen by")
_IN_PAIRS = ((0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (3, 0))  # row, column of each where low


class ReplayPane(QtWidgets.QWidget):
    """Shows what its player gives. ``cleanup`` closes the player."""

    opened = QtCore.Signal(object)  # Opened
    paced = QtCore.Signal(float)  # the environment's own frames a second

    def __init__(self, run_dir: RunDir, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_dir, self.name = run_dir, run_dir.run_id
        self.player = ReplayPlayer(run_dir, self)
        self.episode: Opened | None = None
        self._narrow = False  # there is little room: another run is beside it
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
        self._split = split = Columns()
        self.screen_ = Screen(empty=self.tr("No picture yet."))
        self.screen_.setAccessibleName(self.tr("Replayed picture"))
        split.addWidget(self.screen_)
        side = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._make_facts())
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

    def _make_facts(self) -> QtWidgets.QGridLayout:
        self._grid = QtWidgets.QGridLayout()
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnStretch(3, 1)
        self._captions: dict[str, QtWidgets.QLabel] = {}
        self._facts: dict[str, QtWidgets.QLabel] = {}
        for name in _FACTS:
            caption = self._captions[name] = QtWidgets.QLabel(self.tr(name))
            caption.setObjectName("muted")
            caption.setAlignment(QtCore.Qt.AlignmentFlag.AlignTop)
            value = self._facts[name] = QtWidgets.QLabel("–")
            value.setWordWrap(True)
            value.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self._place_facts()
        return self._grid

    def _place_facts(self) -> None:
        """Put the numbers below each other, or where there is little height in pairs."""
        self._grid.setVerticalSpacing(2 if self._narrow else 6)
        for number, name in enumerate(_FACTS):
            row, column = _IN_PAIRS[number] if self._narrow else (number, 0)
            span = 1 if self._narrow and row < 2 else 3
            for widget in (self._captions[name], self._facts[name]):
                self._grid.removeWidget(widget)
            self._grid.addWidget(self._captions[name], row, column)
            self._grid.addWidget(self._facts[name], row, column + 1, 1, span)

    def set_name(self, name: str) -> None:
        """Call the run ``name`` in the title."""
        self.name = name
        if self.episode is not None:
            self._write_title(self.episode)

    def set_narrow(self, narrow: bool) -> None:
        """Put the numbers below the picture rather than beside it."""
        way = QtCore.Qt.Orientation
        self._split.setOrientation(way.Vertical if narrow else way.Horizontal)
        self._narrow = narrow
        self._place_facts()
        self.plot.setMinimumHeight(100 if narrow else 120)
        self.plot.name_axis(not narrow)
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
        count = len(episode.steps)
        parts = [
            (self.tr("Episode {}") if self._narrow else self.tr("episode {}")).format(
                episode.episode
            ),
            self.tr("1 step") if count == 1 else self.tr("{:,} steps").format(count),
            self.tr("return {:g}").format(episode.returns[-1]),
        ]
        name = f"<b>{html.escape(self.name)}</b>"
        if self._narrow:
            parts.append(name)
        else:
            place = self.tr("{}, environment {}").format(episode.env_id, episode.stream)
            parts[:0] = [name, place if episode.stream else episode.env_id]
        self.title.setText("  ·  ".join(parts))
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
