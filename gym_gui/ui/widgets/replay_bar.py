"""The controls of a replay: which episode, which step, playing, speed, jumps."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.services.replay_index import JUMPS
from gym_gui.ui import theme
from gym_gui.ui.icons import icon
from gym_gui.ui.widgets.numbers import SpinBox
from gym_gui.ui.widgets.timeline import Timeline

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class ReplayBar(QtWidgets.QFrame):
    """Emits what the user asks for; its sliders and fields show what is set on it."""

    episode_chosen = QtCore.Signal(int)  # position in the index
    step_chosen = QtCore.Signal(int)  # -1: the reset
    play_toggled = QtCore.Signal(bool)
    jump_requested = QtCore.Signal(str)  # one of JUMPS
    beside_chosen = QtCore.Signal(str)  # run id, empty for none

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(8, 4, 8, 6)
        grid.addWidget(QtWidgets.QLabel(self.tr("Episode")), 0, 0)
        self.episode, self.episode_field = self._scale(self.tr("Episode"), self.episode_chosen)
        grid.addWidget(self.episode, 0, 1)
        grid.addWidget(self.episode_field, 0, 2)
        grid.addWidget(QtWidgets.QLabel(self.tr("Step")), 1, 0)
        self.step, self.step_field = self._scale(self.tr("Step"), self.step_chosen)
        self.step_field.setSpecialValueText(self.tr("Reset"))  # the least, before the first step
        grid.addWidget(self.step, 1, 1)
        grid.addWidget(self.step_field, 1, 2)
        self.timeline = Timeline()
        self.timeline.step_chosen.connect(self.step_chosen)
        grid.addWidget(self.timeline, 2, 1)
        grid.addLayout(self._make_buttons(), 3, 0, 1, 3)
        grid.setColumnStretch(1, 1)

    def _scale(
        self, name: str, chosen: QtCore.SignalInstance
    ) -> tuple[QtWidgets.QSlider, QtWidgets.QSpinBox]:
        slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        field = SpinBox()
        field.setKeyboardTracking(False)
        field.setMinimumWidth(96)
        for widget in (slider, field):
            widget.setAccessibleName(name)
            widget.setEnabled(False)
            widget.valueChanged.connect(chosen)
        return slider, field

    def _make_buttons(self) -> QtWidgets.QHBoxLayout:
        row = QtWidgets.QHBoxLayout()
        key = QtCore.Qt.Key
        self.first = self._button("first", self.tr("To the reset (Home)"), key.Key_Home)
        self.back = self._button("back", self.tr("One step back (Left)"), key.Key_Left)
        self.play = self._button("play", self.tr("Play or pause (Space)"), key.Key_Space)
        self.play.setCheckable(True)
        self.forward = self._button("forward", self.tr("One step on (Right)"), key.Key_Right)
        self.last = self._button("last", self.tr("To the end (End)"), key.Key_End)
        self.first.clicked.connect(lambda: self.step_chosen.emit(self.step.minimum()))
        self.back.clicked.connect(lambda: self.step_chosen.emit(self.step.value() - 1))
        self.forward.clicked.connect(lambda: self.step_chosen.emit(self.step.value() + 1))
        self.last.clicked.connect(lambda: self.step_chosen.emit(self.step.maximum()))
        self.play.toggled.connect(self._played)
        for button in (self.first, self.back, self.play, self.forward, self.last):
            button.setAutoRepeat(button in (self.back, self.forward))
            row.addWidget(button)
        self.speed = QtWidgets.QComboBox()
        self.speed.setAccessibleName(self.tr("Speed"))
        for value in SPEEDS:
            self.speed.addItem(f"{value:g}×", value)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        row.addWidget(self.speed)
        row.addStretch(1)
        self.jump = QtWidgets.QComboBox()
        self.jump.setAccessibleName(self.tr("Jump to an episode"))
        self.jump.addItem(self.tr("Jump to…"), "")
        for where in JUMPS:
            self.jump.addItem(self.tr(where.capitalize()), where)
            if where == "largest reward":
                self.jump.addItem(self.tr("Next largest reward"), "next largest reward")
        self.jump.activated.connect(self._jumped)
        row.addWidget(self.jump)
        self.beside = QtWidgets.QComboBox()
        self.beside.setAccessibleName(self.tr("Run shown beside"))
        self.beside.setSizeAdjustPolicy(
            QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.beside.setMinimumContentsLength(22)
        self.beside.addItem(self.tr("Nothing beside it"), "")
        self.beside.activated.connect(
            lambda: self.beside_chosen.emit(str(self.beside.currentData()))
        )
        row.addWidget(self.beside)
        return row

    def _button(self, name: str, help: str, key: QtCore.Qt.Key) -> QtWidgets.QToolButton:
        button = QtWidgets.QToolButton()
        button.setIcon(icon(name, theme.current().text))
        button.setToolTip(help)
        button.setAccessibleName(help)
        button.setAutoRaise(True)
        button.setShortcut(QtGui.QKeySequence(key))
        return button

    def _played(self, playing: bool) -> None:
        self.play.setIcon(icon("pause" if playing else "play", theme.current().text))
        self.play_toggled.emit(playing)

    def _jumped(self) -> None:
        where = str(self.jump.currentData())
        self.jump.setCurrentIndex(0)
        if where:
            self.jump_requested.emit(where)

    def changeEvent(self, event: QtCore.QEvent) -> None:
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            names = ("first", "back", "forward", "last")
            for name in names:
                getattr(self, name).setIcon(icon(name, theme.current().text))
            playing = self.play.isChecked()
            self.play.setIcon(icon("pause" if playing else "play", theme.current().text))
        super().changeEvent(event)

    @property
    def speed_factor(self) -> float:
        return float(self.speed.currentData())

    def set_episodes(self, count: int) -> None:
        """Offer ``count`` episodes."""
        for widget in (self.episode, self.episode_field):
            with QtCore.QSignalBlocker(widget):
                widget.setRange(0, max(0, count - 1))
            widget.setEnabled(count > 0)

    def set_episode(self, position: int) -> None:
        """Show which episode is open, telling nobody."""
        _set(position, self.episode, self.episode_field)

    def set_steps(self, count: int) -> None:
        """Offer the reset (-1) and ``count`` steps."""
        for widget in (self.step, self.step_field):
            with QtCore.QSignalBlocker(widget):
                widget.setRange(-1, count - 1)
            widget.setEnabled(count > 0)

    def set_step(self, step: int) -> None:
        """Show which step is on the screen, telling nobody."""
        _set(step, self.step, self.step_field)


def _set(value: int, *widgets: QtWidgets.QSlider | QtWidgets.QSpinBox) -> None:
    for widget in widgets:
        with QtCore.QSignalBlocker(widget):
            widget.setValue(value)
