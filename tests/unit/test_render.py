"""Pictures made for us: what they need around them, and what must never be drawn."""

from __future__ import annotations

import os

import numpy as np
import pytest

from gym_gui.worker.render import CannotRenderError, Painter, Picture

PIXELS = np.full((4, 6, 3), 9, np.uint8)


class Robot:
    """Says where MuJoCo would look for its choice of OpenGL while it is drawn."""

    metadata = {"render_modes": ["rgb_array"]}
    render_mode = None
    mujoco_renderer = object()

    def __init__(self) -> None:
        self.seen: list[str | None] = []

    def render(self) -> np.ndarray:
        self.seen.append(os.environ.get("MUJOCO_GL"))
        return PIXELS


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def paint(env: object) -> list[Picture]:
    pictures: list[Picture] = []
    Painter(env).paint(pictures.append)
    return pictures


def test_mujoco_draws_by_egl_where_there_is_no_display_and_the_script_sees_no_trace(no_display):
    robot = Robot()
    assert [picture.width for picture in paint(robot)] == [6]
    assert robot.seen == ["egl"]
    assert "MUJOCO_GL" not in os.environ
    assert robot.render_mode is None


@pytest.mark.parametrize(("name", "value"), [("MUJOCO_GL", "osmesa"), ("DISPLAY", ":7")])
def test_mujoco_draws_as_was_chosen(no_display, name: str, value: str):
    no_display.setenv(name, value)
    robot = Robot()
    paint(robot)
    assert robot.seen == [os.environ.get("MUJOCO_GL")]
    assert os.environ[name] == value


def test_a_game_whose_picture_is_what_its_agents_see_is_not_drawn():
    class Pistons(Robot):
        renderOn = False  # as pettingzoo.butterfly.pistonball has it

    pistons = Pistons()
    with pytest.raises(CannotRenderError, match="agents observe"):
        paint(pistons)
    assert pistons.seen == []
