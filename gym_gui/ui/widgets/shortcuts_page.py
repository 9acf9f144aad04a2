"""The preferences' page of keyboard shortcuts: every command, and the keys that call it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6 import QtGui, QtWidgets

from gym_gui.ui.actions import COMMANDS
from gym_gui.ui.widgets.forms import align_labels

DEFAULTS = {command.name: command.shortcut for command in COMMANDS}


class ShortcutsPage(QtWidgets.QWidget):
    """Edits the user's own shortcuts.

    actions: the window's commands by name. own: the user's, by command name, which may also name
    commands that are not here; they are kept.
    """

    def __init__(
        self, actions: Mapping[str, QtGui.QAction], own: Mapping[str, str],
        parent: QtWidgets.QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._own = dict(own)
        self._names: dict[str, str] = {}
        self.editors: dict[str, QtWidgets.QKeySequenceEdit] = {}
        page = QtWidgets.QWidget()
        form = QtWidgets.QFormLayout(page)
        form.setContentsMargins(0, 0, 8, 0)
        for name, action in actions.items():
            editor = QtWidgets.QKeySequenceEdit(QtGui.QKeySequence(action.shortcut()))
            editor.setMaximumSequenceLength(1)
            editor.setClearButtonEnabled(True)
            self._names[name] = action.text().replace("&&", "&")
            editor.setAccessibleName(self._names[name])
            self.editors[name] = editor
            form.addRow(self._names[name].replace("&", "&&"), editor)
        align_labels(form)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setWidget(page)
        reset = QtWidgets.QPushButton(self.tr("Back to the defaults"))
        reset.clicked.connect(self.reset)
        hint = QtWidgets.QLabel(self.tr("Click a field and press the keys."))
        hint.setObjectName("muted")
        row = QtWidgets.QHBoxLayout()
        row.addWidget(hint, 1)
        row.addWidget(reset)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll, 1)
        column.addLayout(row)

    def reset(self) -> None:
        """Show the defaults; nothing is saved yet."""
        for name, editor in self.editors.items():
            editor.setKeySequence(QtGui.QKeySequence(DEFAULTS.get(name, "")))

    def chosen(self) -> dict[str, str]:
        """Return what differs from the defaults, by command name."""
        chosen = {name: keys for name, keys in self._own.items() if name not in self.editors}
        for name, keys in self._keys().items():
            default = QtGui.QKeySequence(DEFAULTS.get(name, "")).toString()
            if keys != default:
                chosen[name] = keys
        return chosen

    def clash(self) -> str:
        """Return which two commands have the same keys, in words; empty when none have."""
        taken: dict[str, str] = {}
        for name, keys in self._keys().items():
            if keys and keys in taken:
                words = self.tr("{} is the key of both “{}” and “{}”.")
                return words.format(keys, self._names[taken[keys]], self._names[name])
            taken[keys] = name
        return ""

    def _keys(self) -> dict[str, str]:
        return {name: edit.keySequence().toString() for name, edit in self.editors.items()}
