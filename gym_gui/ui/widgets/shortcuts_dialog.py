"""The list of keyboard shortcuts."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6 import QtCore, QtGui, QtWidgets


class ShortcutsDialog(QtWidgets.QDialog):
    """Shows each command that has a shortcut, by menu."""

    def __init__(
        self, actions: Iterable[QtGui.QAction], parent: QtWidgets.QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(460, 520)
        self.list = QtWidgets.QTreeWidget()
        self.list.setAccessibleName(self.tr("Keyboard shortcuts"))
        self.list.setColumnCount(2)
        self.list.setHeaderLabels([self.tr("Command"), self.tr("Keys")])
        self.list.setRootIsDecorated(False)
        self.list.ensurePolished()  # rows are measured once, when the first is added
        self.list.setSelectionMode(QtWidgets.QTreeWidget.SelectionMode.NoSelection)
        for action in actions:
            keys = action.shortcut().toString(QtGui.QKeySequence.SequenceFormat.NativeText)
            if keys:
                self._add(f"{action.data()}: {action.text()}", keys)
        self._add(self.tr("Live picture: pause or resume"), self.tr("Space"))
        self.list.header().setSectionResizeMode(
            0, QtWidgets.QHeaderView.ResizeMode.ResizeToContents
        )
        hint = QtWidgets.QLabel(self.tr("Change them under Preferences, Shortcuts."))
        hint.setObjectName("muted")
        hint.setWordWrap(True)
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.list)
        layout.addWidget(hint)
        layout.addWidget(buttons)

    def _add(self, text: str, keys: str) -> None:
        item = QtWidgets.QTreeWidgetItem([text, keys])
        item.setFlags(QtCore.Qt.ItemFlag.ItemIsEnabled)
        self.list.addTopLevelItem(item)
