"""What is asked of every run, whatever its worker: name, recording, pace."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.core.records import Frames, Observations, Recording, SpoolPolicy

_OBSERVATIONS = {
    Observations.AUTO.value: "whole when small, else a checksum",
    Observations.WHOLE.value: "whole",
    Observations.CHECKSUM.value: "a checksum only",
}
_POLICIES = {
    SpoolPolicy.KEEP.value: "keep all while there is room",
    SpoolPolicy.PAUSE_RUN.value: "pause the run",
    SpoolPolicy.DROP_AND_COUNT.value: "drop and count",
}


class RunOptions(QtWidgets.QWidget):
    """Name, group, tags, notes, recording, render budget, pace and launcher."""

    changed = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        form = QtWidgets.QFormLayout(self)
        form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._texts = {
            key: QtWidgets.QLineEdit() for key in ("name", "group", "tags", "notes", "launcher")
        }
        for key, hint in (
            ("name", "the script's or algorithm's"),
            ("group", "runs that belong together"),
            ("tags", "separated by commas"),
            ("notes", "anything worth remembering"),
            ("launcher", "local"),
        ):
            self._texts[key].setPlaceholderText(hint)
            self._texts[key].textChanged.connect(self.changed)
            form.addRow(key.capitalize(), self._texts[key])
        self._observations = _choice(_OBSERVATIONS, self.changed)
        form.addRow("Observations are kept", self._observations)
        self._frames = QtWidgets.QCheckBox("every frame (replay needs none)")
        self._frames.toggled.connect(self.changed)
        form.addRow("Keep", self._frames)
        self._policy = _choice(_POLICIES, self.changed)
        form.addRow("When the disk is full", self._policy)
        self._budget = QtWidgets.QSpinBox(minimum=0, maximum=100, value=5, suffix=" % of its time")
        self._budget.valueChanged.connect(self.changed)
        form.addRow("Watching may cost", self._budget)
        self._pace = QtWidgets.QSpinBox(
            minimum=0, maximum=10_000_000, suffix=" steps/s", specialValueText="no limit"
        )
        self._pace.valueChanged.connect(self.changed)
        form.addRow("Pace", self._pace)

    def state(self) -> dict[str, Any]:
        """Return the entries as plain data."""
        return {
            **{key: line.text() for key, line in self._texts.items()},
            "observations": self._observations.currentData(),
            "frames": (Frames.EVERY_STEP if self._frames.isChecked() else Frames.OFF).value,
            "spool_policy": self._policy.currentData(),
            "render_budget": self._budget.value() / 100,
            "max_steps_per_s": float(self._pace.value()),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Show ``state()``'s form; what is missing gets its default."""
        for key, line in self._texts.items():
            line.setText(str(state.get(key, "")))
        kept = Recording()
        self._observations.setCurrentIndex(
            self._observations.findData(state.get("observations", kept.observations))
        )
        self._frames.setChecked(state.get("frames", kept.frames) != Frames.OFF.value)
        self._policy.setCurrentIndex(
            self._policy.findData(state.get("spool_policy", kept.spool_policy))
        )
        self._budget.setValue(round(100 * state.get("render_budget", 0.05)))
        self._pace.setValue(int(state.get("max_steps_per_s", 0)))

    def values(self) -> dict[str, Any]:
        """Return keyword arguments for ``build_spec``."""
        state = self.state()
        return {
            "name": state["name"].strip(),
            "group": state["group"].strip(),
            "notes": state["notes"].strip(),
            "tags": [tag.strip() for tag in state["tags"].split(",") if tag.strip()],
            "launcher": state["launcher"].strip() or "local",
            "recording": Recording(
                observations=state["observations"],
                frames=state["frames"],
                spool_policy=state["spool_policy"],
            ),
            "render_budget": state["render_budget"],
            "max_steps_per_s": state["max_steps_per_s"],
        }


def _choice(texts: dict[str, str], changed: Any) -> QtWidgets.QComboBox:
    combo = QtWidgets.QComboBox()
    for value, text in texts.items():
        combo.addItem(text, value)
    combo.currentIndexChanged.connect(changed)
    return combo
