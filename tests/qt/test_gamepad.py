"""A gamepad that SDL itself plugs in: SDL's virtual joystick, through the real reading path."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from gym_gui.controllers.gamepad import Gamepad

pygame = pytest.importorskip("pygame")

_GAME_CONTROLLER = 1  # SDL_JOYSTICK_TYPE_GAMECONTROLLER
AXES, BUTTONS = 6, 15


def sdl() -> ctypes.CDLL:
    """Return the very library that pygame has loaded."""
    folder = Path(pygame.__file__).parent.parent
    for path in folder.glob("pygame*.libs/libSDL2-2*"):
        return ctypes.CDLL(str(path))
    pytest.skip("pygame was not installed with an SDL of its own")


class Told:
    """What a gamepad's signals told."""

    def __init__(self, gamepad: Gamepad) -> None:
        self.names: list[str] = []
        self.buttons: list[tuple[str, str]] = []
        self.sticks: dict[int, float] = {}
        gamepad.plugged.connect(self.names.append)
        gamepad.pressed.connect(lambda name: self.buttons.append(("down", name)))
        gamepad.released.connect(lambda name: self.buttons.append(("up", name)))
        gamepad.pushed.connect(self.sticks.__setitem__)


@pytest.fixture
def gamepad(qapp) -> Iterator[Gamepad]:
    gamepad = Gamepad()
    assert gamepad.start()
    gamepad._timer.stop()  # the test polls
    yield gamepad
    gamepad.stop()


def test_buttons_and_sticks_are_told_and_let_go_at_the_end(gamepad: Gamepad) -> None:
    told, library = Told(gamepad), sdl()
    number = library.SDL_JoystickAttachVirtual(_GAME_CONTROLLER, AXES, BUTTONS, 0)
    library.SDL_JoystickOpen.restype = ctypes.c_void_p
    stick = ctypes.c_void_p(library.SDL_JoystickOpen(number))
    try:
        gamepad.poll()
        assert told.names == ["Virtual Controller"]
        library.SDL_JoystickSetVirtualButton(stick, 0, 1)
        library.SDL_JoystickSetVirtualAxis(stick, 0, ctypes.c_int16(-32768))
        library.SDL_JoystickSetVirtualAxis(stick, 1, ctypes.c_int16(-16000))
        gamepad.poll()
        assert sorted(told.buttons) == [("down", "pad a"), ("down", "pad left")]
        assert told.sticks[0] == -1.0
        assert told.sticks[1] == pytest.approx(0.49, abs=0.01)  # up is positive
        library.SDL_JoystickSetVirtualButton(stick, 0, 0)
        gamepad.poll()
        assert told.buttons[-1] == ("up", "pad a")
        gamepad.stop()
        assert told.buttons[-1] == ("up", "pad left")
    finally:
        library.SDL_JoystickClose(stick)
        library.SDL_JoystickDetachVirtual(number)


def test_no_gamepad_is_no_trouble(gamepad: Gamepad) -> None:
    told = Told(gamepad)
    gamepad.poll()
    assert (told.names, told.buttons) == ([], [])
