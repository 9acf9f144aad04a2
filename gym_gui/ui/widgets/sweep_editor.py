"""Rows of "this setting, these values": the sweep of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.services.workers.sweep import parse_list

ROWS = 4
_NONE = "—"


class SweepEditor(QtWidgets.QWidget):
    """Up to four settings with the values to try; every combination becomes a run."""

    changed = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QtWidgets.QGridLayout(self)
        grid.setColumnStretch(1, 1)
        note = QtWidgets.QLabel(
            "Every combination becomes a run of one group. Values are separated by commas; "
            "1-5 means 1, 2, 3, 4, 5."
        )
        note.setWordWrap(True)
        grid.addWidget(note, 0, 0, 1, 2)
        self._rows: list[tuple[QtWidgets.QComboBox, QtWidgets.QLineEdit]] = []
        for row in range(ROWS):
            setting = QtWidgets.QComboBox()
            setting.setMinimumContentsLength(18)
            setting.setAccessibleName(f"Setting {row + 1}")
            items = QtWidgets.QLineEdit()
            items.setPlaceholderText("1-5" if row == 0 else "0.001, 0.0003")
            items.setAccessibleName(f"Values {row + 1}")
            setting.currentTextChanged.connect(self.changed)
            items.textChanged.connect(self.changed)
            grid.addWidget(setting, row + 1, 0)
            grid.addWidget(items, row + 1, 1)
            self._rows.append((setting, items))
        grid.setRowStretch(ROWS + 1, 1)

    def set_settings(self, names: Sequence[str]) -> None:
        """Offer ``names``, keeping what is chosen where it is still there."""
        for row, (setting, _) in enumerate(self._rows):
            kept = setting.currentText()
            with QtCore.QSignalBlocker(setting):
                setting.clear()
                setting.addItems([_NONE, *names])
                chosen = kept if kept in names else ("seed" if row == 0 else _NONE)
                setting.setCurrentText(chosen if chosen in names else _NONE)

    def grid(self) -> dict[str, list[str]]:
        """Return the values of each setting, as text. Raises UsageError for a wrong range."""
        return {
            setting.currentText(): parse_list(items.text())
            for setting, items in self._rows
            if setting.currentText() != _NONE and items.text().strip()
        }

    def group(self) -> str:
        """Return a name for the runs of this sweep."""
        return time.strftime("sweep %Y-%m-%d %H:%M:%S")

    def state(self) -> dict[str, Any]:
        return {"rows": [[s.currentText(), items.text()] for s, items in self._rows]}

    def set_state(self, state: dict[str, Any]) -> None:
        rows = state.get("rows", []) + [[_NONE, ""]] * ROWS
        for (setting, items), (name, text) in zip(self._rows, rows, strict=False):
            if name != _NONE:
                setting.setCurrentText(name)
            items.setText(text)
