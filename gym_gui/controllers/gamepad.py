"""Gamepads, through SDL's own mappings: buttons as names, sticks as -1 to 1.

SDL comes with pygame, which gymnasium's classic environments need anyway. Nothing of it is loaded
before ``start``. Buttons are called ``pad a``, ``pad left``, …; a stick or trigger that is pushed
half of its way counts as a button too.
"""

from __future__ import annotations

import os
from typing import Any

from PySide6 import QtCore

POLL_MS = 8
FULL = 32767.0  # of an axis
PRESSED = 0.5  # from where a stick is a button
BUTTONS = (
    "a", "b", "x", "y", "back", "guide", "start", "left stick", "right stick",
    "left shoulder", "right shoulder", "up", "down", "left", "right",
)  # fmt: skip
# SDL's axes: number, the button towards -1, the button towards 1, whether up is positive
_AXES = (
    (0, "left", "right", False),
    (1, "up", "down", True),
    (2, "right stick left", "right stick right", False),
    (3, "right stick up", "right stick down", True),
    (4, "", "left trigger", False),
    (5, "", "right trigger", False),
)


def stick_value(raw: int, *, upwards: bool = False) -> float:
    """Return SDL's reading of an axis as -1 to 1; ``upwards``: SDL counts it downwards."""
    value = max(-1.0, min(1.0, raw / FULL))
    return -value if upwards else value


class Gamepad(QtCore.QObject):
    """Reads every gamepad that is plugged in while it is started. ``stop`` twice is safe."""

    pressed = QtCore.Signal(str)
    released = QtCore.Signal(str)
    pushed = QtCore.Signal(int, float)  # stick axis (0: left x, 1: left y, …), -1 to 1
    plugged = QtCore.Signal(str)  # its name, empty when the last one was unplugged

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._sdl: Any = None
        self._events: Any = None
        self._pads: dict[int, Any] = {}
        self._down: set[str] = set()
        self._sticks: dict[int, float] = {}
        self._timer = QtCore.QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self.poll)

    def start(self) -> bool:
        """Begin to read; False where SDL is not there or has no use for gamepads here."""
        if self._sdl is None:
            loaded = _load()
            if loaded is None:
                return False
            self._sdl, self._events = loaded
        self._sdl.init()
        self._timer.start()
        return True

    def stop(self) -> None:
        """Let go of the gamepads, and of what is pressed."""
        self._timer.stop()
        self._publish(set(), {})
        for pad in self._pads.values():
            pad.quit()
        self._pads.clear()
        if self._sdl is not None:
            self._sdl.quit()

    def poll(self) -> None:
        """Look once at every gamepad, and tell what has changed."""
        self._events.clear()  # which lets SDL look at its devices
        self._notice_plugging()
        down: set[str] = set()
        sticks: dict[int, float] = {}
        for pad in self._pads.values():
            down.update(f"pad {name}" for n, name in enumerate(BUTTONS) if pad.get_button(n))
            for axis, back, forth, upwards in _AXES:
                raw = pad.get_axis(axis)
                way = stick_value(raw)
                if abs(way) > PRESSED:
                    name = back if way < 0 else forth
                    down.update([f"pad {name}"] if name else [])
                if axis < 4:
                    sticks[axis] = stick_value(raw, upwards=upwards)
        self._publish(down, sticks)

    def _notice_plugging(self) -> None:
        count = self._sdl.get_count()
        gone = [number for number, pad in self._pads.items() if not pad.attached()]
        for number in gone:
            self._pads.pop(number).quit()
        if gone and not self._pads:
            self.plugged.emit("")
        for number in range(count):
            if number not in self._pads and self._sdl.is_controller(number):
                self._pads[number] = pad = self._sdl.Controller(number)
                self.plugged.emit(str(pad.name))

    def _publish(self, down: set[str], sticks: dict[int, float]) -> None:
        before, self._down = self._down, down
        for name in sorted(before - down):
            self.released.emit(name)
        for name in sorted(down - before):
            self.pressed.emit(name)
        for axis, way in sticks.items():
            if way != self._sticks.get(axis, 0.0):
                self.pushed.emit(axis, way)
        self._sticks = sticks


def _load() -> Any:
    """Return pygame's controller and event modules; None where SDL is missing or will not start."""
    video = os.environ.get("SDL_VIDEODRIVER")
    os.environ["SDL_VIDEODRIVER"] = "dummy"  # the window is Qt's
    os.environ["SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS"] = "1"
    os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
        from pygame._sdl2 import controller

        pygame.display.init()  # its events are what SDL tells of devices by
        controller.init()
    except Exception:  # noqa: BLE001 - SDL's own error, or no pygame: keys serve as well
        return None
    finally:
        if video is None:
            del os.environ["SDL_VIDEODRIVER"]
        else:
            os.environ["SDL_VIDEODRIVER"] = video
    return controller, pygame.event
