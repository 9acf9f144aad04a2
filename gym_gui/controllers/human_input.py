"""Keys and gamepads to actions: shortcuts, held keys, chords and sticks, kept per environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6 import QtCore, QtGui

from gym_gui.controllers.background import Background
from gym_gui.controllers.key_mapping import (
    NOTHING,
    KeyMap,
    action_for,
    default_mapping,
    from_pairs,
    size_of,
    to_pairs,
)
from gym_gui.controllers.session import SessionController
from gym_gui.core.errors import ControlModeError
from gym_gui.core.paths import DataDir
from gym_gui.services.key_mappings import save_mapping

_NAMES = {
    QtCore.Qt.Key.Key_Left: "left",
    QtCore.Qt.Key.Key_Right: "right",
    QtCore.Qt.Key.Key_Up: "up",
    QtCore.Qt.Key.Key_Down: "down",
    QtCore.Qt.Key.Key_Space: "space",
    QtCore.Qt.Key.Key_Return: "return",
    QtCore.Qt.Key.Key_Enter: "return",
    QtCore.Qt.Key.Key_Tab: "tab",
    QtCore.Qt.Key.Key_Shift: "shift",
    QtCore.Qt.Key.Key_Control: "control",
}


_PAD = {
    "pad up": "up", "pad down": "down", "pad left": "left", "pad right": "right",
    "pad a": "space", "pad start": "return",
}  # fmt: skip


def key_name(key: int) -> str:
    """Return a key's name: ``left``, ``space``, ``a``, …; empty for one that has none."""
    known = _NAMES.get(QtCore.Qt.Key(key))
    return known or (chr(key).lower() if 32 < key < 127 else "")


class HumanInputController(QtCore.QObject):
    """Watches a widget's keys, and a gamepad, and hands actions to the session.

    At real-time pace, and to take over from an agent, an action is held while its keys are;
    otherwise each press (and each repetition of a key that stays down) is one action.
    """

    refused = QtCore.Signal(str)  # why an action was not accepted
    mapping_changed = QtCore.Signal()
    base_changed = QtCore.Signal()
    failed = QtCore.Signal(object)  # the mapping could not be saved

    def __init__(
        self, session: SessionController, data_dir: DataDir, parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._data_dir = data_dir
        self._background = Background(self)
        self._mapping: KeyMap = {}
        self._held: set[str] = set()
        self._sticks: dict[int, float] = {}
        self.env_id = ""
        self.about: dict[str, Any] = {}
        self.base: list[Any] | None = None  # what the sliders say, of actions that are vectors

    @property
    def mapping(self) -> KeyMap:
        return dict(self._mapping)

    @property
    def space(self) -> dict[str, Any]:
        return self.about.get("space", {})

    def load(self, env_id: str, about: Mapping[str, Any]) -> None:
        """Use the mapping saved for ``env_id``, which ``about`` holds, else the default one."""
        self.env_id, self.about = env_id, dict(about)
        self.base = list(self.space["idle"]) if size_of(self.space) else None
        saved = about.get("saved_keys")
        self._held.clear()
        self._sticks.clear()
        self._use(default_mapping(about) if saved is None else from_pairs(saved))

    def set_mapping(self, mapping: KeyMap | None) -> None:
        """Change the mapping and keep it for this environment; None: its default again."""
        pairs = None if mapping is None else to_pairs(mapping)
        env_id = self.env_id
        self._background.run(
            lambda: save_mapping(self._data_dir, env_id, pairs),
            done=lambda _: None,
            failed=self.failed.emit,
        )
        self._use(default_mapping(self.about) if mapping is None else dict(mapping))

    def set_base(self, base: list[Any]) -> None:
        """Take what the sliders say."""
        self.base = list(base)
        self._session.set_idle(list(base))
        self._changed(pressed=False)

    def watch(self, target: QtCore.QObject) -> None:
        """Take the keys of ``target`` from now on."""
        target.installEventFilter(self)

    def eventFilter(self, target: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if isinstance(event, QtGui.QKeyEvent):
            return self._key(event) or super().eventFilter(target, event)
        if event.type() == QtCore.QEvent.Type.FocusOut:
            self.release_all()
        return super().eventFilter(target, event)

    def _key(self, event: QtGui.QKeyEvent) -> bool:
        command = QtCore.Qt.KeyboardModifier.ControlModifier
        name = key_name(event.key())
        if not name or not self._is_mapped(name):
            return False
        if event.modifiers() & command and name != "control" and not self._is_mapped("control"):
            return False  # a shortcut of the window
        pressed = event.type() == QtCore.QEvent.Type.KeyPress
        if event.type() == QtCore.QEvent.Type.ShortcutOverride:
            event.accept()  # the game's keys are not the window's shortcuts
        elif event.isAutoRepeat():
            if pressed and not self._session.holds and not self._session.is_behind:
                self._changed(pressed=True)
        elif pressed:
            self.press(name)
        elif event.type() == QtCore.QEvent.Type.KeyRelease:
            self.release(name)
        return True

    def press(self, name: str) -> None:
        """A key, or a gamepad's button, goes down."""
        self._held.add(self._meant(name))
        self._changed(pressed=True)

    def release(self, name: str) -> None:
        """A key, or a gamepad's button, comes up."""
        self._held.discard(self._meant(name))
        self._changed(pressed=False)

    def push(self, stick: int, way: float) -> None:
        """A stick moves: -1 to 1; it sets that number of an action that is a vector."""
        self._sticks[stick] = way
        self._changed(pressed=False)

    def release_all(self) -> None:
        """Let everything go, as when the widget loses the focus."""
        self._held.clear()
        self._sticks.clear()
        self._session.hold_action(None)

    def perform(self, action: Any) -> None:
        """Do one action, chosen by a button on the screen."""
        try:
            if self._session.holds:
                self._session.hold_action(action)
                self._session.hold_action(None)
            else:
                self._session.perform_human_action(action)
        except ControlModeError as error:
            self.refused.emit(str(error))

    def action(self) -> Any:
        """Return the action of what is held now, None for nothing."""
        return action_for(
            self._mapping, self._held, base=self.base, space=self.space, sticks=self._sticks
        )

    def _meant(self, name: str) -> str:
        """Return the key that a gamepad's button stands for, unless it has a meaning of its own."""
        return name if self._is_mapped(name) else _PAD.get(name, name)

    def _is_mapped(self, name: str) -> bool:
        return any(name in chord for chord in self._mapping)

    def _changed(self, *, pressed: bool) -> None:
        action = self.action()
        try:
            if self._session.holds:
                self._session.hold_action(action)
            elif pressed and action is not None:
                self._session.perform_human_action(action)
        except ControlModeError as error:
            self.refused.emit(str(error))

    def _use(self, mapping: KeyMap) -> None:
        self._mapping = mapping
        idle = mapping.get(NOTHING, self.space.get("idle"))
        if self.base is not None and isinstance(idle, list):
            self.base = list(idle)
            self.base_changed.emit()
        self._session.set_idle(self.base if self.base is not None else idle)
        self.mapping_changed.emit()

    def close(self) -> None:
        """Forget what is under way. Twice is safe."""
        self._background.close()
