"""The dialog in which a person says which keys mean which action, for one environment."""

from __future__ import annotations

import json
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.human_input import key_name
from gym_gui.controllers.key_mapping import NOTHING, KeyMap, chord_text


class ChordField(QtWidgets.QLineEdit):
    """Takes the keys that are pressed in it together; Backspace empties it."""

    def __init__(self, chord: frozenset[str], parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setPlaceholderText(self.tr("Click and press the keys"))
        self.setAccessibleName(self.tr("Keys"))
        self._down: set[str] = set()
        self.chord = chord
        self._show()

    def _show(self) -> None:
        self.setText(chord_text(self.chord) if self.chord else "")

    def event(self, event: QtCore.QEvent) -> bool:
        if isinstance(event, QtGui.QKeyEvent) and key_name(event.key()) == "tab":
            return QtWidgets.QWidget.event(self, event)  # goes to the next field
        if event.type() == QtCore.QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if event.key() == QtCore.Qt.Key.Key_Backspace:
            self._down.clear()
            self.chord = NOTHING
        elif event.key() == QtCore.Qt.Key.Key_Escape:
            event.ignore()
            return
        elif name := key_name(event.key()):
            self._down.add(name)
            self.chord = frozenset(self._down)
        self._show()

    def keyReleaseEvent(self, event: QtGui.QKeyEvent) -> None:
        if not event.isAutoRepeat():
            self._down.discard(key_name(event.key()))


class KeyEditor(QtWidgets.QDialog):
    """``saved(mapping)`` carries the new mapping, None where the default one was asked for."""

    saved = QtCore.Signal(object)

    def __init__(
        self, env_id: str, mapping: KeyMap, parent: QtWidgets.QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys for {}").format(env_id))
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(460, 480)
        self._rows: list[tuple[ChordField, QtWidgets.QLineEdit, QtWidgets.QWidget]] = []
        layout = QtWidgets.QVBoxLayout(self)
        help_ = QtWidgets.QLabel(
            self.tr(
                "Press one key, or several together. An action is a number or a list; "
                '{"0": 1.0} sets only the first number of a list and leaves the others. '
                "A gamepad's cross and left stick act as the arrows, its button A as Space."
            )
        )
        help_.setWordWrap(True)
        help_.setObjectName("muted")
        layout.addWidget(help_)
        head = QtWidgets.QHBoxLayout()
        head.setContentsMargins(18, 0, 38, 0)
        for title, share in ((self.tr("Keys"), 3), (self.tr("Action"), 2)):
            head.addWidget(QtWidgets.QLabel(title), share)
        layout.addLayout(head)
        self._list = QtWidgets.QVBoxLayout()
        self._list.setContentsMargins(9, 0, 9, 0)
        self._list.addStretch(1)
        body = QtWidgets.QWidget()
        body.setLayout(self._list)
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        area.setWidget(body)
        layout.addWidget(area, 1)
        idle_row = QtWidgets.QHBoxLayout()
        self.idle = QtWidgets.QLineEdit()
        self.idle.setAccessibleName(self.tr("Action while nothing is pressed"))
        self.idle.setPlaceholderText(self.tr("The environment's own"))
        if NOTHING in mapping:
            self.idle.setText(json.dumps(mapping[NOTHING]))
        idle_row.addWidget(QtWidgets.QLabel(self.tr("Nothing pressed, in real time")))
        idle_row.addWidget(self.idle)
        layout.addLayout(idle_row)
        self.problem = QtWidgets.QLabel()
        self.problem.setObjectName("bad")
        self.problem.setWordWrap(True)
        layout.addWidget(self.problem)
        layout.addLayout(self._make_buttons())
        for chord, action in mapping.items():
            if chord != NOTHING:
                self.add_row(chord, action)

    def _make_buttons(self) -> QtWidgets.QHBoxLayout:
        row = QtWidgets.QHBoxLayout()
        add = QtWidgets.QPushButton(self.tr("Add"))
        add.clicked.connect(lambda: self.add_row(NOTHING, None))
        default = QtWidgets.QPushButton(self.tr("Use the default"))
        default.clicked.connect(self._use_default)
        cancel = QtWidgets.QPushButton(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        save = QtWidgets.QPushButton(self.tr("Save"))
        save.setDefault(True)
        save.clicked.connect(self._save)
        for button in (add, default):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(save)
        return row

    def add_row(self, chord: frozenset[str], action: Any) -> ChordField:
        """Add one pair of keys and action."""
        row = QtWidgets.QWidget()
        line = QtWidgets.QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        keys = ChordField(chord)
        value = QtWidgets.QLineEdit("" if action is None else json.dumps(action))
        value.setPlaceholderText(self.tr("Action"))
        value.setAccessibleName(self.tr("Action"))
        remove = QtWidgets.QToolButton()
        remove.setText("✕")
        remove.setToolTip(self.tr("Remove"))
        entry = (keys, value, row)
        remove.clicked.connect(lambda: self._remove(entry))
        line.addWidget(keys, 3)
        line.addWidget(value, 2)
        line.addWidget(remove)
        self._list.insertWidget(self._list.count() - 1, row)
        self._rows.append(entry)
        return keys

    def _remove(self, entry: tuple[ChordField, QtWidgets.QLineEdit, QtWidgets.QWidget]) -> None:
        self._rows.remove(entry)
        entry[2].deleteLater()

    def mapping(self) -> KeyMap:
        """Return what the fields say. Raises ValueError with what is wrong."""
        found: KeyMap = {}
        for keys, value, _ in self._rows:
            if not keys.chord:
                continue
            if keys.chord in found:
                raise ValueError(self.tr("{} is there twice.").format(chord_text(keys.chord)))
            try:
                found[keys.chord] = json.loads(value.text())
            except ValueError:
                raise ValueError(
                    self.tr("{}: write the action as a number or a list.").format(
                        chord_text(keys.chord)
                    )
                ) from None
        if self.idle.text().strip():
            try:
                found[NOTHING] = json.loads(self.idle.text())
            except ValueError:
                raise ValueError(self.tr("Nothing pressed: write a number or a list.")) from None
        return found

    def _save(self) -> None:
        try:
            mapping = self.mapping()
        except ValueError as error:
            self.problem.setText(str(error))
            return
        self.saved.emit(mapping)
        self.accept()

    def _use_default(self) -> None:
        self.saved.emit(None)
        self.accept()
