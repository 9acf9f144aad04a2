"""Fields for numbers whose text stands as far from the border as that of other fields.

A style sheet's padding does not reach the line inside a spin box.
"""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

MARGIN = 6  # pixels between the border and the number


class SpinBox(QtWidgets.QSpinBox):
    """A field for a whole number."""

    def __init__(self, *args: object, **properties: object) -> None:
        super().__init__(*args, **properties)  # pyright: ignore[reportCallIssue, reportArgumentType]
        self.lineEdit().setTextMargins(MARGIN, 0, 0, 0)

    def sizeHint(self) -> QtCore.QSize:
        return super().sizeHint() + QtCore.QSize(MARGIN, 0)


class DoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """A field for any number."""

    def __init__(self, *args: object, **properties: object) -> None:
        super().__init__(*args, **properties)  # pyright: ignore[reportCallIssue, reportArgumentType]
        self.lineEdit().setTextMargins(MARGIN, 0, 0, 0)

    def sizeHint(self) -> QtCore.QSize:
        return super().sizeHint() + QtCore.QSize(MARGIN, 0)

    def textFromValue(self, value: float) -> str:
        """Return the number without zeros that say nothing: ``5``, not ``5.0``."""
        text, point = super().textFromValue(value), self.locale().decimalPoint()
        return text.rstrip("0").removesuffix(point) if point in text else text
