"""The line of numbers below a played picture: where the episode stands, and who acts."""

from __future__ import annotations

from typing import Any

from PySide6 import QtWidgets

from gym_gui.controllers.session_choice import Situation
from gym_gui.core.records import (
    STEP_HUMAN,
    STEP_INTERVENTION,
    EpisodeRecord,
    ResetRecord,
    StepRecord,
)
from gym_gui.ui import theme

_NUMBERS = ("Episode", "Step", "Reward", "Return", "Seed")


class PlayHud(QtWidgets.QFrame):
    """Shows what the session tells; keeps only sums."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(10, 5, 10, 5)
        row.setSpacing(18)
        self._numbers: dict[str, QtWidgets.QLabel] = {}
        for name in _NUMBERS:
            label = QtWidgets.QLabel()
            row.addWidget(label)
            self._numbers[name] = label
        row.addStretch(1)
        self.actor = QtWidgets.QLabel()
        row.addWidget(self.actor)
        self._returns: dict[str, float] = {}
        self.interventions = 0
        self._step = 0
        self.clear()

    def clear(self) -> None:
        """Show that nothing is played."""
        self._returns, self.interventions, self._step = {}, 0, 0
        for name in _NUMBERS:
            self._show(name, "–")
        self.actor.setText("")

    def text(self, name: str) -> str:
        """Return what stands behind ``name``."""
        return self._numbers[name].property("value")

    def begin(self, record: ResetRecord) -> None:
        self._returns, self.interventions, self._step = {}, 0, 0
        for name, value in zip(_NUMBERS, (record.episode, 0, "–", 0, record.seed), strict=True):
            self._show(name, str(value))
        self.actor.setText("")

    def step(self, record: StepRecord) -> None:
        before = self._returns.get(record.agent, 0.0)
        self._returns[record.agent] = before + record.reward
        self._show("Episode", str(record.episode))
        self._show("Step", str(record.step + 1))
        self._show("Reward", f"{record.reward:.4g}")
        self._show("Return", self._returns_text())
        self._show_actor(record)

    def place(self, situation: Situation) -> None:
        """Show where the episode stands, after steps were taken back too."""
        if situation.over:
            return
        if situation.step < self._step:
            self._show("Reward", "–")
            self.actor.setText("")
            if not situation.turn:
                self._returns = {"": situation.return_}
                self._show("Return", self._returns_text())
        self._step = situation.step
        self._show("Step", str(situation.step))

    def finish(self, record: EpisodeRecord) -> None:
        self._returns[record.agent] = record.return_
        self._show("Return", self._returns_text())

    def _returns_text(self) -> str:
        parts = [f"{name} {value:.6g}".strip() for name, value in self._returns.items()]
        return ", ".join(parts)

    def _show_actor(self, record: StepRecord) -> None:
        taken, proposed = _short(record.action), _short(record.proposed_action)
        colours = theme.current()
        who = self.tr("you") if record.flags & STEP_HUMAN else self.tr("agent")
        if record.agent:
            who = f"{record.agent} ({who})"
        if record.flags & STEP_INTERVENTION:
            self.interventions += 1
            text = self.tr("intervention {}: {}, not {}").format(
                self.interventions, taken, proposed
            )
            told = self.tr("You did {}; the agent proposed {}.").format(taken, proposed)
            self.actor.setToolTip(told)
            self.actor.setStyleSheet(f"color: {colours.warn}; font-weight: 600")
        else:
            text = f"{who}: {taken}"
            self.actor.setToolTip("")
            colour = colours.accent if record.flags & STEP_HUMAN else colours.muted
            self.actor.setStyleSheet(f"color: {colour}")
        self.actor.setText(text)

    def _show(self, name: str, value: str) -> None:
        label = self._numbers[name]
        if label.property("value") == value:
            return
        label.setProperty("value", value)
        muted = theme.current().muted
        label.setText(f'<span style="color:{muted}">{name}</span>&nbsp; {value}')


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_short(part) for part in value[:6]) + ("…]" if value[6:] else "]")
    return f"{value:.3g}" if isinstance(value, float) else str(value)
