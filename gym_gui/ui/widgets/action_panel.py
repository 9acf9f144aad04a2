"""Buttons, sliders and switches for the actions of whatever environment is played."""

from __future__ import annotations

import json
from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.controllers.human_input import HumanInputController
from gym_gui.controllers.key_mapping import (
    NOTHING,
    KeyMap,
    bounds,
    chord_text,
    size_of,
)

STEPS = 1000  # of a slider over a range of real numbers
MOST_BUTTONS = 24
COLUMNS, SHORT = 2, 14  # of buttons beside each other, whose texts have so many characters


class ActionPanel(QtWidgets.QWidget):
    """Shows ``keys``' action space; what is chosen on it goes to ``keys``."""

    def __init__(self, keys: HumanInputController, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys = keys
        self._parts: list[Any] = []
        self._values: list[QtWidgets.QLabel] = []
        self._quiet = False
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(10, 4, 10, 4)
        self._body = QtWidgets.QWidget()
        self._layout.addWidget(self._body)
        self._layout.addStretch(1)
        keys.mapping_changed.connect(self.rebuild)
        keys.base_changed.connect(self._show_base)
        self.buttons: dict[int, QtWidgets.QPushButton] = {}

    @QtCore.Slot()
    def rebuild(self) -> None:
        """Build the controls of the space that ``keys`` has now."""
        self._layout.removeWidget(self._body)
        self._body.deleteLater()
        self._body = QtWidgets.QWidget()
        self._parts, self._values, self.buttons = [], [], {}
        space = self._keys.space
        if space.get("kind") == "Discrete" and space["n"] <= MOST_BUTTONS:
            self._build_buttons(space)
        elif size_of(space):
            self._build_vector(space)
        elif space:
            self._build_text(space)
        self._layout.insertWidget(0, self._body)

    def show_legal(self, legal: list[bool] | None) -> None:
        """Leave only the moves enabled that are allowed now."""
        for action, button in self.buttons.items():
            button.setEnabled(legal is None or (action < len(legal) and legal[action]))

    # -- actions that are one number --------------------------------------------------------------

    def _build_buttons(self, space: dict[str, Any]) -> None:
        grid = QtWidgets.QGridLayout(self._body)
        grid.setContentsMargins(0, 0, 0, 0)
        meanings = self._keys.about.get("meanings") or []
        names = keys_of_actions(self._keys.mapping)
        actions = range(space["start"], space["start"] + space["n"])
        titles = [name.capitalize() for name in meanings[: space["n"]]]
        titles += [str(action) for action in actions[len(titles) :]]
        texts = [
            _with_keys(title, names.get(action, []))
            for title, action in zip(titles, actions, strict=True)
        ]
        columns = COLUMNS if max(map(len, texts)) <= SHORT else 1
        grid.addWidget(_heading(self.tr("Actions")), 0, 0, 1, columns)
        for number, (action, text) in enumerate(zip(actions, texts, strict=True)):
            button = QtWidgets.QPushButton(text)
            button.setToolTip(self.tr("Action {}").format(action) + f"\n{text}")
            _may_be_narrow(button)
            button.setFocusPolicy(QtCore.Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _=False, chosen=action: self._keys.perform(chosen))
            grid.addWidget(button, 1 + number // columns, number % columns)
            self.buttons[action] = button

    # -- actions that are several numbers ---------------------------------------------------------

    def _build_vector(self, space: dict[str, Any]) -> None:
        form = QtWidgets.QGridLayout(self._body)
        form.setContentsMargins(0, 0, 0, 0)
        form.addWidget(_heading(self.tr("Action")), 0, 0, 1, 3)
        for place in range(size_of(space)):
            low, high = bounds(space, place)
            editor = self._editor(space, low, high)
            editor.setAccessibleName(self.tr("Number {} of the action").format(place))
            value = QtWidgets.QLabel()
            value.setMinimumWidth(52)
            value.setAlignment(QtCore.Qt.AlignmentFlag.AlignRight)
            if size_of(space) > 1:
                form.addWidget(QtWidgets.QLabel(str(place)), place + 1, 0)
            form.addWidget(editor, place + 1, 1)
            form.addWidget(value, place + 1, 2)
            self._parts.append(editor)
            self._values.append(value)
        row = size_of(space) + 1
        self.step = QtWidgets.QPushButton(self.tr("Step"))
        self.step.setToolTip(self.tr("Do this action once"))
        self.step.clicked.connect(lambda: self._keys.perform(list(self._keys.base or [])))
        centre = QtWidgets.QPushButton(self.tr("Centre"))
        centre.setToolTip(self.tr("Back to doing nothing"))
        centre.clicked.connect(lambda: self._keys.set_base(list(space["idle"])))
        centre.clicked.connect(self._show_base)
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self.step)
        buttons.addWidget(centre)
        form.addLayout(buttons, row, 0, 1, 3)
        legend = keys_legend(self._keys.mapping, numbers=size_of(space))
        if legend:
            text = QtWidgets.QLabel(legend)
            text.setObjectName("muted")
            text.setWordWrap(True)
            form.addWidget(text, row + 1, 0, 1, 3)
        form.setColumnStretch(1, 1)
        self._show_base()

    def _editor(self, space: dict[str, Any], low: Any, high: Any) -> QtWidgets.QWidget:
        if space["kind"] == "MultiBinary":
            box = QtWidgets.QCheckBox()
            box.toggled.connect(self._moved)
            return box
        slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        real = space["kind"] == "Box" and not space.get("whole")
        slider.setRange(0 if real else int(low), STEPS if real else int(high))
        slider.setMinimumWidth(90)
        slider.valueChanged.connect(self._moved)
        return slider

    def _moved(self) -> None:
        if self._quiet:
            return
        space = self._keys.space
        self._keys.set_base([self._read(space, place) for place in range(len(self._parts))])
        self._show_values()

    def _read(self, space: dict[str, Any], place: int) -> Any:
        part = self._parts[place]
        if isinstance(part, QtWidgets.QCheckBox):
            return int(part.isChecked())
        if space["kind"] == "Box" and not space.get("whole"):
            low, high = bounds(space, place)
            return low + (high - low) * part.value() / STEPS
        return part.value()

    @QtCore.Slot()
    def _show_base(self) -> None:
        space, base = self._keys.space, self._keys.base or []
        self._quiet = True
        for place, (part, value) in enumerate(zip(self._parts, base, strict=False)):
            if isinstance(part, QtWidgets.QCheckBox):
                part.setChecked(bool(value))
            elif space["kind"] == "Box" and not space.get("whole"):
                low, high = bounds(space, place)
                part.setValue(round(STEPS * (value - low) / (high - low)) if high > low else 0)
            else:
                part.setValue(int(value))
        self._quiet = False
        self._show_values()

    def _show_values(self) -> None:
        for label, value in zip(self._values, self._keys.base or [], strict=False):
            label.setText(f"{value:.3g}")

    # -- all other actions ------------------------------------------------------------------------

    def _build_text(self, space: dict[str, Any]) -> None:
        column = QtWidgets.QVBoxLayout(self._body)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(_heading(self.tr("Action as JSON")))
        text = QtWidgets.QLabel(space["text"])
        text.setObjectName("muted")
        text.setWordWrap(True)
        text.setToolTip(space["text"])
        _may_be_narrow(text)
        self.line = QtWidgets.QLineEdit()
        self.line.setPlaceholderText(self.tr("such as 0 or [1, 0.5]"))
        self.line.returnPressed.connect(self._written)
        column.addWidget(text)
        column.addWidget(self.line)

    def _written(self) -> None:
        try:
            action = json.loads(self.line.text())
        except ValueError:
            self._keys.refused.emit(self.tr("That is not JSON: write a number or a list."))
            return
        self._keys.perform(action)


def keys_of_actions(mapping: KeyMap) -> dict[Any, list[str]]:
    """Return the chords that mean each whole action, the shortest first."""
    found: dict[Any, list[str]] = {}
    for chord in sorted(mapping, key=lambda chord: (len(chord), sorted(chord))):
        action = mapping[chord]
        if isinstance(action, int) and chord != NOTHING:
            found.setdefault(action, []).append(chord_text(chord))
    return found


def keys_legend(mapping: KeyMap, *, numbers: int) -> str:
    """Return in words what the keys of an action of so many numbers do."""
    words = []
    for chord, action in mapping.items():
        if isinstance(action, dict) and chord:
            parts = ", ".join(
                f"{value:g}" if numbers == 1 else f"number {place} to {value:g}"
                for place, value in action.items()
            )
            words.append(f"{chord_text(chord)}: {parts}")
    return "\n".join(words)


def _with_keys(title: str, keys: list[str]) -> str:
    return f"{title}   [ {keys[-1]} ]" if keys else title


def _may_be_narrow(widget: QtWidgets.QWidget) -> None:
    """Let a widget be cut off where its words are longer than the place beside the picture."""
    policy = widget.sizePolicy()
    policy.setHorizontalPolicy(QtWidgets.QSizePolicy.Policy.Ignored)
    widget.setSizePolicy(policy)


def _heading(text: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label
