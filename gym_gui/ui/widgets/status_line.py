"""The status bar: recorder, what trains, live pictures and problems, in plain words."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.trainer_link import LinkState
from gym_gui.ui import theme
from gym_gui.ui.widgets.progress_strip import ProgressStrip


class Dot(QtWidgets.QWidget):
    """A small disc in a colour that says how something is."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(14, 14)
        self._purpose = "muted"

    def set_purpose(self, purpose: str) -> None:
        """Take the theme's colour of that name (``good``, ``warn``, ``bad``, ``muted``)."""
        self._purpose = purpose
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QColor(getattr(theme.current(), self._purpose)))
        painter.drawEllipse(QtCore.QPointF(7, 7), 4, 4)


class StatusLine(QtWidgets.QStatusBar):
    """Shows short states for good, and passing messages for a few seconds."""

    problems_requested = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.dot = Dot()
        self.recorder = QtWidgets.QLabel()
        self.training = QtWidgets.QLabel()
        self.live = QtWidgets.QLabel()
        self.note = QtWidgets.QLabel()
        self.problems = QtWidgets.QToolButton()
        self.problems.setObjectName("bad")
        self.problems.setAccessibleName(self.tr("Problems"))
        self.problems.setToolTip(self.tr("What went wrong, and what to do about it"))
        self.problems.clicked.connect(self.problems_requested)
        self.problems.hide()
        self._note_timer = QtCore.QTimer(self)
        self._note_timer.setSingleShot(True)
        self._note_timer.timeout.connect(self.note.clear)
        holder = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(holder)
        row.setContentsMargins(10, 2, 10, 2)
        row.setSpacing(4)
        for label in (self.recorder, self.training, self.live, self.note):
            label.setObjectName("muted")
            label.setSizePolicy(
                QtWidgets.QSizePolicy.Policy.Maximum, QtWidgets.QSizePolicy.Policy.Preferred
            )
        row.addWidget(self.dot)
        row.addWidget(self.recorder)
        for label in (self.training, self.live):
            row.addSpacing(18)
            row.addWidget(label)
        row.addStretch(1)
        self.progress = ProgressStrip()
        row.addWidget(self.note)
        row.addWidget(self.progress)
        row.addWidget(self.problems)
        self.addWidget(holder, 1)
        self.set_link(LinkState.CONNECTING, "")

    def set_link(self, state: LinkState, words: str) -> None:
        """Say how the recorder (the daemon) is."""
        purpose = {LinkState.CONNECTED: "good", LinkState.LOST: "bad"}.get(state, "warn")
        self.dot.set_purpose(purpose)
        default = {
            LinkState.CONNECTED: self.tr("Recorder ready"),
            LinkState.CONNECTING: self.tr("Starting the recorder…"),
            LinkState.SILENT: self.tr("The recorder does not answer; training goes on."),
        }.get(state, self.tr("No recorder; training goes on. Trying again."))
        self.recorder.setText(default)
        self.recorder.setToolTip(words or default)

    def set_training(self, count: int, steps: int) -> None:
        """Say how many runs train, and the steps they have recorded."""
        if not count:
            self.training.setText(self.tr("Nothing is training"))
        elif count == 1:
            self.training.setText(self.tr("1 run training · {} steps kept").format(f"{steps:,}"))
        else:
            self.training.setText(
                self.tr("{} runs training · {} steps kept").format(count, f"{steps:,}")
            )

    def set_live(self, words: str) -> None:
        self.live.setText(words)

    def set_problems(self, count: int) -> None:
        self.problems.setVisible(count > 0)
        self.problems.setText(
            self.tr("1 problem") if count == 1 else self.tr("{} problems").format(count)
        )

    def say(self, text: str, *, seconds: float = 6.0) -> None:
        """Show a passing message."""
        self.note.setText(text)
        self._note_timer.start(int(seconds * 1000))
