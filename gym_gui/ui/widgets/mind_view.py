"""What a BDI agent has in mind at each step: beliefs, goals and intentions."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.ui.widgets.columns import Columns

CAPACITY = 2_000


class MindView(QtWidgets.QWidget):
    """Shows the newest mind, or an earlier one through the slider."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        row = QtWidgets.QHBoxLayout()
        self._where = QtWidgets.QLabel(self.tr("No mind recorded yet."))
        self._newest = QtWidgets.QCheckBox(self.tr("Follow the newest"))
        self._newest.setChecked(True)
        row.addWidget(self._where, 1)
        row.addWidget(self._newest)
        layout.addLayout(row)
        split = Columns()
        self._lists = {}
        for name in ("Intentions", "Goals", "Beliefs"):
            box = QtWidgets.QWidget()
            column = QtWidgets.QVBoxLayout(box)
            column.setContentsMargins(0, 0, 0, 0)
            column.addWidget(QtWidgets.QLabel(self.tr(name)))
            self._lists[name] = QtWidgets.QListWidget()
            self._lists[name].setAccessibleName(self.tr(name))
            column.addWidget(self._lists[name])
            split.addWidget(box)
        layout.addWidget(split, 1)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._slider.setAccessibleName(self.tr("Step to look at"))
        self._slider.valueChanged.connect(self._show)
        self._slider.sliderPressed.connect(lambda: self._newest.setChecked(False))
        layout.addWidget(self._slider)
        self._minds: deque[dict[str, Any]] = deque(maxlen=CAPACITY)
        self._beliefs: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._minds)

    def add(self, message: str) -> None:
        """Take one ``bdi`` line of the log; another form counts as none."""
        try:
            mind = json.loads(message)
            agent = str(mind["agent"])
        except (ValueError, KeyError, TypeError):
            return
        if "beliefs" in mind:
            known = set(mind["beliefs"])
        else:
            known = self._beliefs.get(agent, set()) - set(mind.get("removed", ()))
            known |= set(mind.get("added", ()))
        self._beliefs[agent] = known
        self._minds.append({**mind, "beliefs": sorted(known)})

    def refresh(self) -> None:
        """Show what came since."""
        self._slider.setMaximum(max(0, len(self._minds) - 1))
        if self._newest.isChecked():
            self._slider.setValue(self._slider.maximum())
        self._show(self._slider.value())

    def _show(self, number: int) -> None:
        if not self._minds:
            return
        mind = self._minds[min(number, len(self._minds) - 1)]
        self._where.setText(
            self.tr("{}: episode {}, step {}").format(
                mind["agent"], mind.get("episode"), mind.get("step")
            )
        )
        for name, shown in self._lists.items():
            shown.clear()
            shown.addItems([str(item) for item in mind.get(name.lower(), ())])
