"""Whether a run repeats itself: what the last verification found, and a button for another."""

from __future__ import annotations

import threading

from PySide6 import QtCore, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.paths import RunDir
from gym_gui.services.verify import VerifyReport, last_report, verify_run
from gym_gui.ui import theme


class VerifyStrip(QtWidgets.QWidget):
    """Shows and renews a run's verification. ``cleanup`` breaks one off that is under way."""

    _advanced = QtCore.Signal(int, int)

    def __init__(self, run_dir: RunDir, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._run_dir = run_dir
        self._background = Background(self)
        self._cancel = threading.Event()
        self._running = False
        self.words = QtWidgets.QLabel(self.tr("Not verified."))
        self.words.setObjectName("muted")
        policy = QtWidgets.QSizePolicy.Policy
        self.words.setSizePolicy(policy.Ignored, policy.Preferred)
        self.button = QtWidgets.QPushButton(self.tr("Verify"))
        self.button.setToolTip(self.tr("Simulate every episode again and compare each step"))
        self.button.clicked.connect(self._toggle)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.words, 1)
        row.addWidget(self.button)
        self._advanced.connect(self._show_progress)
        self._background.run(
            lambda: last_report(run_dir), done=self._show, failed=lambda error: self._fail(error)
        )

    def _toggle(self) -> None:
        if self._running:
            self._cancel.set()
            return
        self._running = True
        self._cancel.clear()
        self.button.setText(self.tr("Cancel"))
        self._say(self.tr("Verifying…"), theme.current().muted)
        self._background.run(
            lambda: verify_run(
                self._run_dir, progress=self._advanced.emit, cancelled=self._cancel.is_set
            ),
            done=self._done,
            failed=self._fail,
        )

    @QtCore.Slot(int, int)
    def _show_progress(self, done: int, total: int) -> None:
        if self._running:
            text = self.tr("Verifying… {:,} of {:,} episodes").format(done, total)
            self._say(text, theme.current().muted)

    def _done(self, report: VerifyReport) -> None:
        self._stopped()
        if report.verified_ns:
            self._show(report)
        else:
            self._say(self.tr("The verification was broken off."), theme.current().muted)

    def _show(self, report: VerifyReport | None) -> None:
        if report is None:
            return
        colours = theme.current()
        words = self.tr("Verified: {}").format(report)
        self._say(words, colours.good if report.reproducible else colours.bad)

    def _fail(self, error: Exception) -> None:
        self._stopped()
        self._say(str(error), theme.current().bad)

    def _stopped(self) -> None:
        self._running = False
        self.button.setText(self.tr("Verify"))

    def _say(self, text: str, colour: str) -> None:
        self.words.setText(text)
        self.words.setToolTip(text)
        self.words.setStyleSheet(f"color: {colour}")

    def cleanup(self) -> None:
        """Break off. Twice is safe."""
        self._cancel.set()
        self._background.close()
