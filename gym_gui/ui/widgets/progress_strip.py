"""Work that takes longer than half a second: what it is, that it moves, and a way to cancel it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore, QtWidgets

SHOW_AFTER_MS = 500


class ProgressStrip(QtWidgets.QWidget):
    """Shows the work begun last; each piece of work is known by a key of its caller's."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._work: dict[object, tuple[str, Callable[[], object] | None]] = {}
        self.text = QtWidgets.QLabel()
        self.bar = QtWidgets.QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedSize(90, 6)
        self.bar.setAccessibleName(self.tr("Work under way"))
        self.cancel = QtWidgets.QPushButton(self.tr("Cancel"))
        self.cancel.setObjectName("slim")
        self.cancel.clicked.connect(self._cancel)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(14, 0, 6, 0)
        for widget in (self.text, self.bar, self.cancel):
            row.addWidget(widget)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._show_newest)
        self.hide()

    def begin(self, key: object, text: str, *, cancel: Callable[[], object] | None = None) -> None:
        """Show ``text`` if the work still goes on in half a second. cancel: ends it."""
        self._work[key] = (text, cancel)
        if self.isVisible():
            self._show_newest()
        elif not self._timer.isActive():
            self._timer.start(SHOW_AFTER_MS)

    def end(self, key: object) -> None:
        """Forget work that is done. An unknown key is left alone."""
        self._work.pop(key, None)
        if self._work and self.isVisible():
            self._show_newest()
        elif not self._work:
            self._timer.stop()
            self.hide()

    def _show_newest(self) -> None:
        text, cancel = next(reversed(self._work.values()))
        self.text.setText(text)
        self.cancel.setVisible(cancel is not None)
        self.show()

    def _cancel(self) -> None:
        key, (_, cancel) = next(reversed(self._work.items()))
        self.end(key)
        if cancel is not None:
            cancel()
