"""Many environments in one picture: where each tile lies, and how to lay them out."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Tuple

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
            self.columns, self.tiles,
        )  # fmt: skip

    def place(self, index: int) -> Tuple[int, int]:
        """Return the top-left corner (x, y) of tile ``index``."""
        row, column = divmod(index, self.columns)
        return column * self.width, row * self.height


def layout_for(tiles: int, width: int, height: int, channels: int) -> Tiling:
    """Lay ``tiles`` out so that they are as large as may be on 16:9, with few empty places."""

    def merit(columns: int) -> Tuple[float, int]:
        rows = -(-tiles // columns)
        return min(16 / (columns * width), 9 / (rows * height)), -columns * rows

    return Tiling(tiles, max(range(1, tiles + 1), key=merit), width, height, channels)


def tiling_of(config: FastLaneConfig) -> Tiling:
    """Return the tiling that a ring's header describes, from untrusted numbers."""
    tiles = max(1, config.tiles)
    columns = max(1, min(config.columns, tiles))
    rows = -(-tiles // columns)
    return Tiling(
        tiles, columns, max(1, config.width // columns), max(1, config.height // rows),
        config.channels,
    )  # fmt: skip


def _lines(tiling: Tiling, index: int, width: int, height: int) -> Tuple[Iterator[int], int]:
    """Return where the lines of a picture in the middle of tile ``index`` begin, and their bytes.

    Raises ValueError for a picture that is larger than the tile.
    """
    if width > tiling.width or height > tiling.height:
        raise ValueError(f"{width} x {height} pixels in a tile of {tiling.width, tiling.height}")
    x, y = tiling.place(index)
    x += (tiling.width - width) // 2
    y += (tiling.height - height) // 2
    stride = tiling.columns * tiling.width * tiling.channels
    first = y * stride + x * tiling.channels
    return iter(range(first, first + height * stride, stride)), width * tiling.channels


def draw_tile(
    target: Any, tiling: Tiling, index: int, pixels: Any, width: int = 0, height: int = 0
) -> None:
    """Copy one picture into the middle of its tile in the whole.

    target: writable memoryview of the whole frame. pixels: contiguous bytes-like of ``width`` x
    ``height`` pixels, 0 for the tile's own size. Raises ValueError where it is larger.
    """
    places, line = _lines(tiling, index, width or tiling.width, height or tiling.height)
    for row, at in enumerate(places):
        target[at : at + line] = pixels[row * line : (row + 1) * line]


def cut_tile(source: Any, tiling: Tiling, index: int, width: int, height: int) -> bytes:
    """Return the picture that ``draw_tile`` put into a tile."""
    places, line = _lines(tiling, index, width, height)
    return b"".join(source[at : at + line] for at in places)
