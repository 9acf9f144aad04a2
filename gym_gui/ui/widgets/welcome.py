"""What the middle of the window shows while no tab is open."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets


class Welcome(QtWidgets.QWidget):
    """Says what can be done next, with buttons for it."""

    new_run_requested = QtCore.Signal()
    demo_requested = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = self._label("emptyTitle", self.tr("Watch an agent learn"))
        self.text = self._label(
            "emptyText",
            self.tr(
                "Start a training run, or drop a training script onto this window. "
                "It trains unmodified; every step is kept, and any episode can be replayed."
            ),
        )
        self.new = QtWidgets.QPushButton(self.tr("New run…"))
        self.new.setProperty("primary", True)
        self.new.clicked.connect(self.new_run_requested)
        self.demo = QtWidgets.QPushButton(self.tr("Try the demonstration"))
        self.demo.clicked.connect(self.demo_requested)
        self.hint = self._label(
            "emptyText", self.tr("Ctrl+K finds every command · double-click a run to open it")
        )
        buttons = QtWidgets.QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.new)
        buttons.addSpacing(6)
        buttons.addWidget(self.demo)
        buttons.addStretch(1)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(48, 0, 48, 0)
        column.addStretch(2)
        column.addWidget(self.title)
        column.addSpacing(4)
        column.addWidget(self.text)
        column.addSpacing(14)
        column.addLayout(buttons)
        column.addSpacing(22)
        column.addWidget(self.hint)
        column.addStretch(3)

    def show_place(self, place: str) -> None:
        """Say that these are the runs of another machine, where runs are started."""
        self.title.setText(self.tr("Runs of {}").format(place))
        self.text.setText(
            self.tr(
                "Open a run to watch it live, to pause it, or to replay its episodes. "
                "Start one there from a terminal here: "
                "gym-gui --connect ssh://{} run -- SCRIPT"
            ).format(place)
        )
        self.new.hide()
        self.demo.hide()

    def _label(self, name: str, text: str) -> QtWidgets.QLabel:
        label = QtWidgets.QLabel(text)
        label.setObjectName(name)
        label.setWordWrap(True)
        label.setAlignment(QtCore.Qt.AlignmentFlag.AlignHCenter)
        return label
