"""Rows of "this setting, these values": the sweep of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.services.workers.sweep import parse_list
from gym_gui.ui.widgets.numbers import SpinBox

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
            self.tr(
                "Every combination becomes a run of one group, to be compared in Analytics. "
                "Values are separated by commas; 1-5 means 1, 2, 3, 4, 5."
            )
        )
        note.setWordWrap(True)
        note.setObjectName("muted")
        grid.addWidget(note, 0, 0, 1, 2)
        self._rows: list[tuple[QtWidgets.QComboBox, QtWidgets.QLineEdit]] = []
        for row in range(ROWS):
            setting = QtWidgets.QComboBox()
            setting.setMinimumContentsLength(18)
            setting.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
            setting.setAccessibleName(self.tr("Setting {}").format(row + 1))
            items = QtWidgets.QLineEdit()
            items.setPlaceholderText("1-5" if row == 0 else "0.001, 0.0003")
            items.setAccessibleName(self.tr("Values {}").format(row + 1))
            setting.currentTextChanged.connect(self.changed)
            items.textChanged.connect(self.changed)
            grid.addWidget(setting, row + 1, 0)
            grid.addWidget(items, row + 1, 1)
            self._rows.append((setting, items))
        self._at_once = SpinBox(minimum=0, maximum=1000)
        self._at_once.setSpecialValueText(self.tr("All"))
        self._at_once.setValue(max(1, (os.cpu_count() or 2) // 2))
        self._at_once.setFixedWidth(120)
        self._at_once.setAccessibleName(self.tr("Runs at once"))
        self._at_once.valueChanged.connect(self.changed)
        caption = QtWidgets.QLabel(self.tr("Train at once"))
        caption.setToolTip(self.tr("The others wait until one of the group has ended"))
        grid.addWidget(caption, ROWS + 1, 0)
        grid.addWidget(self._at_once, ROWS + 1, 1)
        self._preview = QtWidgets.QLabel()
        self._preview.setObjectName("muted")
        self._preview.setWordWrap(True)
        self._preview.setAccessibleName(self.tr("Runs of the sweep"))
        grid.addWidget(self._preview, ROWS + 2, 0, 1, 2)
        grid.setRowStretch(ROWS + 3, 1)

    def set_settings(self, names: Sequence[str], *, any_name: bool = False) -> None:
        """Offer ``names``, keeping what is chosen where it is still there.

        any_name: the worker takes options that its form does not know; they can be typed.
        """
        for row, (setting, _) in enumerate(self._rows):
            kept = setting.currentText()
            with QtCore.QSignalBlocker(setting):
                setting.setEditable(any_name)
                setting.clear()
                setting.addItems([_NONE, *names])
                stays = kept in names or (any_name and kept not in ("", _NONE))
                chosen = kept if stays else "seed" if row == 0 and "seed" in names else _NONE
                setting.setCurrentText(chosen)

    def grid(self) -> dict[str, list[str]]:
        """Return the values of each setting, as text. Raises UsageError for a wrong range."""
        return {
            setting.currentText().strip(): parse_list(items.text())
            for setting, items in self._rows
            if setting.currentText().strip() not in ("", _NONE) and items.text().strip()
        }

    def at_once(self) -> int:
        """Return how many runs train at the same time; 0: all."""
        return self._at_once.value()

    def show_runs(self, names: Sequence[str]) -> None:
        """Say which runs the sweep gives: the first few by name."""
        if len(names) < 2:
            self._preview.clear()
            return
        shown = "\n".join(names[:8])
        rest = self.tr("\n… and {} more").format(len(names) - 8) if len(names) > 8 else ""
        self._preview.setText(self.tr("{} runs:\n").format(len(names)) + shown + rest)

    def state(self) -> dict[str, Any]:
        return {
            "rows": [[s.currentText(), items.text()] for s, items in self._rows],
            "at_once": self._at_once.value(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        rows = state.get("rows", []) + [[_NONE, ""]] * ROWS
        for (setting, items), (name, text) in zip(self._rows, rows, strict=False):
            if name not in ("", _NONE):
                setting.setCurrentText(name)
            items.setText(text)
        if "at_once" in state:
            self._at_once.setValue(int(state["at_once"]))
