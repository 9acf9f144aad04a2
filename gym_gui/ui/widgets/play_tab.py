"""Playing an environment by hand: the picture, who is in control, and what the keys do."""

from __future__ import annotations

import sys
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.controllers.human_input import HumanInputController
from gym_gui.controllers.session import Policy, SessionController
from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import ControlMode, EpisodeRecord, StepRecord
from gym_gui.services.workers.environments import Interpreter, interpreter_info

_MODES = {
    ControlMode.HUMAN_ONLY: "You play",
    ControlMode.HYBRID_TAKE_OVER: "Agent plays, hold a key to take over",
    ControlMode.HYBRID_TURN_BASED: "Take turns with the agent",
    ControlMode.AGENT_ONLY: "Agent plays",
}


class Screen(QtWidgets.QWidget):
    """The picture, scaled to fit; it holds the keyboard's focus. empty: shown without one."""

    def __init__(
        self,
        parent: QtWidgets.QWidget | None = None,
        *,
        empty: str = "Choose an environment and press Play.",
    ) -> None:
        super().__init__(parent)
        self._empty = empty
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Picture of the environment")
        self.setMinimumSize(240, 180)
        self.image = QtGui.QImage()

    def show_image(self, image: QtGui.QImage) -> None:
        self.image = image
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        if self.image.isNull():
            painter.setPen(self.palette().placeholderText().color())
            centre = QtCore.Qt.AlignmentFlag.AlignCenter
            painter.drawText(self.rect(), centre, self._empty)
            return
        size = self.image.size().scaled(self.size(), QtCore.Qt.AspectRatioMode.KeepAspectRatio)
        place = QtCore.QRect(QtCore.QPoint(0, 0), size)
        place.moveCenter(self.rect().center())
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, self.image)


