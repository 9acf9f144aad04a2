"""Pictures of an environment, made on demand and without a trace in its training.

``render_mode`` is switched only around our own ``render()``; generator and particles are put
back as they were. Environments drawn with pygame return their surface through
``surfarray.pixels3d`` and a slow copy: the fast path catches the surface there and takes its own
buffer (BGRX). It is compared once with the ordinary picture of the very same call, and dropped
at the first surprise.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator, NamedTuple

from gym_gui.core.errors import GymGuiError
from gym_gui.worker.state import RandomnessGuard

_BGRX_MASKS = (0xFF0000, 0xFF00, 0xFF)
_DEPTH = 3  # environments inside one another that each keep a render_mode


class CannotRenderError(GymGuiError):
    """The environment gives no picture."""


class Picture(NamedTuple):
    """One picture, valid only while it is delivered.

    data: uint8 array (height, width, channels), or where ``row_stride`` is not 0 the buffer of
    a BGRX surface with rows so many bytes apart.
    """

    data: Any
    height: int
    width: int
    channels: int
    row_stride: int


Deliver = Callable[[Picture], None]
_one_at_a_time = threading.RLock()  # what a render switches belongs to the process


def after_fork() -> None:
    """In a forked child: another thread's lock is not there to be given back."""
    global _one_at_a_time
    _one_at_a_time = threading.RLock()


class Painter:
    """Makes the pictures of one environment."""

    def __init__(self, env: Any) -> None:
        self._base = getattr(env, "unwrapped", env)
        self._randomness = RandomnessGuard(self._base)
        self._checked: Any = None  # geometry of the compared surface, its first column shown
        self._fast = True
        self.why_not = ""  # set by who gave it up: why it is not painted any more

    def paint(self, deliver: Deliver, *, alone: bool = True) -> None:
        """Render once and hand the picture over. One environment at a time in the whole process.

        alone: no other thread steps environments, so that the global generators' state can be
        put back without taking a draw of another thread with it.
        Raises CannotRenderError, or whatever the environment's own ``render`` raises.
        """
        with _one_at_a_time:
            self._paint(deliver, alone)

    def _paint(self, deliver: Deliver, alone: bool) -> None:
        ale = getattr(self._base, "ale", None)
        if ale is not None and hasattr(ale, "getScreenRGB"):
            deliver(_of_array(ale.getScreenRGB()))
            return
        base = self._base
        with _switched(base), self._untouched(alone), _without_display(base), _quiet():
            surfarray = sys.modules.get("pygame.surfarray")
            if surfarray is None or not self._fast:
                deliver(_of_array(self._base.render()))
            else:
                self._paint_caught(surfarray, deliver)

    @contextmanager
    def _untouched(self, alone: bool) -> Iterator[None]:
        """Put back what a render may change of the training: generators, particles."""
        base = self._base
        particles = getattr(base, "particles", None)
        if particles:
            base.particles = []  # a render ages them and takes bodies out of the simulated world
        self._randomness.with_global = alone
        try:
            with self._randomness:
                yield
        finally:
            if particles:
                base.particles = particles

    def _paint_caught(self, surfarray: Any, deliver: Deliver) -> None:
        catch = _Catch(surfarray, self._checked, deliver)
        try:
            with catch:
                result = self._base.render()
        except Exception:
            if not catch.delivered:
                raise
            self._fast = False  # it wanted to work on the pixels itself: the ordinary way then
            return
        if catch.delivered:
            return
        if catch.calls == 1 and catch.agrees_with(result):
            self._checked = catch.geometry, catch.shown_from
            deliver(catch.picture())
            return
        deliver(_of_array(result))
        if catch.calls or self._checked is not None:
            self._fast = False  # else nothing is drawn yet through pygame; it may be later


