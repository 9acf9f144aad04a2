"""What is asked of every run, whatever its worker: name, place, recording, pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.core.records import Frames, Live, Observations, Recording, SpoolPolicy
from gym_gui.ui.widgets.forms import align_labels
from gym_gui.ui.widgets.numbers import DoubleSpinBox, SpinBox

_OBSERVATIONS = {
    Observations.AUTO.value: "Whole when small, else a checksum",
    Observations.WHOLE.value: "Whole",
    Observations.CHECKSUM.value: "A checksum only",
}
_POLICIES = {
    SpoolPolicy.KEEP.value: "Stop recording, loudly; training goes on",
    SpoolPolicy.PAUSE_RUN.value: "Pause the run until there is room",
    SpoolPolicy.DROP_AND_COUNT.value: "Leave out steps, and count them",
}
_LIVE = {
    Live.GRID.value: "All environments, side by side",
    Live.SINGLE.value: "The first environment",
    Live.OFF.value: "Nothing: no live pictures",
}
_TEXTS = {  # key: label, what an empty field means
    "name": ("Name", "The script's or algorithm's"),
    "group": ("Group", "Runs that belong together, such as the seeds of one experiment"),
    "tags": ("Tags", "Words, with commas between them"),
    "notes": ("Notes", "Anything worth remembering"),
    "cwd": ("Working folder", "The script's own folder"),
    "launcher": ("Launcher", "Local, or a Ray cluster: http://HOST:8265"),
}


class RunOptions(QtWidgets.QWidget):
    """Name, group, tags, notes, folder, launcher, recording, live pictures and pace.

    defaults: what stands there at first, in ``state()``'s form (the user's preferences).
    """

    changed = QtCore.Signal()

    def __init__(
        self,
        defaults: Mapping[str, Any] | None = None,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        standard = {"live": Live.GRID.value, "render_budget": 0.05}
        self._defaults = {**asdict(Recording()), **standard, **(defaults or {})}
        self._kept: dict[str, Any] = {}
        form = QtWidgets.QFormLayout(self)
        form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._texts: dict[str, QtWidgets.QLineEdit] = {}
        for key, (label, hint) in _TEXTS.items():
            line = self._texts[key] = QtWidgets.QLineEdit()
            line.setPlaceholderText(self.tr(hint))
            line.setAccessibleName(self.tr(label))
            line.textChanged.connect(self.changed)
            form.addRow(self.tr(label), self._with_browse(line) if key == "cwd" else line)
        self._observations = self._choice(_OBSERVATIONS)
        form.addRow(self.tr("Observations are kept"), self._observations)
        self._frames = QtWidgets.QCheckBox(self.tr("Every frame (replay needs none)"))
        self._frames.toggled.connect(self.changed)
        form.addRow(self.tr("Keep"), self._frames)
        self._policy = self._choice(_POLICIES)
        form.addRow(self.tr("When the disk is full"), self._policy)
        self._live = self._choice(_LIVE)
        self._live.setToolTip(self.tr("Where a process steps several at once, as vectors do"))
        form.addRow(self.tr("Live pictures of"), self._live)
        self._budget = DoubleSpinBox(minimum=0, maximum=100, decimals=1)
        self._budget.setSuffix(self.tr(" % of the training's time"))
        self._budget.valueChanged.connect(self.changed)
        form.addRow(self.tr("Watching may cost"), self._budget)
        self._pace = SpinBox(minimum=0, maximum=10_000_000)
        self._pace.setSuffix(self.tr(" steps/s"))
        self._pace.setSpecialValueText(self.tr("No limit"))
        self._pace.valueChanged.connect(self.changed)
        form.addRow(self.tr("Pace"), self._pace)
        self._live.currentIndexChanged.connect(
            lambda: self._budget.setEnabled(self._live.currentData() != Live.OFF.value)
        )
        for field in (self._observations, self._policy, self._live, self._budget, self._pace):
            field.setMinimumWidth(300)
        align_labels(form)
        self.set_state({})

    def state(self) -> dict[str, Any]:
        """Return the entries as plain data."""
        return {
            **self._kept,
            **{key: line.text() for key, line in self._texts.items()},
            "observations": self._observations.currentData(),
            "frames": (Frames.EVERY_STEP if self._frames.isChecked() else Frames.OFF).value,
            "spool_policy": self._policy.currentData(),
            "live": self._live.currentData(),
            "render_budget": round(self._budget.value() / 100, 4),
            "max_steps_per_s": float(self._pace.value()),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Show ``state()``'s form; what is missing gets its default."""
        whole = {**self._defaults, **state}
        self._kept = {key: whole[key] for key in ("max_numbers", "spool_limit_bytes")}
        for key, line in self._texts.items():
            line.setText(str(whole.get(key, "")))
        self._observations.setCurrentIndex(self._observations.findData(whole["observations"]))
        self._frames.setChecked(whole["frames"] != Frames.OFF.value)
        self._policy.setCurrentIndex(self._policy.findData(whole["spool_policy"]))
        self._live.setCurrentIndex(self._live.findData(whole["live"]))
        self._budget.setValue(100 * whole["render_budget"])
        self._pace.setValue(int(whole.get("max_steps_per_s", 0)))

    def values(self) -> dict[str, Any]:
        """Return keyword arguments for ``build_spec``."""
        state = self.state()
        return {
            "name": state["name"].strip(),
            "group": state["group"].strip(),
            "notes": state["notes"].strip(),
            "tags": [tag.strip() for tag in state["tags"].split(",") if tag.strip()],
            "cwd": state["cwd"].strip() or None,
            "launcher": state["launcher"].strip() or "local",
            "recording": Recording(**{item.name: state[item.name] for item in fields(Recording)}),
            "live": state["live"],
            "render_budget": state["render_budget"],
            "max_steps_per_s": state["max_steps_per_s"],
        }

    def _with_browse(self, line: QtWidgets.QLineEdit) -> QtWidgets.QWidget:
        holder = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        button = QtWidgets.QPushButton(self.tr("Browse…"))
        button.clicked.connect(lambda: self._browse(line))
        row.addWidget(line, 1)
        row.addWidget(button)
        return holder

    def _browse(self, line: QtWidgets.QLineEdit) -> None:
        title = self.tr("Choose the working folder")
        path = QtWidgets.QFileDialog.getExistingDirectory(self, title, line.text())
        if path:
            line.setText(path)

    def _choice(self, texts: Mapping[str, str]) -> QtWidgets.QComboBox:
        combo = QtWidgets.QComboBox()
        for value, text in texts.items():
            combo.addItem(self.tr(text), value)
        combo.currentIndexChanged.connect(self.changed)
        return combo