class PlayTab(QtWidgets.QWidget):
    """One human session after another. Its host calls ``cleanup()``; twice is safe."""

    def __init__(
        self,
        data_dir: DataDir,
        *,
        policy: Policy | None = None,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = SessionController(data_dir, policy=policy, parent=self)
        self.keys = HumanInputController(self.session, data_dir, self)
        self._background = Background(self)
        self._return = 0.0
        self._build()
        self.session.started.connect(self._started)
        self.session.frame_ready.connect(self.screen.show_image)
        self.session.stepped.connect(self._stepped)
        self.session.episode_finished.connect(self._finished)
        self.session.ended.connect(self._ended)
        self.keys.refused.connect(self._say)
        self.keys.watch(self.screen)
        self._background.run(
            lambda: interpreter_info(sys.executable), done=self._offer, failed=self._cannot_list
        )

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        row = QtWidgets.QHBoxLayout()
        self.environment = QtWidgets.QComboBox()
        self.environment.setEditable(True)
        self.environment.setCurrentText("CartPole-v1")
        self.environment.setAccessibleName("Environment")
        self.mode = QtWidgets.QComboBox()
        self.mode.setAccessibleName("Who is in control")
        for mode, text in _MODES.items():
            self.mode.addItem(text, mode)
        self.mode.currentIndexChanged.connect(self._mode_chosen)
        self.realtime = QtWidgets.QCheckBox("Real time")
        self.realtime.setToolTip("Off: the environment waits for each key")
        self.seed = QtWidgets.QLineEdit()
        self.seed.setPlaceholderText("fresh seed")
        self.seed.setValidator(QtGui.QIntValidator(0, 2**31 - 1, self))
        self.seed.setFixedWidth(110)
        self.play = QtWidgets.QPushButton("Play")
        self.play.setMinimumWidth(90)
        self.play.clicked.connect(self._toggle)
        self.again = QtWidgets.QPushButton("Reset")
        self.again.clicked.connect(lambda: self.session.reset(self._seed()))
        self.pause = QtWidgets.QPushButton("Pause")
        self.pause.setCheckable(True)
        self.pause.toggled.connect(self.session.set_paused)
        row.addWidget(self.environment, 2)
        row.addWidget(self.mode, 1)
        for widget in (self.realtime, self.seed, self.again, self.pause, self.play):
            row.addWidget(widget)
        layout.addLayout(row)
        self.screen = Screen()
        layout.addWidget(self.screen, 1)
        self.hud = QtWidgets.QLabel()
        self.hint = QtWidgets.QLabel()
        self.hint.setWordWrap(True)
        layout.addWidget(self.hud)
        layout.addWidget(self.hint)
        self._enable(False)

    def _enable(self, playing: bool) -> None:
        self.play.setText("Stop" if playing else "Play")
        self.again.setEnabled(playing)
        self.pause.setEnabled(playing)
        self.environment.setEnabled(not playing)
        self.realtime.setEnabled(not playing)

    def _seed(self) -> int | None:
        return int(self.seed.text()) if self.seed.text() else None

    def _offer(self, info: Interpreter) -> None:
        text = self.environment.currentText()
        self.environment.addItems(list(info.environments))
        self.environment.setCurrentText(text)
        completer = self.environment.completer()
        completer.setFilterMode(QtCore.Qt.MatchFlag.MatchContains)
        completer.setCompletionMode(QtWidgets.QCompleter.CompletionMode.PopupCompletion)

    def _cannot_list(self, error: Exception) -> None:
        self._say(str(error))

    def _toggle(self) -> None:
        if self.session.is_running:
            self.session.request_stop()
            return
        try:
            self.session.start(
                self.environment.currentText(),
                mode=ControlMode(self.mode.currentData()),
                realtime=self.realtime.isChecked(),
                seed=self._seed(),
            )
        except GymGuiError as error:
            self._say(str(error))
            return
        self._return = 0.0
        self.hud.setText("Starting…")
        self._enable(True)

    def _mode_chosen(self) -> None:
        try:
            self.session.set_mode(ControlMode(self.mode.currentData()))
        except GymGuiError as error:
            self._say(str(error))
            with QtCore.QSignalBlocker(self.mode):
                self.mode.setCurrentIndex(0)

    @QtCore.Slot(str, object)
    def _started(self, run_id: str, about: dict[str, Any]) -> None:
        self.keys.load(self.environment.currentText(), about)
        pairs = [
            f"{' + '.join(sorted(keys))}: {action}" for keys, action in self.keys.mapping.items()
        ]
        kept = f"Recorded as {run_id}."
        self.hint.setText(
            f"Keys   {'   '.join(pairs)}      {kept}"
            if pairs
            else f"This environment's actions ({about['space']['text']}) have no keys yet.   {kept}"
        )
        self.screen.setFocus()

    @QtCore.Slot(object)
    def _stepped(self, step: StepRecord) -> None:
        self._return = step.reward if step.step == 0 else self._return + step.reward
        who = "human" if step.flags & 8 else "agent"
        proposed = "" if step.proposed_action is None else f" (agent: {step.proposed_action})"
        self.hud.setText(
            f"Episode {step.episode}   step {step.step + 1}   reward {step.reward:.4g}   "
            f"return {self._return:.6g}   {who}: {step.action}{proposed}"
        )

    @QtCore.Slot(object)
    def _finished(self, episode: EpisodeRecord) -> None:
        self.hud.setText(
            f"Episode {episode.episode} ended after {episode.length} steps "
            f"with a return of {episode.return_:.6g}"
        )

    @QtCore.Slot(str)
    def _ended(self, reason: str) -> None:
        self._enable(False)
        self._say(reason or "The session ended; all of it is recorded.")

    @QtCore.Slot(str)
    def _say(self, text: str) -> None:
        self.hint.setText(text)

    def cleanup(self) -> None:
        """End the session. Twice is safe."""
        self._background.close()
        self.session.stop()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.cleanup()
        super().closeEvent(event)


def make_tab(context: Any, run_id: str, parent: QtWidgets.QWidget | None = None) -> PlayTab:
    """Return the tab; it belongs to the program, so ``run_id`` is empty."""
    return PlayTab(context.data_dir, parent=parent)
