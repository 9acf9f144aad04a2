"""Forms whose labels stand in the middle of the line beside their fields, and what they hold."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

ONE_LINE = 40  # pixels; the label of a taller field stays at its top


def align_labels(form: QtWidgets.QFormLayout) -> None:
    """Make each label as high as its field, so that their words share a line."""
    for row in range(form.rowCount()):
        label = form.itemAt(row, QtWidgets.QFormLayout.ItemRole.LabelRole)
        field = form.itemAt(row, QtWidgets.QFormLayout.ItemRole.FieldRole)
        caption = label.widget() if label is not None else None
        if field is None or caption is None:
            continue
        height = _height(field)
        if height <= ONE_LINE:
            caption.setMinimumHeight(height)


def _height(item: QtWidgets.QLayoutItem) -> int:
    """Return the height that a field will have, also before its window is made."""
    widget, row = item.widget(), item.layout()
    if widget is not None:
        widget.ensurePolished()
        return widget.sizeHint().height()
    items = [row.itemAt(place) for place in range(row.count())] if row is not None else []
    return max((_height(each) for each in items if each is not None), default=0)


def find_anywhere(combo: QtWidgets.QComboBox) -> None:
    """List what holds the typed text anywhere, not only at its beginning."""
    completer = combo.completer()
    if completer is not None:
        completer.setFilterMode(QtCore.Qt.MatchFlag.MatchContains)
        completer.setCompletionMode(QtWidgets.QCompleter.CompletionMode.PopupCompletion)