class _Catch:
    """Stands in for ``surfarray.pixels3d`` during one render, for the rendering thread alone."""

    def __init__(self, surfarray: Any, checked: Any, deliver: Deliver) -> None:
        self._surfarray = surfarray
        self._original = surfarray.pixels3d
        self._checked, self.shown_from = checked or (None, 0)
        self._deliver = deliver
        self._thread = threading.get_ident()
        self._pixels = b""
        self.geometry: Any = None
        self.calls = 0
        self.delivered = False

    def __enter__(self) -> _Catch:
        self._surfarray.pixels3d = self._pixels3d
        return self

    def __exit__(self, *exc: object) -> None:
        self._surfarray.pixels3d = self._original

    def _pixels3d(self, surface: Any) -> Any:
        if threading.get_ident() != self._thread:
            return self._original(surface)
        self.calls += 1
        geometry = (surface.get_size(), surface.get_pitch(), surface.get_masks()[:3])
        usable = surface.get_bitsize() == 32 and geometry[2] == _BGRX_MASKS
        if self.calls > 1 or not usable:
            return self._original(surface)
        self.geometry = geometry
        if geometry == self._checked:
            self._hand_over(surface)
            return sys.modules["numpy"].zeros((1, 1, 3), "uint8")
        self._pixels = _surface_bytes(surface)
        return self._original(surface)

    def _hand_over(self, surface: Any) -> None:
        buffer = surface.get_buffer()
        view = memoryview(buffer)
        try:
            self._deliver(self.picture(view.cast("B")))
            self.delivered = True
        finally:
            view.release()
            del buffer

    def picture(self, pixels: Any = None) -> Picture:
        """Return the surface's picture: all of it, or the columns from ``shown_from`` on."""
        (width, height), pitch, _ = self.geometry
        view = memoryview(self._pixels) if pixels is None else pixels
        return Picture(view[self.shown_from * 4 :], height, width - self.shown_from, 4, pitch)

    def agrees_with(self, result: Any) -> bool:
        """Tell whether the surface shows exactly the array that ``render`` returned.

        Some draw a wider surface and return its last columns (BipedalWalker).
        """
        (width, height), _, _ = self.geometry or ((0, 0), 0, None)
        shape = getattr(result, "shape", (0, 0, 0))
        if not self._pixels or len(shape) != 3 or shape[::2] != (height, 3):
            return False
        if not 0 < shape[1] <= width:
            return False
        self.shown_from = width - shape[1]
        shown, line = self.picture(), shape[1] * 4
        starts = range(0, height * shown.row_stride, shown.row_stride)
        packed = b"".join(shown.data[at : at + line] for at in starts)
        return all(packed[2 - c :: 4] == result[:, :, c].tobytes() for c in range(3))


def _surface_bytes(surface: Any) -> bytes:
    buffer = surface.get_buffer()
    return bytes(buffer.raw)


def _of_array(result: Any) -> Picture:
    """Check what ``render`` returned. Raises CannotRenderError."""
    if isinstance(result, list) and result:
        result = result[-1]
    shape = getattr(result, "shape", None)
    if shape is None or str(getattr(result, "dtype", "")) != "uint8":
        raise CannotRenderError("its render() gives no picture")
    if len(shape) == 2:
        return Picture(result, shape[0], shape[1], 1, 0)
    if len(shape) != 3 or shape[2] not in (1, 3, 4):
        raise CannotRenderError(f"its render() gives an array of shape {shape}")
    return Picture(result, shape[0], shape[1], shape[2], 0)


@contextmanager
def _switched(base: Any) -> Iterator[None]:
    """Render as ``rgb_array`` whatever the script asked for, for this one call."""
    if hasattr(base, "renderOn"):  # PettingZoo's Pistonball: its picture is what its agents see
        raise CannotRenderError("drawing it would change what its agents observe")
    before = getattr(base, "render_mode", None)
    if before in ("rgb_array", "rgb_array_list"):
        yield
        return
    modes = (getattr(base, "metadata", None) or {}).get("render_modes", [])
    if "rgb_array" not in modes or before == "human":
        why = "it shows itself in a window" if before == "human" else "it offers no rgb_array"
        raise CannotRenderError(why)
    parts = list(_parts(base))
    modes_before = [part.render_mode for part in parts]
    for part in parts:
        part.render_mode = "rgb_array"
    try:
        yield
    finally:
        for part, mode in zip(parts, modes_before):
            part.render_mode = mode


def _parts(base: Any) -> Iterator[Any]:
    """Yield ``base``, and what it hands its drawing on to (as PettingZoo's SISL games do)."""
    part, depth = base, 0
    while hasattr(part, "render_mode") and depth < _DEPTH:
        yield part
        part, depth = getattr(part, "env", None), depth + 1


@contextmanager
def _without_display(base: Any) -> Iterator[None]:
    """Let MuJoCo draw where there is no display: its own choice, GLFW, needs one."""
    chosen = any(os.environ.get(name) for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"))
    if chosen or sys.platform != "linux" or not hasattr(base, "mujoco_renderer"):
        yield
        return
    os.environ["MUJOCO_GL"] = "egl"
    try:
        yield
    finally:
        os.environ.pop("MUJOCO_GL", None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pygame from greeting on the script's standard output where our render imports it."""
    name = "PYGAME_HIDE_SUPPORT_PROMPT"
    if "pygame" in sys.modules or name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name, None)
