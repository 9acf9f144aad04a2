"""Tells that a run has ended or failed: on the desktop, or in the window where it is in front."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.ui.icons import icon

SHOWN_MS = 8000
MARGIN = 16


class Notifier(QtCore.QObject):
    """``activated(run_id)`` when the user clicks a notification. Owner calls ``close()``."""

    activated = QtCore.Signal(str)

    def __init__(self, window: QtWidgets.QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._tray: QtWidgets.QSystemTrayIcon | None = None
        self._run_id = ""
        self.toast = Toast(window)
        self.toast.activated.connect(lambda: self.activated.emit(self._run_id))

    def tell(self, title: str, text: str, *, run_id: str = "", bad: bool = False) -> None:
        """Show one notification; a newer one takes its place."""
        self._run_id = run_id
        if not self._window.isActiveWindow():
            QtWidgets.QApplication.alert(self._window)
            if self._tell_desktop(title, text, bad=bad):
                return
        self.toast.tell(title, text, bad=bad)

    def _tell_desktop(self, title: str, text: str, *, bad: bool) -> bool:
        """Return whether the desktop shows it (Qt asks it over D-Bus where there is one)."""
        if not QtWidgets.QSystemTrayIcon.isSystemTrayAvailable():
            return False
        tray = self._tray = self._tray or self._make_tray()
        kinds = QtWidgets.QSystemTrayIcon.MessageIcon
        tray.showMessage(title, text, kinds.Critical if bad else kinds.Information, SHOWN_MS)
        return tray.supportsMessages()

    def _make_tray(self) -> QtWidgets.QSystemTrayIcon:
        tray = QtWidgets.QSystemTrayIcon(self._window.windowIcon(), self)
        tray.setToolTip(QtWidgets.QApplication.applicationDisplayName())
        tray.messageClicked.connect(self._come_to_front)
        tray.activated.connect(self._come_to_front)
        tray.show()
        return tray

    def _come_to_front(self, *_: object) -> None:
        self._window.showNormal() if self._window.isMinimized() else self._window.show()
        self._window.raise_()
        self._window.activateWindow()
        self.activated.emit(self._run_id)

    def close(self) -> None:
        """Take everything off the screen. Twice is safe."""
        self.toast.hide()
        if self._tray is not None:
            self._tray.hide()
            self._tray.deleteLater()
            self._tray = None


class Toast(QtWidgets.QFrame):
    """A small card in the window's lower right corner, gone by itself after some seconds."""

    activated = QtCore.Signal()

    def __init__(self, window: QtWidgets.QWidget) -> None:
        super().__init__(window)
        self.setObjectName("toast")
        self.title = QtWidgets.QLabel()
        self.title.setObjectName("toastTitle")
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self.open = QtWidgets.QPushButton(self.tr("Show"))
        self.open.setObjectName("slim")
        self.open.clicked.connect(self._open)
        close = QtWidgets.QToolButton()
        close.setIcon(icon("close", "muted"))
        close.setAccessibleName(self.tr("Close this message"))
        close.setToolTip(self.tr("Close this message"))
        close.clicked.connect(self.hide)
        head = QtWidgets.QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(close)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(14, 8, 8, 12)
        column.addLayout(head)
        column.addWidget(self.text)
        column.addWidget(self.open, 0, QtCore.Qt.AlignmentFlag.AlignLeft)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        window.installEventFilter(self)
        self.hide()

    def tell(self, title: str, text: str, *, bad: bool) -> None:
        """Show the card; what went wrong stays until it is closed."""
        self.title.setText(title)
        self.text.setText(text)
        self.setProperty("bad", bad)
        self.style().unpolish(self)
        self.style().polish(self)
        self._place()
        self.show()
        self.raise_()
        self._timer.stop() if bad else self._timer.start(SHOWN_MS)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def _open(self) -> None:
        self.hide()
        self.activated.emit()

    def _place(self) -> None:
        window = self.parentWidget()
        assert window is not None
        around = window.rect()
        self.setFixedWidth(min(360, around.width() - 2 * MARGIN))
        height = self.heightForWidth(self.width())
        self.setGeometry(
            around.right() - self.width() - MARGIN,
            around.bottom() - height - MARGIN - 28,
            self.width(),
            height,
        )

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)
