"""The preferences page: one row per option of ``services/settings.py``, saved in the same file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.core.errors import DataDirError
from gym_gui.services.settings import OPTIONS, Option, Settings

TITLES = {
    "window": "Window",
    "live": "Live pictures",
    "run": "Interpreters",
    "recording": "Recording of new runs",
    "retention": "Keeping runs",
}
HIDDEN = ("window.tour_seen",)


class PreferencesDialog(QtWidgets.QDialog):
    """Edits the settings; ``applied`` once they are saved."""

    applied = QtCore.Signal()

    def __init__(self, settings: Settings, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._readers: dict[str, Callable[[], Any]] = {}
        self.setWindowTitle(self.tr("Preferences"))
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(620, 560)
        page = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(page)
        for section, title in TITLES.items():
            self._add_section(column, section, title)
        column.addStretch(1)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setWidget(page)
        self.problem = QtWidgets.QLabel("\n".join(settings.problems))
        self.problem.setObjectName("bad")
        self.problem.setWordWrap(True)
        self.problem.setVisible(bool(settings.problems))
        standard = QtWidgets.QDialogButtonBox.StandardButton
        buttons = QtWidgets.QDialogButtonBox(standard.Save | standard.Cancel)
        buttons.accepted.connect(self.save)
        buttons.rejected.connect(self.reject)
        place = QtWidgets.QLabel(self.tr("Kept in {}").format(settings.path))
        place.setObjectName("muted")
        place.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        place.setWordWrap(True)
        layout = QtWidgets.QVBoxLayout(self)
        for widget in (scroll, self.problem, place, buttons):
            layout.addWidget(widget)

    def _add_section(self, column: QtWidgets.QVBoxLayout, section: str, title: str) -> None:
        label = QtWidgets.QLabel(self.tr(title))
        label.setObjectName("panelTitle")
        column.addWidget(label)
        form = QtWidgets.QFormLayout()
        form.setContentsMargins(0, 2, 0, 12)
        form.setLabelAlignment(QtCore.Qt.AlignmentFlag.AlignLeft)
        for option in OPTIONS:
            if option.section == section and option.key not in HIDDEN:
                editor = self._editor(option)
                editor.setToolTip(self.tr(option.help))
                editor.setAccessibleName(self.tr(option.title))
                form.addRow(self.tr(option.title), editor)
        column.addLayout(form)

    def _editor(self, option: Option) -> QtWidgets.QWidget:
        value = self._settings[option.key]
        if option.kind is bool:
            box = QtWidgets.QCheckBox()
            box.setChecked(value)
            self._readers[option.key] = box.isChecked
            return box
        if option.choices:
            return self._choice(option, value)
        if option.kind in (int, float):
            return self._number(option, value)
        text = ", ".join(value) if option.kind is list else value
        line = QtWidgets.QLineEdit(text)
        line.setPlaceholderText(self.tr(option.help))
        self._readers[option.key] = lambda: _text_value(option, line.text())
        return line

    def _choice(self, option: Option, value: str) -> QtWidgets.QWidget:
        combo = QtWidgets.QComboBox()
        for choice in option.choices:
            combo.addItem(self.tr(choice.replace("_", " ").capitalize()), choice)
        combo.setCurrentIndex(option.choices.index(value))
        self._readers[option.key] = combo.currentData
        return combo

    def _number(self, option: Option, value: float) -> QtWidgets.QWidget:
        box = QtWidgets.QSpinBox() if option.kind is int else QtWidgets.QDoubleSpinBox()
        high = min(option.high, 1e9)
        if isinstance(box, QtWidgets.QSpinBox):
            box.setRange(int(option.low), int(high))
            box.setValue(int(value))
        else:
            box.setDecimals(1)
            box.setRange(option.low, high)
            box.setValue(value)
        box.setButtonSymbols(QtWidgets.QAbstractSpinBox.ButtonSymbols.NoButtons)
        box.setSuffix(f" {option.unit}" if option.unit else "")
        self._readers[option.key] = box.value
        return box

    def save(self) -> None:
        """Write the file and close; a failure is shown and leaves the dialog open."""
        for key, read in self._readers.items():
            if read() != self._settings[key]:
                self._settings[key] = read()
        try:
            self._settings.save()
        except DataDirError as error:
            self.problem.setText(str(error))
            self.problem.show()
            return
        self.applied.emit()
        self.accept()


def _text_value(option: Option, text: str) -> Any:
    if option.kind is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text.strip()
