"""What a person may change of a run that has been started: name, group, tags, notes."""

from __future__ import annotations

from dataclasses import replace

from PySide6 import QtCore, QtWidgets

from gym_gui.core.records import RunRecord, RunSpec


class RunDetailsDialog(QtWidgets.QDialog):
    """``accepted_spec(RunSpec)`` carries the changed spec; saving it is the caller's."""

    accepted_spec = QtCore.Signal(object)

    def __init__(self, record: RunRecord, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec = record.spec
        self.setWindowTitle(self.tr("Name, tags and notes"))
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(460, 320)
        self.name = QtWidgets.QLineEdit(record.spec.name)
        self.group = QtWidgets.QLineEdit(record.spec.group)
        self.tags = QtWidgets.QLineEdit(", ".join(record.spec.tags))
        self.tags.setPlaceholderText(self.tr("Words, with commas between them"))
        self.notes = QtWidgets.QPlainTextEdit(record.spec.notes)
        form = QtWidgets.QFormLayout()
        for label, editor in (
            (self.tr("Name"), self.name),
            (self.tr("Group"), self.group),
            (self.tr("Tags"), self.tags),
            (self.tr("Notes"), self.notes),
        ):
            editor.setAccessibleName(label)
            form.addRow(label, editor)
        run_id = QtWidgets.QLabel(record.run_id)
        run_id.setObjectName("muted")
        run_id.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        standard = QtWidgets.QDialogButtonBox.StandardButton
        buttons = QtWidgets.QDialogButtonBox(standard.Save | standard.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(run_id)
        layout.addWidget(buttons)

    def changed(self) -> RunSpec:
        """Return the spec as the fields say; an empty name keeps the one it had."""
        tags = [tag.strip() for tag in self.tags.text().split(",") if tag.strip()]
        return replace(
            self._spec,
            name=self.name.text().strip() or self._spec.name,
            group=self.group.text().strip(),
            tags=list(dict.fromkeys(tags)),
            notes=self.notes.toPlainText().strip(),
        )

    def accept(self) -> None:
        if self.changed() != self._spec:
            self.accepted_spec.emit(self.changed())
        super().accept()
