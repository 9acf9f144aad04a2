"""Playing an environment by hand, alone, with or against an agent; all of it is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.gamepad import Gamepad
from gym_gui.controllers.human_input import HumanInputController
from gym_gui.controllers.session import SessionController
from gym_gui.controllers.session_choice import Situation
from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import ControlMode, EpisodeRecord, RunRecord, StepRecord
from gym_gui.ui import theme
from gym_gui.ui.widgets.action_panel import ActionPanel
from gym_gui.ui.widgets.key_editor import KeyEditor
from gym_gui.ui.widgets.play_hud import PlayHud
from gym_gui.ui.widgets.play_setup import PlaySetup
from gym_gui.ui.widgets.screen import Screen

EMPTY = "Choose an environment and press Play. Every step you take is recorded and can be replayed."


class PlayTab(QtWidgets.QWidget):
    """One human session after another. Its host calls ``cleanup()``; twice is safe.

    on_stored: called with the record of each session that has ended and is stored.
    """

    def __init__(
        self,
        data_dir: DataDir,
        *,
        on_stored: Callable[[RunRecord], None] = lambda record: None,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = SessionController(data_dir, parent=self)
        self.keys = HumanInputController(self.session, data_dir, self)
        self.gamepad = Gamepad(self)
        self._agents: list[str] = []
        self._run_id = ""
        self._build()
        self._connect(on_stored)
        self._enable(False)

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.setup = PlaySetup()
        layout.addWidget(self.setup)
        self.screen_ = Screen(empty=self.tr(EMPTY))
        self.actions_ = ActionPanel(self.keys)
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._side())
        area.setMinimumWidth(240)
        split = QtWidgets.QSplitter()
        split.setChildrenCollapsible(False)
        split.addWidget(self.screen_)
        split.addWidget(area)
        split.setStretchFactor(0, 1)
        split.setSizes([820, 260])
        layout.addWidget(split, 1)
        self.hud = PlayHud()
        layout.addWidget(self.hud)
        self.hint = QtWidgets.QLabel()
        self.hint.setWordWrap(True)
        self.hint.setContentsMargins(10, 4, 10, 6)
        self.hint.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self.hint)

    def _side(self) -> QtWidgets.QWidget:
        side = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(side)
        column.setContentsMargins(0, 6, 0, 0)
        grid = QtWidgets.QGridLayout()
        grid.setContentsMargins(10, 0, 10, 6)
        self.again = self._button(self.tr("Reset"), self.tr("Begin anew with the seed above"))
        self.pause = self._button(self.tr("Pause"), self.tr("Let time stand still"))
        self.pause.setCheckable(True)
        self.undo = self._button(self.tr("Undo"), self.tr("Take the last step back (Backspace)"))
        self.edit = self._button(self.tr("Keys…"), self.tr("Which keys mean which action"))
        for place, button in enumerate((self.again, self.pause, self.undo, self.edit)):
            grid.addWidget(button, place // 2, place % 2)
        column.addLayout(grid)
        column.addWidget(self.actions_, 1)
        column.addStretch(0)  # the buttons stay on top while there is nothing to act on
        return side

    def _button(self, text: str, help_: str) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(text)
        button.setToolTip(help_)
        button.setFocusPolicy(QtCore.Qt.FocusPolicy.TabFocus)
        return button

    def _connect(self, on_stored: Callable[[RunRecord], None]) -> None:
        session, keys, setup = self.session, self.keys, self.setup
        setup.play_clicked.connect(self._toggle)
        setup.mode_chosen.connect(self._mode_chosen)
        setup.told.connect(self._say)
        self.again.clicked.connect(lambda: self._reset())
        self.pause.toggled.connect(self._pause)
        self.undo.clicked.connect(lambda: session.undo())
        self.edit.clicked.connect(self.edit_keys)
        take_back = QtGui.QShortcut(QtGui.QKeySequence(QtCore.Qt.Key.Key_Backspace), self.screen_)
        take_back.setContext(QtCore.Qt.ShortcutContext.WidgetShortcut)
        take_back.activated.connect(self.undo.click)
        session.started.connect(self._started)
        session.frame_ready.connect(self.screen_.show_image)
        session.blank.connect(self._blank)
        session.began.connect(self._began)
        session.stepped.connect(self._stepped)
        session.situation_changed.connect(self._situation)
        session.episode_finished.connect(self._finished)
        session.paused_changed.connect(self.pause.setChecked)
        session.noticed.connect(self._warn)
        session.ended.connect(self._ended)
        session.stored.connect(on_stored)
        keys.refused.connect(self._warn)
        keys.failed.connect(lambda error: self._warn(str(error)))
        keys.watch(self.screen_)
        self.gamepad.pressed.connect(keys.press)
        self.gamepad.released.connect(keys.release)
        self.gamepad.pushed.connect(keys.push)
        self.gamepad.plugged.connect(self._plugged)

    def _enable(self, playing: bool) -> None:
        self.setup.show_playing(playing)
        for button in (self.again, self.pause, self.undo, self.edit):
            button.setEnabled(playing)
        self.actions_.setVisible(playing)
        if not playing:
            self.pause.setChecked(False)

    # -- what the user does ------------------------------------------------------------------------

    def _toggle(self) -> None:
        if self.session.is_running:
            self.session.request_stop()
            return
        try:
            arguments = self.setup.arguments()
            self.session.start(self.setup.env_id, **arguments)
        except GymGuiError as error:
            self._warn(str(error))
            return
        self.hud.clear()
        self.screen_.clear(self.tr("Starting {}…").format(self.setup.env_id))
        self._say("")
        self._enable(True)
        self.gamepad.start()

    def _reset(self) -> None:
        self.session.reset(self.setup.chosen_seed())
        self.pause.setChecked(False)
        self.screen_.setFocus()

    def _pause(self, paused: bool) -> None:
        self.session.set_paused(paused)
        self.pause.setText(self.tr("Go on") if paused else self.tr("Pause"))
        self.screen_.show_note(self.tr("Paused") if paused else "")
        self.screen_.setFocus()

    @QtCore.Slot(object)
    def _mode_chosen(self, mode: ControlMode) -> None:
        if not self.session.is_running:
            return
        try:
            self.session.set_mode(mode)
        except GymGuiError as error:
            self._warn(str(error))
            self.setup.mode.setCurrentIndex(0)

    def edit_keys(self) -> KeyEditor:
        """Open the dialog for this environment's keys; time stands still meanwhile."""
        self.pause.setChecked(self.session.holds)
        dialog = KeyEditor(self.keys.env_id, self.keys.mapping, self)
        dialog.saved.connect(self.keys.set_mapping)
        dialog.open()
        return dialog

    # -- what the session tells --------------------------------------------------------------------

    @QtCore.Slot(str, object)
    def _started(self, run_id: str, about: dict[str, Any]) -> None:
        self._run_id, self._agents = run_id, list(about["agents"])
        self.keys.load(self.setup.env_id, about)
        self._say(self.tr("Recorded as {}.").format(run_id))
        self.screen_.setFocus()

    @QtCore.Slot(str)
    def _blank(self, why: str) -> None:
        text = self.tr("There is no picture of this environment: {}. Its numbers are below.")
        if text.format(why) != self.screen_.empty or not self.screen_.image.isNull():
            self.screen_.clear(text.format(why))

    @QtCore.Slot(object)
    def _began(self, record: Any) -> None:
        self.hud.begin(record)
        self.screen_.show_note("")
        self._say(self.tr("Recorded as {}.").format(self._run_id))

    @QtCore.Slot(object)
    def _stepped(self, step: StepRecord) -> None:
        self.hud.step(step)

    @QtCore.Slot(object, bool)
    def _situation(self, situation: Situation, human: bool) -> None:
        self.hud.place(situation)
        self.actions_.show_legal(situation.legal if not situation.over else None)
        if situation.turn:
            whose = self.tr("your move") if human else self.tr("the agent's move")
            self._say(f"{situation.turn}: {whose}.")
        if situation.over and situation.step:
            self.screen_.show_note(self._end_words())
        elif not self.pause.isChecked():
            self.screen_.show_note("")

    def _end_words(self) -> str:
        by_key = self.session.mode is ControlMode.HUMAN_ONLY and not self.session.holds
        if by_key or (self._agents and self.session.mode is not ControlMode.AGENT_ONLY):
            return self.tr("The episode is over. Press any of its keys for another.")
        return self.tr("The episode is over.")

    @QtCore.Slot(object)
    def _finished(self, episode: EpisodeRecord) -> None:
        self.hud.finish(episode)

    @QtCore.Slot(str)
    def _ended(self, reason: str) -> None:
        self._enable(False)
        self.gamepad.stop()
        if self.screen_.image.isNull():
            self.screen_.clear(self.tr(EMPTY))
        self.screen_.show_note("")
        if reason:
            self._warn(reason)
        else:
            self._say(self.tr("The session ended; every step of {} is kept.").format(self._run_id))

    @QtCore.Slot(str)
    def _plugged(self, name: str) -> None:
        self._say(self.tr("Gamepad: {}.").format(name) if name else self.tr("The gamepad is gone."))

    @QtCore.Slot(str)
    def _say(self, text: str) -> None:
        self.hint.setStyleSheet(f"color: {theme.current().muted}")
        self.hint.setText(text)

    @QtCore.Slot(str)
    def _warn(self, text: str) -> None:
        self.hint.setStyleSheet(f"color: {theme.current().warn}")
        self.hint.setText(text)

    def cleanup(self) -> None:
        """End the session. Twice is safe."""
        self.gamepad.stop()
        self.setup.close_background()
        self.keys.close()
        self.session.stop()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.cleanup()
        super().closeEvent(event)


def make_tab(context: Any, run_id: str, parent: QtWidgets.QWidget | None = None) -> PlayTab:
    """Return the tab; it belongs to the program, so ``run_id`` is empty."""
    return PlayTab(
        context.data_dir,
        on_stored=lambda record: context.link.runs_changed.emit([record]),
        parent=parent,
    )
