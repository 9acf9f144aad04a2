"""What a person may change of runs that have been started: name, group, tags, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6 import QtCore, QtWidgets

from gym_gui.core.records import RunRecord, RunSpec
from gym_gui.ui.widgets.forms import align_labels


class RunDetailsDialog(QtWidgets.QDialog):
    """``accepted_spec(RunSpec)`` carries each changed spec; saving it is the caller's.

    Of several runs only what they can share is asked: their group, the tags that all have, and
    notes. What is left as it was stays different between them.
    """

    accepted_spec = QtCore.Signal(object)

    def __init__(
        self, records: Sequence[RunRecord], parent: QtWidgets.QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._specs = [record.spec for record in records]
        first, several = self._specs[0], len(self._specs) > 1
        self.setWindowTitle(
            self.tr("Group, tags and notes of {} runs").format(len(records))
            if several
            else self.tr("Name, tags and notes")
        )
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(460, 320)
        self._shared_tags = [tag for tag in first.tags if all(tag in s.tags for s in self._specs)]
        self._shared = {
            name: getattr(first, name) if len({getattr(s, name) for s in self._specs}) == 1 else ""
            for name in ("name", "group", "notes")
        }
        self.name = QtWidgets.QLineEdit(self._shared["name"])
        self.group = QtWidgets.QLineEdit(self._shared["group"])
        self.tags = QtWidgets.QLineEdit(", ".join(self._shared_tags))
        self.tags.setPlaceholderText(self.tr("Words, with commas between them"))
        self.notes = QtWidgets.QPlainTextEdit(self._shared["notes"])
        form = QtWidgets.QFormLayout()
        for label, editor in (
            (self.tr("Name"), self.name),
            (self.tr("Group"), self.group),
            (self.tr("Tags of all") if several else self.tr("Tags"), self.tags),
            (self.tr("Notes"), self.notes),
        ):
            editor.setAccessibleName(label)
            if several and editor is self.name:
                continue
            if several and editor is not self.tags and not self._shared[self._key(editor)]:
                editor.setPlaceholderText(self.tr("each its own"))
            form.addRow(label, editor)
        align_labels(form)
        ids = QtWidgets.QLabel("" if several else records[0].run_id)
        ids.setObjectName("muted")
        ids.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        standard = QtWidgets.QDialogButtonBox.StandardButton
        buttons = QtWidgets.QDialogButtonBox(standard.Save | standard.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(ids)
        layout.addWidget(buttons)

    def _key(self, editor: QtWidgets.QWidget) -> str:
        return {self.name: "name", self.group: "group", self.notes: "notes"}[editor]

    def changed(self) -> list[RunSpec]:
        """Return the specs as the fields say; an empty name keeps the one it had."""
        return [self._changed(spec) for spec in self._specs]

    def _changed(self, spec: RunSpec) -> RunSpec:
        entered = {
            "name": self.name.text().strip(),
            "group": self.group.text().strip(),
            "notes": self.notes.toPlainText().strip(),
        }
        values = {name: text for name, text in entered.items() if text != self._shared[name]}
        if not values.get("name", "-"):
            del values["name"]
        tags = [tag.strip() for tag in self.tags.text().split(",") if tag.strip()]
        own = [tag for tag in spec.tags if tag not in self._shared_tags]
        return replace(spec, **values, tags=list(dict.fromkeys([*tags, *own])))

    def accept(self) -> None:
        for before, after in zip(self._specs, self.changed(), strict=True):
            if after != before:
                self.accepted_spec.emit(after)
        super().accept()
