"""Forms whose labels stand in the middle of the line beside their fields."""

from __future__ import annotations

from PySide6 import QtWidgets

ONE_LINE = 40  # pixels; the label of a taller field stays at its top


def align_labels(form: QtWidgets.QFormLayout) -> None:
    """Make each label as high as its field, so that their words share a line."""
    for row in range(form.rowCount()):
        label = form.itemAt(row, QtWidgets.QFormLayout.ItemRole.LabelRole)
        field = form.itemAt(row, QtWidgets.QFormLayout.ItemRole.FieldRole)
        if label is None or field is None or label.widget() is None:
            continue
        if field.widget() is not None:
            field.widget().ensurePolished()
        height = field.sizeHint().height()
        if height <= ONE_LINE:
            label.widget().setMinimumHeight(height)
