"""What is played, by whom, at what pace: the controls above the picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.errors import UsageError
from gym_gui.core.records import ControlMode
from gym_gui.services.human_session import PolicySource
from gym_gui.services.workers.environments import Interpreter, interpreter_info
from gym_gui.ui.widgets.forms import find_anywhere
from gym_gui.ui.widgets.numbers import SpinBox

MODES = {
    ControlMode.HUMAN_ONLY: "You play",
    ControlMode.HYBRID_TAKE_OVER: "Agent plays, a held key takes over",
    ControlMode.HYBRID_TURN_BASED: "You and the agent take turns",
    ControlMode.AGENT_ONLY: "Agent plays",
}
_LOADED = {
    "sb3": ("Stable-Baselines3 model…", "Models (*.zip)"),
    "cleanrl": ("CleanRL checkpoint…", "Checkpoints (*.cleanrl_model *.pt *.pth);;All files (*)"),
    "python": ("Python function…", ""),
}
SEATS = (("Play first", 0), ("Play second", 1))


class PlaySetup(QtWidgets.QFrame):
    """Holds what the next session shall be; emits what asks for something at once."""

    play_clicked = QtCore.Signal()
    mode_chosen = QtCore.Signal(object)  # ControlMode
    told = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self._background = Background(self)
        self._python: str | None = None
        self._build()
        self._list_environments()

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        self.environment = QtWidgets.QComboBox()
        self.environment.setEditable(True)
        self.environment.setCurrentText("CartPole-v1")
        self.environment.setAccessibleName(self.tr("Environment"))
        self.environment.setMinimumContentsLength(20)
        self.agent = QtWidgets.QComboBox()
        self.agent.setAccessibleName(self.tr("Agent"))
        self.agent.addItem(self.tr("No agent"), None)
        self.agent.addItem(self.tr("Random agent"), PolicySource("random"))
        for kind, (title, _) in _LOADED.items():
            self.agent.addItem(self.tr(title), kind)
        self.agent.activated.connect(self._agent_chosen)
        self._agent_place = 0
        self.mode = QtWidgets.QComboBox()
        self.mode.setAccessibleName(self.tr("Who is in control"))
        for mode, text in MODES.items():
            self.mode.addItem(self.tr(text), mode)
        self.mode.currentIndexChanged.connect(
            lambda: self.mode_chosen.emit(ControlMode(self.mode.currentData()))
        )
        self.play = QtWidgets.QPushButton(self.tr("Play"))
        self.play.setProperty("primary", True)
        self.play.setMinimumWidth(84)
        self.play.clicked.connect(self.play_clicked)
        first = QtWidgets.QHBoxLayout()
        first.addWidget(self.environment, 3)
        first.addWidget(self.agent, 2)
        first.addWidget(self.mode, 2)
        first.addWidget(self.play)
        layout.addLayout(first)
        layout.addLayout(self._second_row())
        self._offer_modes()

    def _second_row(self) -> QtWidgets.QHBoxLayout:
        row = QtWidgets.QHBoxLayout()
        self.realtime = QtWidgets.QCheckBox(self.tr("Real time"))
        self.realtime.setToolTip(self.tr("Off: the environment waits for each key"))
        self.pace = SpinBox()
        self.pace.setRange(0, 240)
        self.pace.setSpecialValueText(self.tr("Own pace"))
        self.pace.setSuffix(self.tr(" steps/s"))
        self.pace.setAccessibleName(self.tr("Steps a second"))
        self.seed = QtWidgets.QLineEdit()
        self.seed.setPlaceholderText(self.tr("Fresh seed"))
        self.seed.setAccessibleName(self.tr("Seed"))
        self.seed.setToolTip(self.tr("Seed of the next reset; empty: a fresh one each time"))
        self.seed.setValidator(QtGui.QIntValidator(0, 2**31 - 1, self))
        self.seed.setFixedWidth(104)
        self.seat = QtWidgets.QComboBox()
        self.seat.setAccessibleName(self.tr("Seat"))
        for text, place in SEATS:
            self.seat.addItem(self.tr(text), place)
        self.seat.setToolTip(self.tr("In a game against the agent"))
        self.python = QtWidgets.QComboBox()
        self.python.setAccessibleName(self.tr("Interpreter"))
        self.python.setToolTip(self.tr("The Python that has the environment and the agent"))
        self.python.addItem(self.tr("gym-gui's Python"), None)
        self.python.addItem(self.tr("Another Python…"), "")
        self.python.activated.connect(self._python_chosen)
        self.settings = QtWidgets.QLineEdit()
        self.settings.setPlaceholderText(self.tr('Settings, such as {"is_slippery": false}'))
        self.settings.setAccessibleName(self.tr("Settings of the environment, as JSON"))
        row.addWidget(self.realtime)
        row.addWidget(self.pace)
        row.addWidget(self.seed)
        row.addWidget(self.seat)
        row.addWidget(self.python)
        row.addWidget(self.settings, 1)
        self.environment.currentTextChanged.connect(self._environment_changed)
        self._environment_changed(self.environment.currentText())
        return row

    # -- what was chosen -------------------------------------------------------------------------

    @property
    def env_id(self) -> str:
        return self.environment.currentText().strip()

    def chosen_seed(self) -> int | None:
        return int(self.seed.text()) if self.seed.text() else None

    def policy(self) -> PolicySource | None:
        found = self.agent.currentData()
        return found if isinstance(found, PolicySource) else None

    def control_mode(self) -> ControlMode:
        return ControlMode(self.mode.currentData())

    def arguments(self) -> dict[str, Any]:
        """Return what ``SessionController.start`` takes. Raises UsageError for bad settings."""
        return {
            "python": self._python,
            "mode": self.control_mode(),
            "realtime": self.realtime.isChecked(),
            "seed": self.chosen_seed(),
            "options": self._options(),
            "policy": self.policy(),
            "seat": int(self.seat.currentData()),
            "frames_per_s": float(self.pace.value()) or None,
        }

    def _options(self) -> dict[str, Any]:
        text = self.settings.text().strip()
        if not text:
            return {}
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise UsageError(
                "The settings are not a JSON object.",
                next_step='Write them such as {"is_slippery": false}.',
            )
        return found

    def show_playing(self, playing: bool) -> None:
        """Leave enabled only what can change during a session."""
        self.play.setText(self.tr("Stop") if playing else self.tr("Play"))
        fixed = (self.environment, self.agent, self.realtime, self.pace, self.seat, self.python)
        for widget in (*fixed, self.settings):
            widget.setEnabled(not playing)

    def use_agent(self, source: PolicySource, title: str) -> None:
        """Offer and choose a policy."""
        place = self.agent.count() - len(_LOADED)
        self.agent.insertItem(place, title, source)
        self.agent.setCurrentIndex(place)
        self._agent_place = place
        self._offer_modes()

    def _agent_chosen(self, place: int) -> None:
        kind = self.agent.itemData(place)
        if not isinstance(kind, str):
            self._agent_place = place
            self._offer_modes()
            return
        self.agent.setCurrentIndex(self._agent_place)
        self._load(kind)

    def _load(self, kind: str) -> None:
        title, files = _LOADED[kind]
        if kind == "python":
            place, good = QtWidgets.QInputDialog.getText(
                self, self.tr("Python function"),
                self.tr("file.py:function or module:function, which takes an observation"),
            )  # fmt: skip
            if good and place.strip():
                self.use_agent(PolicySource(kind, place.strip()), Path(place.strip()).name)
            return
        path, _ = QtWidgets.QFileDialog.getOpenFileName(self, title.rstrip("…"), "", files)
        script = ""
        if path and kind == "cleanrl":
            script, _ = QtWidgets.QFileDialog.getOpenFileName(
                self, self.tr("The script that saved it"), str(Path(path).parent), "*.py"
            )
        if path and (kind != "cleanrl" or script):
            self.use_agent(PolicySource(kind, path, script), Path(path).name)

    def _offer_modes(self) -> None:
        """Let only those modes be chosen that somebody can play."""
        model: Any = self.mode.model()
        has_agent = self.policy() is not None
        for row, mode in enumerate(MODES):
            model.item(row).setEnabled(has_agent or mode is ControlMode.HUMAN_ONLY)
        if not has_agent:
            self.mode.setCurrentIndex(0)
        self.mode.setToolTip("" if has_agent else self.tr("Choose an agent for the other modes"))

    # -- environments ------------------------------------------------------------------------------

    def _environment_changed(self, env_id: str) -> None:
        self.seat.setVisible(env_id.startswith("pettingzoo/"))

    def _python_chosen(self, place: int) -> None:
        found = self.python.itemData(place)
        if found == "":
            path, _ = QtWidgets.QFileDialog.getOpenFileName(self, self.tr("Choose a Python"))
            if path:
                self.python.insertItem(1, path, path)
            self.python.setCurrentIndex(1 if path else 0)
            found = path or None
        self._python = found
        self._list_environments()

    def _list_environments(self) -> None:
        python = self._python or sys.executable
        self._background.run(
            lambda: interpreter_info(python),
            done=self._offer,
            failed=lambda error: self.told.emit(str(error)),
        )

    def _offer(self, info: Interpreter) -> None:
        text = self.environment.currentText()
        self.environment.clear()
        self.environment.addItems([*info.environments, *info.games])
        self.environment.setCurrentText(text)
        find_anywhere(self.environment)

    def close_background(self) -> None:
        """Forget what is under way. Twice is safe."""
        self._background.close()
