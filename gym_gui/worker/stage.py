"""What a process shows: one environment, or all of its environments as tiles of one picture."""

from __future__ import annotations

from typing import Any, Callable

from gym_gui.fastlane.buffer import FastLaneWriter
from gym_gui.fastlane.frames import FastLaneConfig, FastLaneMetrics
from gym_gui.fastlane.layout import PixelFormat
from gym_gui.fastlane.tiling import Tiling, draw_tile, layout_for
from gym_gui.worker import describe
from gym_gui.worker.interrupts import let_through
from gym_gui.worker.render import Painter, Picture

MAX_TILES = 64
_TILE_PIXELS = 160 * 210  # tiles of a grid are thinned out to about this


class Stage:
    """Renders one environment at a time, in turn, and publishes the whole."""

    def __init__(self, taps: list[Any], failed: Callable[[str, BaseException], None]) -> None:
        self._taps = taps[:MAX_TILES]
        self._painters = [Painter(tap.base) for tap in self._taps]
        self._failed = failed
        self._turn = 0
        self._shown: list[Any] = [None] * len(self._taps)  # (episode, index) that is shown
        self._atlas = bytearray()
        self._tiling: Any = None
        self.can_render = True

    @property
    def tiles(self) -> int:
        return len(self._taps)

    @property
    def tap(self) -> Any:
        """The environment whose turn it is."""
        return self._taps[self._turn]

    def choose(self) -> Any:
        """Turn to the next environment that has moved since it was shown, and return its tap.

        One that rests (kept for evaluation, say) takes no pictures from those that train.
        """
        for ahead in range(len(self._taps)):
            turn = (self._turn + ahead) % len(self._taps)
            tap = self._taps[turn]
            if self._shown[turn] != (tap.episode, tap.index):
                self._turn = turn
                break
        return self.tap

    def show(self, writer: FastLaneWriter, metrics: FastLaneMetrics) -> None:
        """Render the environment whose turn it is and publish. Says once if it cannot render."""
        tap = self.tap
        try:
            self._painters[self._turn].paint(
                lambda picture: self._deliver(writer, metrics, tap, picture)
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a render may raise anything
            let_through(error)
            self.can_render = False
            self._failed(f"{describe.env_id(tap.env)} shows no pictures{_hint(tap.env)}", error)
        self._shown[self._turn] = (tap.episode, tap.index)
        self._turn = (self._turn + 1) % len(self._taps)

    def _deliver(
        self, writer: FastLaneWriter, metrics: FastLaneMetrics, tap: Any, picture: Picture
    ) -> None:
        if len(self._taps) > 1:
            self._deliver_tile(writer, metrics, tap, picture)
            return
        config = FastLaneConfig(picture.width, picture.height, picture.channels)
        if writer.config != config:
            writer.resize(config)
        step, episode = tap.step, max(tap.episode, 0)
        if picture.row_stride:
            writer.publish_rows(
                picture.data, picture.row_stride, metrics=metrics, step=step, episode=episode,
                pixel_format=PixelFormat.BGRX,
            )  # fmt: skip
        else:
            writer.publish(picture.data, metrics=metrics, step=step, episode=episode)

    def _deliver_tile(
        self, writer: FastLaneWriter, metrics: FastLaneMetrics, tap: Any, picture: Picture
    ) -> None:
        pixels, height, width = _thin(picture)
        tiling = layout_for(len(self._taps), width, height, picture.channels)
        if tiling != self._tiling:
            self._begin(writer, tiling)
        draw_tile(memoryview(self._atlas), tiling, self._turn, pixels)
        surface = PixelFormat.BGRX if picture.row_stride else None
        writer.publish(
            self._atlas, metrics=metrics, step=tap.step, episode=max(tap.episode, 0),
            pixel_format=surface,
        )  # fmt: skip

    def _begin(self, writer: FastLaneWriter, tiling: Tiling) -> None:
        self._tiling = tiling
        self._atlas = bytearray(tiling.config.size)
        writer.resize(tiling.config)


def _hint(env: Any) -> str:
    """Return what may help: some environments prepare their drawing when they are made."""
    asked = getattr(env, "render_mode", None) is not None
    return "" if asked else ' (made with render_mode="rgb_array" it may)'


def _thin(picture: Picture) -> tuple[Any, int, int]:
    """Return (bytes, height, width) of a picture of about a tile's size: every k-th pixel."""
    every = 1
    while picture.width * picture.height > _TILE_PIXELS * (every + 0.5) ** 2:
        every += 1
    height, width = -(-picture.height // every), -(-picture.width // every)
    if not picture.row_stride:
        thinned = picture.data[::every, ::every]
        return thinned.tobytes(), height, width
    out = bytearray()
    for y in range(0, picture.height, every):
        start = y * picture.row_stride
        line = picture.data[start : start + picture.width * 4]
        out += line.cast("I")[::every].tobytes() if every > 1 else line
    return out, height, width
