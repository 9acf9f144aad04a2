"""A thin band under the step slider: where a human acted, and where rewards were large."""

from __future__ import annotations

import numpy as np
from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import STEP_HUMAN, STEP_INTERVENTION, StepRecord
from gym_gui.ui import theme

HEIGHT = 8


class Timeline(QtWidgets.QWidget):
    """Marks of one episode's steps, hidden where there are none; a click chooses a step."""

    step_chosen = QtCore.Signal(int)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self._who = np.zeros(0, np.uint8)  # 0 agent, 1 human, 2 intervention
        self._peaks: list[int] = []
        self.setAccessibleName(self.tr("Who acted at each step"))
        self.hide()

    def show_steps(self, steps: list[StepRecord]) -> None:
        """Show another episode."""
        flags = np.array([step.flags for step in steps], dtype=np.int64)
        human = (flags & STEP_HUMAN > 0).astype(np.uint8)
        self._who = human + (flags & STEP_INTERVENTION > 0).astype(np.uint8) * human
        self._peaks = _peaks(np.array([step.reward for step in steps], dtype=float))
        count = int((self._who == 2).sum())
        told = [self.tr("{} interventions").format(count)] if count else []
        told += [self.tr("{} large rewards").format(len(self._peaks))] if self._peaks else []
        self.setToolTip(", ".join(told))
        self.setVisible(bool(self._peaks) or bool(human.any()))
        self.update()

    @property
    def interventions(self) -> int:
        return int((self._who == 2).sum())

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        colours = theme.current()
        band = QtCore.QRect(0, 2, self.width(), HEIGHT - 4)
        painter.fillRect(band, QtGui.QColor(colours.line))
        for kind, colour in ((1, colours.accent), (2, colours.warn)):
            for first, end in _stretches(self._who == kind):
                left, right = self._x(first), max(self._x(end), self._x(first) + 2)
                painter.fillRect(left, 2, right - left, HEIGHT - 4, QtGui.QColor(colour))
        for step in self._peaks:
            painter.fillRect(self._x(step), 0, 2, HEIGHT, QtGui.QColor(colours.good))

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if len(self._who):
            place = event.position().x() / max(1, self.width())
            self.step_chosen.emit(min(int(place * len(self._who)), len(self._who) - 1))

    def _x(self, step: int) -> int:
        return round(self.width() * step / max(1, len(self._who)))


def _stretches(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return where a mask is set, as first and end of each stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _peaks(rewards: np.ndarray, *, most: int = 20) -> list[int]:
    """Return the steps whose reward stands out: far from the usual one, the furthest first."""
    if len(rewards) < 2:
        return []
    away = np.abs(np.nan_to_num(rewards) - np.nanmedian(rewards))
    spread = float(np.nanstd(rewards))
    if spread == 0.0:
        return []
    found = np.flatnonzero(away > 4.0 * spread)
    return found[np.argsort(-away[found], kind="stable")][:most].tolist()
