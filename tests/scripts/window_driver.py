"""Drives the real program inside its own event loop, step by step, on the display there is.

A script is a generator: it acts on the window, and yields what it then waits for (a callable, its
name) before it goes on. An overdue wait ends the process with the name of what did not come.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtTest, QtWidgets

from gym_gui import app
from gym_gui.core.paths import DataDir
from gym_gui.services.settings import Settings

Wait = tuple[Callable[[], Any], str]
Script = Callable[["Stage"], Iterator[Wait]]

LOOK_MS = 50
WAIT_S = 40.0
STILL_LOOKS = 6  # equal pictures in a row, 50 ms apart


class Stage:
    """The window on its display, with what a person does to it and a camera."""

    def __init__(self, window: Any, pictures: Path) -> None:
        self.window = window
        self.pictures = pictures

    def front(self) -> QtWidgets.QWidget:
        """Return the dialog or popup in front, or the window."""
        application = QtWidgets.QApplication
        found = application.activeModalWidget() or application.activePopupWidget()
        return found or next(
            (d for d in self.window.findChildren(QtWidgets.QDialog) if d.isVisible()), self.window
        )

    def screen(self) -> QtGui.QImage:
        screen = QtGui.QGuiApplication.primaryScreen()
        corner = self.window.mapToGlobal(QtCore.QPoint(0, 0))
        size = self.window.size()
        return screen.grabWindow(0, corner.x(), corner.y(), size.width(), size.height()).toImage()

    def press(self, keys: str) -> Iterator[Wait]:
        """Type a shortcut such as ``Ctrl+N`` into the window in front."""
        yield self.has_keyboard, "the window to have the keyboard"
        combination = QtGui.QKeySequence(keys)[0]
        QtTest.QTest.keyClick(self.front(), combination.key(), combination.keyboardModifiers())

    def has_keyboard(self) -> bool:
        """Tell whether the window in front has it; without a window manager it must ask."""
        front = self.front()
        if front.isVisible() and not front.isActiveWindow():
            front.windowHandle().requestActivate()
        return front.isActiveWindow()

    def click(self, widget: QtWidgets.QWidget) -> None:
        assert widget.isVisible(), f"{widget.accessibleName() or widget} is not to be seen"
        assert widget.isEnabled(), f"{widget.accessibleName() or widget} is not enabled"
        QtTest.QTest.mouseClick(widget, QtCore.Qt.MouseButton.LeftButton)

    def button(self, text: str) -> QtWidgets.QAbstractButton:
        """Return the visible button of this text, as a person would look for it."""
        for button in self.front().findChildren(QtWidgets.QAbstractButton):
            words = (button.text().replace("&", ""), button.accessibleName())
            if button.isVisible() and text in words:
                return button
        raise AssertionError(f"there is no button {text!r}")

    def photograph(self, name: str) -> Iterator[Wait]:
        """Keep what the screen shows as ``name``.png once it stands still."""
        last, still = QtGui.QImage(), 0

        def stands_still() -> bool:
            nonlocal last, still
            now = self.screen()
            still = still + 1 if now == last else 0
            last = now
            return still >= STILL_LOOKS

        yield stands_still, f"a picture of {name} that stands still"
        last.save(str(self.pictures / f"{name}.png"))

    def snapshot(self, name: str) -> Iterator[Wait]:
        """Keep what the screen shows now as ``name``.png, though it may move."""
        yield from self.pass_s(0.3)
        self.screen().save(str(self.pictures / f"{name}.png"))

    def pass_s(self, seconds: float) -> Iterator[Wait]:
        """Let some time go by."""
        end = time.monotonic() + seconds
        yield lambda: time.monotonic() > end, f"{seconds} s to go by"

    def close_front(self) -> Iterator[Wait]:
        """Close the dialog in front with Escape."""
        dialog = self.front()
        assert dialog is not self.window, "there is no dialog"
        yield from self.press("Escape")
        yield lambda: self.front() is self.window, "the dialog to close"


def drive(data_dir: DataDir, pictures: Path, script: Script, *, theme: str = "dark") -> int:
    """Open the program at 1280 by 720 points, let ``script`` drive it, and return the exit code."""
    settings = Settings.load(data_dir.create().settings)
    settings["window.theme"] = theme
    settings["window.tour_seen"] = True
    settings["window.restore_tabs"] = False  # every script begins with an empty window
    settings.save()
    pictures.mkdir(parents=True, exist_ok=True)
    make_window = app.make_window
    driven: list[_Driver] = []

    def made(folder: DataDir) -> Any:
        window = make_window(folder)
        window.setGeometry(0, 0, 1280, 720)
        driven.append(_Driver(Stage(window, pictures), script))
        return window

    app.make_window = made
    code = app.main(data_dir)
    return driven[0].code or code


class _Driver(QtCore.QObject):
    """Resumes the script whenever what it waits for has come."""

    def __init__(self, stage: Stage, script: Script) -> None:
        super().__init__(stage.window)
        self.code = 0
        self._steps = script(stage)
        self._wait: Wait = (stage.has_keyboard, "the window")
        self._since = time.monotonic()
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(LOOK_MS)

    def _look(self) -> None:
        try:
            check, what = self._wait
            if check():
                self._wait, self._since = next(self._steps), time.monotonic()
            elif time.monotonic() - self._since > WAIT_S:
                raise TimeoutError(f"waited for {what}")
        except StopIteration:
            self._end(0)
        except Exception:  # noqa: BLE001 - whatever fails ends the process and is shown
            traceback.print_exc(file=sys.stderr)
            self._end(1)

    def _end(self, code: int) -> None:
        self.code = code
        self._timer.stop()
        QtCore.QTimer.singleShot(0, lambda: QtCore.QCoreApplication.exit(code))
