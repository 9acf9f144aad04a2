"""Keys to actions: shortcuts, held keys and chords, from a mapping kept per environment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from PySide6 import QtCore, QtGui

from gym_gui.controllers.session import SessionController
from gym_gui.core.errors import ControlModeError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import ControlMode

Mapping = dict[frozenset[str], Any]

_NAMES = {
    QtCore.Qt.Key.Key_Left: "left",
    QtCore.Qt.Key.Key_Right: "right",
    QtCore.Qt.Key.Key_Up: "up",
    QtCore.Qt.Key.Key_Down: "down",
    QtCore.Qt.Key.Key_Space: "space",
    QtCore.Qt.Key.Key_Return: "return",
}
_DIGITS = "1234567890"


def key_name(key: int) -> str:
    """Return a key's name: ``left``, ``space``, ``a``, …; empty for one that has none."""
    known = _NAMES.get(QtCore.Qt.Key(key))
    return known or (chr(key).lower() if 32 < key < 127 else "")


def default_mapping(about: dict[str, Any]) -> Mapping:
    """Return the environment's own mapping where it has one, else arrows and digits.

    about: the environment's description, with its action ``space`` and ``keys``.
    """
    own = {frozenset(names): action for names, action in about.get("keys", ()) if names}
    if own:
        return own
    space = about.get("space", {})
    if space.get("kind") != "Discrete":
        return {}
    first, count = space.get("start", 0), space["n"]
    mapping: Mapping = {
        frozenset([digit]): first + number for number, digit in enumerate(_DIGITS[:count])
    }
    arrows = {
        2: ("left", "right"),
        3: ("left", "down", "right"),
        4: ("left", "down", "right", "up"),
    }
    for number, name in enumerate(arrows.get(count, ())):
        mapping[frozenset([name])] = first + number
    return mapping


class HumanInputController(QtCore.QObject):
    """Watches a widget's keys and hands actions to the session.

    The longest chord that is held wins. At real-time pace, and to take over from an agent, an
    action is held while its keys are; otherwise each press is one action.
    """

    refused = QtCore.Signal(str)  # why an action was not accepted

    def __init__(
        self, session: SessionController, data_dir: DataDir, parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._path = data_dir.root / "keys.json"
        self._mapping: Mapping = {}
        self._held: set[str] = set()
        self.env_id = ""

    @property
    def mapping(self) -> Mapping:
        return dict(self._mapping)

    def load(self, env_id: str, about: dict[str, Any]) -> None:
        """Use the mapping saved for ``env_id``, else the environment's own."""
        self.env_id = env_id
        saved = self._saved().get(env_id)
        self._mapping = _from_pairs(saved) if saved is not None else default_mapping(about)
        self._held.clear()

    def set_mapping(self, mapping: Mapping) -> None:
        """Change the mapping and keep it for this environment."""
        self._mapping = dict(mapping)
        saved = self._saved()
        saved[self.env_id] = [[sorted(keys), action] for keys, action in mapping.items()]
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(saved, indent=1))
        os.replace(temporary, self._path)

    def watch(self, target: QtCore.QObject) -> None:
        """Take the keys of ``target`` from now on."""
        target.installEventFilter(self)

    def eventFilter(self, target: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if isinstance(event, QtGui.QKeyEvent):
            name = key_name(event.key())
            if name and not event.isAutoRepeat() and self._is_mapped(name):
                pressed = event.type() == QtCore.QEvent.Type.KeyPress
                if pressed or event.type() == QtCore.QEvent.Type.KeyRelease:
                    self._changed(name, pressed)
                    return True
            return bool(name and event.isAutoRepeat() and self._is_mapped(name))
        if event.type() == QtCore.QEvent.Type.FocusOut:
            self.release_all()
        return super().eventFilter(target, event)

    def release_all(self) -> None:
        """Let every key go, as when the widget loses the focus."""
        self._held.clear()
        self._session.hold_action(None)

    def _is_mapped(self, name: str) -> bool:
        return any(name in chord for chord in self._mapping)

    def _changed(self, name: str, pressed: bool) -> None:
        if pressed:
            self._held.add(name)
        else:
            self._held.discard(name)
        action = self.action_for(self._held)
        try:
            if self._session.realtime or self._session.mode is ControlMode.HYBRID_TAKE_OVER:
                self._session.hold_action(action)
            elif pressed and action is not None:
                self._session.perform_human_action(action)
        except ControlModeError as error:
            self.refused.emit(str(error))

    def action_for(self, held: Iterable[str]) -> Any:
        """Return the action of the longest chord within ``held``, None for none."""
        keys = set(held)
        fitting = [chord for chord in self._mapping if chord <= keys]
        return self._mapping[max(fitting, key=len)] if fitting else None

    def _saved(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _from_pairs(pairs: Iterable[Any]) -> Mapping:
    return {frozenset(keys): action for keys, action in pairs}
