"""Several environments' pictures side by side in one, whatever size and format each of them has.

Every environment has a cell of the same size, as large as the largest picture seen so far; a
smaller picture stands in its middle. Cells only grow and formats only become more general, so a
process of mixed environments makes a few new ring generations at first, and none later.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from gym_gui.fastlane.layout import FORMAT_OF_CHANNELS, PixelFormat
from gym_gui.fastlane.tiling import Tiling, cut_tile, draw_tile, layout_for
from gym_gui.worker.render import Picture

_TILE_PIXELS = 160 * 210  # tiles of a grid are thinned out to about this
_TILE_SIDE = 640  # and no side is longer than about this
_RGB = {  # where red, green and blue lie in a pixel
    PixelFormat.RGB: (0, 1, 2),
    PixelFormat.RGBA: (0, 1, 2),
    PixelFormat.GREY: (0, 0, 0),
    PixelFormat.BGRX: (2, 1, 0),
}


class _Tile(NamedTuple):
    """A picture of about a tile's size, its bytes in a row."""

    data: Any
    width: int
    height: int
    format: PixelFormat

    def as_rgb(self) -> _Tile:
        """Return the same picture in the format that every other can be turned into."""
        data, step = bytes(self.data), self.format.channels
        out = bytearray(3 * self.width * self.height)
        for channel, place in enumerate(_RGB[self.format]):
            out[channel::3] = data[place::step]
        return self._replace(data=out, format=PixelFormat.RGB)


class Atlas:
    """The whole picture of ``tiles`` environments: ``pixels`` in ``format``, as ``tiling`` says."""

    def __init__(self, tiles: int) -> None:
        self.pixels = bytearray()
        self.tiling: Optional[Tiling] = None
        self.format = PixelFormat.RGB
        self._tiles = tiles
        self._sizes: dict[int, tuple[int, int]] = {}  # width, height of what each cell shows

    def draw(self, index: int, picture: Picture) -> bool:
        """Put a picture into a cell. Returns whether the whole has another shape from now on."""
        tile = _thin(picture)
        changed = self._make_room(tile)
        self._put(index, tile)
        return changed

    def _put(self, index: int, tile: _Tile) -> None:
        assert self.tiling is not None
        if tile.format is not self.format:
            tile = tile.as_rgb()
        size = (tile.width, tile.height)
        if self._sizes.get(index, size) != size:  # what stood around it must not stay
            blank = bytes(self.tiling.width * self.tiling.height * self.tiling.channels)
            draw_tile(memoryview(self.pixels), self.tiling, index, blank)
        self._sizes[index] = size
        draw_tile(memoryview(self.pixels), self.tiling, index, tile.data, *size)

    def _make_room(self, tile: _Tile) -> bool:
        before = self.tiling
        if before is None:
            width, height, form = tile.width, tile.height, tile.format
        else:
            width, height = max(before.width, tile.width), max(before.height, tile.height)
            form = self.format if tile.format is self.format else PixelFormat.RGB
        if before is not None and (width, height) == before[2:4] and form is self.format:
            return False
        tiling = layout_for(self._tiles, width, height, form.channels)
        shown = self._cut(before)
        self.tiling, self.format = tiling, form
        self.pixels = bytearray(tiling.config.size)
        for index, one in shown.items():
            self._put(index, one)
        return True

    def _cut(self, tiling: Optional[Tiling]) -> dict[int, _Tile]:
        """Return what the cells show."""
        if tiling is None:
            return {}
        source = memoryview(self.pixels)
        return {
            index: _Tile(cut_tile(source, tiling, index, *size), *size, self.format)
            for index, size in self._sizes.items()
        }


def _thin(picture: Picture) -> _Tile:
    """Return every k-th pixel of every k-th row: a picture of about a tile's size."""
    every = 1
    while picture.width * picture.height > _TILE_PIXELS * (every + 0.5) ** 2 or max(
        picture.width, picture.height
    ) > _TILE_SIDE * (every + 0.5):
        every += 1
    width, height = -(-picture.width // every), -(-picture.height // every)
    if not picture.row_stride:
        thinned = picture.data[::every, ::every]
        return _Tile(thinned.tobytes(), width, height, FORMAT_OF_CHANNELS[picture.channels])
    out = bytearray()
    for y in range(0, picture.height, every):
        start = y * picture.row_stride
        line = picture.data[start : start + picture.width * 4]
        out += line.cast("I")[::every].tobytes() if every > 1 else line
    return _Tile(out, width, height, PixelFormat.BGRX)
