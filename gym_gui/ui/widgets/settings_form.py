"""A form made from a worker's fields: one editor per field, checked as one types."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.errors import UsageError
from gym_gui.services.workers import Field, Kind
from gym_gui.ui import theme
from gym_gui.ui.widgets.forms import find_anywhere

_WIDE = (Kind.PATH, Kind.LIST)  # these take the whole row; their help stands below


class FieldEditor(QtWidgets.QWidget):
    """Edits one field. ``changed`` follows every edit; ``value()`` raises UsageError."""

    changed = QtCore.Signal()

    def __init__(self, field: Field, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        self._environments: frozenset[str] = frozenset()
        self._layout = QtWidgets.QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.input = self._make()
        self.input.setToolTip(field.help)
        self.input.setAccessibleName(field.label)
        self._layout.addWidget(self.input, 1)
        if field.kind is Kind.PATH:
            self._add_browse()
        self.set_value(field.default)

    def _make(self) -> QtWidgets.QWidget:
        kind = self.field.kind
        if kind is Kind.BOOL:
            box = QtWidgets.QCheckBox()
            box.toggled.connect(self.changed)
            return box
        if kind in (Kind.CHOICE, Kind.ENV):
            combo = QtWidgets.QComboBox()
            combo.setEditable(kind is Kind.ENV)
            combo.addItems([str(choice) for choice in self.field.choices])
            combo.setMinimumContentsLength(12)
            combo.currentTextChanged.connect(self.changed)
            return combo
        line = QtWidgets.QLineEdit()
        default = self.tr("None") if kind is Kind.LIST else self.tr("Default")
        line.setPlaceholderText("" if self.field.required else default)
        line.textChanged.connect(self.changed)
        return line

    def _add_browse(self) -> None:
        button = QtWidgets.QPushButton(self.tr("Browse…"))
        button.clicked.connect(self._browse)
        self._layout.addWidget(button)

    def _browse(self) -> None:
        title = self.tr("Choose the {}").format(self.field.label.lower())
        path, _ = QtWidgets.QFileDialog.getOpenFileName(self, title, self.raw())
        if path:
            self.set_value(path)

    def set_environments(self, ids: Sequence[str]) -> None:
        """Offer ``ids`` in the searchable list, keeping what is chosen."""
        combo = self.input
        if not isinstance(combo, QtWidgets.QComboBox) or self.field.kind is not Kind.ENV:
            return
        self._environments = frozenset(ids)
        text = combo.currentText()
        with QtCore.QSignalBlocker(combo):
            combo.clear()
            combo.addItems(list(ids))
            combo.setCurrentText(text)
        find_anywhere(combo)

    def set_value(self, value: Any) -> None:
        if isinstance(self.input, QtWidgets.QCheckBox):
            self.input.setChecked(bool(value))
        elif isinstance(self.input, QtWidgets.QComboBox):
            self.input.setCurrentText("" if value is None else str(value))
        elif isinstance(self.input, QtWidgets.QLineEdit):
            self.input.setText(_as_text(value))

    def raw(self) -> Any:
        """Return what is entered, unchecked."""
        if isinstance(self.input, QtWidgets.QCheckBox):
            return self.input.isChecked()
        if isinstance(self.input, QtWidgets.QComboBox):
            return self.input.currentText()
        assert isinstance(self.input, QtWidgets.QLineEdit)
        return self.input.text()

    def value(self) -> Any:
        """Return what is entered, typed; the default where nothing is. Raises UsageError."""
        raw = self.raw()
        if raw == "" and not self.field.required:
            return self.field.default
        if self.field.kind is Kind.LIST:
            try:
                return shlex.split(raw)
            except ValueError as error:
                raise UsageError(
                    f"{self.field.label}: {error}.", next_step="Close the quotation marks."
                ) from error
        return self.field.parse(raw)

    def doubt(self) -> str:
        """Return what may be wrong with the value without forbidding the start; empty for none."""
        text = self.raw() if self.field.kind is Kind.ENV else ""
        if not text or not self._environments or ":" in text or text in self._environments:
            return ""
        return self.tr("Not registered in this interpreter; the script may do it itself")

    def show_problem(self, message: str) -> None:
        """Mark the editor as wrong with ``message``, or as right with an empty one."""
        colour = theme.current().bad
        self.input.setStyleSheet(f"border: 1px solid {colour};" if message else "")
        self.input.setToolTip(message or self.field.help)


class SettingsForm(QtWidgets.QScrollArea):
    """All fields of a worker in rows with their help, filtered by a word."""

    changed = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._rows: dict[str, tuple[QtWidgets.QLabel, FieldEditor, QtWidgets.QLabel]] = {}
        self._environments: Sequence[str] = ()

    def set_fields(self, fields: Sequence[Field], values: dict[str, Any]) -> None:
        """Show ``fields`` instead of the present ones, filled with ``values``."""
        self._rows = {}
        page = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(page)
        grid.setColumnStretch(2, 1)
        for number, field in enumerate(fields):
            self._add_row(grid, 2 * number, field, values)
        grid.setRowStretch(2 * len(fields), 1)
        self.setWidget(page)
        page.setAutoFillBackground(False)  # the tab's own colour shows through
        self.viewport().setAutoFillBackground(False)

    def _add_row(
        self, grid: QtWidgets.QGridLayout, row: int, field: Field, values: dict[str, Any]
    ) -> None:
        label = QtWidgets.QLabel(field.label)
        editor = FieldEditor(field)
        editor.setMinimumWidth(230)
        note = QtWidgets.QLabel(_sentence(field.help))
        note.setWordWrap(True)
        note.setForegroundRole(QtGui.QPalette.ColorRole.PlaceholderText)
        if field.name in values:
            editor.set_value(values[field.name])
        editor.set_environments(self._environments)
        editor.changed.connect(self.changed)
        label.setBuddy(editor.input)
        grid.addWidget(label, row, 0)
        if field.kind in _WIDE:
            grid.addWidget(editor, row, 1, 1, 2)
            grid.addWidget(note, row + 1, 1, 1, 2)
        else:
            grid.addWidget(editor, row, 1)
            grid.addWidget(note, row, 2)
        self._rows[field.name] = (label, editor, note)

    def set_environments(self, ids: Sequence[str]) -> None:
        self._environments = ids
        for _, editor, _ in self._rows.values():
            editor.set_environments(ids)

    def filter(self, word: str) -> None:
        """Show only the rows whose name or help contains ``word``."""
        wanted = word.strip().lower()
        for label, editor, note in self._rows.values():
            text = f"{editor.field.name} {editor.field.label} {editor.field.help}".lower()
            for widget in (label, editor, note):
                widget.setVisible(wanted in text)

    def names(self) -> list[str]:
        return list(self._rows)

    def raw_values(self) -> dict[str, Any]:
        """Return what is entered and differs from the defaults, unchecked."""
        entered = {name: editor.raw() for name, (_, editor, _) in self._rows.items()}
        return {
            name: raw
            for name, raw in entered.items()
            if raw != "" and raw != _shown(self._rows[name][1].field)
        }

    def values(self) -> dict[str, Any]:
        """Return typed values, marking each editor. Raises the first UsageError."""
        values: dict[str, Any] = {}
        first: UsageError | None = None
        for name, (_, editor, note) in self._rows.items():
            problem = ""
            try:
                values[name] = editor.value()
            except UsageError as error:
                problem = str(error)
                first = first or error
            editor.show_problem(problem)
            _say(note, problem or editor.doubt(), _sentence(editor.field.help))
        if first is not None:
            raise first
        return values


def _say(note: QtWidgets.QLabel, concern: str, help: str) -> None:
    """Let a field's note tell what is wrong with its value, else what the field means."""
    note.setText(concern or help)
    role = QtGui.QPalette.ColorRole  # a placeholder's colour is drawn half transparent
    note.setForegroundRole(role.WindowText if concern else role.PlaceholderText)
    note.setStyleSheet(f"color: {theme.current().bad};" if concern else "")


def _sentence(help: str) -> str:
    """Return a field's help as it stands beside the field."""
    return help[:1].upper() + help[1:]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return shlex.join(value) if isinstance(value, (list, tuple)) else str(value)


def _shown(field: Field) -> Any:
    return bool(field.default) if field.kind is Kind.BOOL else _as_text(field.default)
