"""The preferences: a page per section of ``services/settings.py``, saved in the same file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.errors import DataDirError
from gym_gui.core.paths import DataDir
from gym_gui.services.data_folder import KEY as FOLDER_KEY
from gym_gui.services.data_folder import chosen_elsewhere, use_folder
from gym_gui.services.settings import OPTIONS, Option, Settings
from gym_gui.ui.translate import mark
from gym_gui.ui.widgets.numbers import DoubleSpinBox, SpinBox
from gym_gui.ui.widgets.shortcuts_page import ShortcutsPage

PAGES: tuple[tuple[str, tuple[str, ...]], ...] = (  # title, sections of the file
    (mark("Window"), ("window",)),
    (mark("Live pictures"), ("live",)),
    (mark("Interpreters"), ("run",)),
    (mark("Recording"), ("recording",)),
    (mark("Storage"), ("data", "retention")),
)
HIDDEN = ("window.tour_seen",)
FIELD_WIDTH = 320
PLACE_WIDTH = 520  # of fields that hold paths


class PreferencesDialog(QtWidgets.QDialog):
    """Edits the settings; ``applied`` once they are saved.

    actions: the window's commands by name, for the page of shortcuts. data_dir: the folder in use.
    """

    applied = QtCore.Signal()

    def __init__(
        self,
        settings: Settings,
        parent: QtWidgets.QWidget | None = None,
        *,
        data_dir: DataDir | None = None,
        actions: Mapping[str, QtGui.QAction] | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._data_dir = data_dir or DataDir(settings.path.parent)
        self._readers: dict[str, Callable[[], Any]] = {}
        self.setWindowTitle(self.tr("Preferences"))
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(820, 560)
        self.sections = QtWidgets.QListWidget()
        self.sections.setObjectName("sidebar")
        self.sections.setAccessibleName(self.tr("Sections"))
        self.sections.setFixedWidth(170)
        self.sections.ensurePolished()  # rows are measured once, when the first is chosen
        self.pages = QtWidgets.QStackedWidget()
        self.sections.currentRowChanged.connect(self.pages.setCurrentIndex)
        for title, sections in PAGES:
            self._add_page(self.tr(title), self._page(sections))
        self.shortcuts = ShortcutsPage(actions or {}, settings.shortcuts)
        self._add_page(self.tr("Shortcuts"), self.shortcuts)
        self.sections.setCurrentRow(0)
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.sections)
        row.addWidget(self.pages, 1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(row, 1)
        for widget in self._foot():
            layout.addWidget(widget)

    def show_page(self, title: str) -> None:
        """Turn to a page by its title."""
        found = self.sections.findItems(title, QtCore.Qt.MatchFlag.MatchExactly)
        if found:
            self.sections.setCurrentItem(found[0])

    # -- building -------------------------------------------------------------------------------

    def _foot(self) -> list[QtWidgets.QWidget]:
        self.problem = QtWidgets.QLabel("\n".join(self._settings.problems))
        self.problem.setObjectName("bad")
        self.problem.setWordWrap(True)
        self.problem.setVisible(bool(self._settings.problems))
        place = QtWidgets.QLabel(self.tr("Kept in {}").format(self._settings.path))
        place.setObjectName("muted")
        place.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        place.setWordWrap(True)
        standard = QtWidgets.QDialogButtonBox.StandardButton
        buttons = QtWidgets.QDialogButtonBox(standard.Save | standard.Cancel)
        buttons.accepted.connect(self.save)
        buttons.rejected.connect(self.reject)
        return [self.problem, place, buttons]

    def _add_page(self, title: str, page: QtWidgets.QWidget) -> None:
        self.sections.addItem(title)
        self.pages.addWidget(page)

    def _page(self, sections: tuple[str, ...]) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for option in OPTIONS:
            if option.section in sections and option.key not in HIDDEN:
                self._add_option(column, option)
        column.addStretch(1)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setWidget(page)
        return scroll

    def _add_option(self, column: QtWidgets.QVBoxLayout, option: Option) -> None:
        title, help = self.tr(option.title), self.tr(option.help) if option.help else ""
        editor = self._editor(option)
        field = editor.findChild(QtWidgets.QLineEdit, "folder") or editor
        field.setAccessibleName(title)
        field.setAccessibleDescription(help)
        if isinstance(editor, QtWidgets.QCheckBox):
            editor.setText(title)
        else:
            label = QtWidgets.QLabel(title)
            label.setBuddy(field)
            column.addWidget(label)
            is_place = option.kind in (str, list) and not option.choices
            editor.setMinimumWidth(PLACE_WIDTH if is_place else FIELD_WIDTH)
        column.addWidget(editor, 0, QtCore.Qt.AlignmentFlag.AlignLeft)
        if help:
            words = QtWidgets.QLabel(help)
            words.setObjectName("muted")
            words.setWordWrap(True)
            column.addWidget(words)
        column.addSpacing(12)

    def _editor(self, option: Option) -> QtWidgets.QWidget:
        value = self._settings[option.key]
        if option.key == FOLDER_KEY:
            return self._folder()
        if option.kind is bool:
            box = QtWidgets.QCheckBox()
            box.setChecked(value)
            self._readers[option.key] = box.isChecked
            return box
        if option.choices:
            return self._choice(option, value)
        if option.kind in (int, float):
            return self._number(option, value)
        line = QtWidgets.QLineEdit(", ".join(value) if option.kind is list else value)
        if option.kind is list:
            line.setPlaceholderText(self.tr("Paths, with commas between them"))
        elif option.key == "run.python":
            line.setPlaceholderText(self.tr("gym-gui's own"))
        self._readers[option.key] = lambda: _text_value(option, line.text())
        return line

    def _folder(self) -> QtWidgets.QWidget:
        """Return the data folder's line; where it is set otherwise, it only says so."""
        holder = QtWidgets.QWidget()
        self.folder = QtWidgets.QLineEdit(str(self._data_dir.root))
        self.folder.setObjectName("folder")
        browse = QtWidgets.QPushButton(self.tr("Browse…"))
        browse.clicked.connect(self._browse)
        row = QtWidgets.QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.folder, 1)
        row.addWidget(browse)
        reason = chosen_elsewhere(self._data_dir)
        if reason:
            self.folder.setReadOnly(True)
            browse.setEnabled(False)
            holder.setToolTip(reason)
            self.folder.setToolTip(reason)
        return holder

    def _browse(self) -> None:
        dialog = QtWidgets.QFileDialog(self, self.tr("Data folder"), self.folder.text())
        dialog.setFileMode(QtWidgets.QFileDialog.FileMode.Directory)
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.folder.setText)
        dialog.open()

    def _choice(self, option: Option, value: str) -> QtWidgets.QWidget:
        combo = QtWidgets.QComboBox()
        for choice in option.choices:
            combo.addItem(self.tr(choice.replace("_", " ").capitalize()), choice)
        combo.setCurrentIndex(option.choices.index(value))
        self._readers[option.key] = combo.currentData
        return combo

    def _number(self, option: Option, value: float) -> QtWidgets.QWidget:
        box = SpinBox() if option.kind is int else DoubleSpinBox()
        high = min(option.high, 1e9)
        if isinstance(box, QtWidgets.QSpinBox):
            box.setRange(int(option.low), int(high))
            box.setValue(int(value))
        else:
            box.setDecimals(1)
            box.setRange(option.low, high)
            box.setValue(value)
        box.setSuffix(f" {option.unit}" if option.unit else "")
        box.setSpecialValueText(self.tr(option.least) if option.least else "")
        self._readers[option.key] = box.value
        return box

    # -- saving ---------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the file and close; a failure is shown and leaves the dialog open."""
        clash = self.shortcuts.clash()
        if clash:
            self._complain(clash)
            self.show_page(self.tr("Shortcuts"))
            return
        for key, read in self._readers.items():
            if read() != self._settings[key]:
                self._settings[key] = read()
        self._settings.shortcuts = self.shortcuts.chosen()
        try:
            self._settings.save()
            if self.folder.text().strip() not in ("", str(self._data_dir.root)):
                use_folder(Path(self.folder.text().strip()), self._settings)
        except DataDirError as error:
            self._complain(str(error))
            return
        self.applied.emit()
        self.accept()

    def _complain(self, words: str) -> None:
        self.problem.setText(words)
        self.problem.show()


def _text_value(option: Option, text: str) -> Any:
    if option.kind is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text.strip()
