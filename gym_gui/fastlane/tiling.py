"""Many environments in one picture: where each tile lies, and how to lay them out."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Sequence, Tuple

from gym_gui.fastlane.frames import FastLaneConfig


class Tiling(NamedTuple):
    """``tiles`` pictures of ``width`` x ``height`` pixels in ``columns``, row by row."""

    tiles: int
    columns: int
    width: int
    height: int
    channels: int

    @property
    def rows(self) -> int:
        return -(-self.tiles // self.columns)

    @property
    def config(self) -> FastLaneConfig:
        """The ring's frame that holds them all."""
        return FastLaneConfig(
            self.columns * self.width, self.rows * self.height, self.channels, self.tiles,
            self.columns,
        )  # fmt: skip

    def place(self, index: int) -> Tuple[int, int]:
        """Return the top-left corner (x, y) of tile ``index``."""
        row, column = divmod(index, self.columns)
        return column * self.width, row * self.height


def layout_for(tiles: int, width: int, height: int, channels: int) -> Tiling:
    """Lay ``tiles`` out so that the whole is as near to 16:9 as may be, wide before high."""
    columns = max(1, min(tiles, round(math.sqrt(tiles * height * 16 / (width * 9)))))
    return Tiling(tiles, columns, width, height, channels)


def tiling_of(config: FastLaneConfig) -> Tiling:
    """Return the tiling that a ring's header describes, from untrusted numbers."""
    tiles = max(1, config.tiles)
    columns = max(1, min(config.columns, tiles))
    rows = -(-tiles // columns)
    return Tiling(
        tiles, columns, max(1, config.width // columns), max(1, config.height // rows),
        config.channels,
    )  # fmt: skip


def draw_tile(target: Any, tiling: Tiling, index: int, pixels: Any) -> None:
    """Copy one tile's pixels into the whole.

    target: writable memoryview of the whole frame. pixels: contiguous bytes-like, tile size.
    """
    x, y = tiling.place(index)
    line = tiling.width * tiling.channels
    stride = tiling.columns * line
    at = y * stride + x * tiling.channels
    for row in range(tiling.height):
        target[at : at + line] = pixels[row * line : (row + 1) * line]
        at += stride


def join(tilings: Sequence[Tiling]) -> Tuple[int, int]:
    """Return (tiles, columns) of a grid that shows the tiles of several rings together."""
    tiles = sum(tiling.tiles for tiling in tilings)
    first = tilings[0]
    return tiles, layout_for(tiles, first.width, first.height, first.channels).columns
