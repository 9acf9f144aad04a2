"""Keeps what is shown as a picture (PNG) or a short film (GIF, MP4). Writing is not done here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PySide6 import QtGui

from gym_gui.core.errors import GymGuiError

MAX_FRAMES = 600
FILM_HZ = 30.0
STILL_S = 5.0  # a picture that stood longer, in a paused training, is shown for so long
_LEVEL = 1


def save_png(image: QtGui.QImage, path: Path) -> Path:
    """Write one frame at its own size. Raises GymGuiError when it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not image.save(str(path), "PNG"):  # pyright: ignore - it takes text, whatever its stub says
        raise GymGuiError(f"{path} cannot be written.", next_step="Check the folder and the space.")
    return path


class _Shot(NamedTuple):
    """One picture of a film: when it came, its size, and its packed RGB bytes."""

    at_s: float
    width: int
    height: int
    packed: bytes


class Film:
    """The frames shown since it began, at most ``MAX_FRAMES`` at ``FILM_HZ``; counts the rest.

    They are kept packed (lossless): some kilobytes each instead of a megabyte.
    """

    def __init__(self, suffix: str) -> None:
        import zstandard  # not before the first paint

        self.suffix = suffix
        self.skipped = 0
        self._shots: list[_Shot] = []
        self._next_s = 0.0
        self._pack = zstandard.ZstdCompressor(level=_LEVEL)

    def add(self, image: QtGui.QImage, now_s: float) -> None:
        """Keep ``image`` if one is due at ``now_s`` (monotonic seconds)."""
        if now_s < self._next_s:
            return
        self._next_s = max(self._next_s, now_s - 0.5 / FILM_HZ) + 1 / FILM_HZ
        if self.is_full:
            self.skipped += 1
        else:
            data, width, height = _rgb(image)
            self._shots.append(_Shot(now_s, width, height, self._pack.compress(data)))

    @property
    def is_full(self) -> bool:
        return len(self._shots) >= MAX_FRAMES

    def _of_one_size(self) -> list[tuple[_Shot, float]]:
        """Return the pictures of the first one's size, each with the seconds it stood."""
        first = self._shots[0]
        same = [shot for shot in self._shots if shot[1:3] == first[1:3]]
        ends = [shot.at_s for shot in same[1:]] + [same[-1].at_s + 1 / FILM_HZ]
        return [(shot, min(end - shot.at_s, STILL_S)) for shot, end in zip(same, ends, strict=True)]

    def save(self, path: Path) -> Path:
        """Write the film. Slow: call it away from the GUI thread."""
        if not self._shots:
            raise GymGuiError("No frame came while recording.", next_step="Record a running agent.")
        path.parent.mkdir(parents=True, exist_ok=True)
        writers: dict[str, Callable[[list[tuple[_Shot, float]], Path], None]] = {
            ".gif": _save_gif,
            ".mp4": _save_mp4,
        }
        writers[self.suffix](self._of_one_size(), path)
        return path


def _rgb(image: QtGui.QImage) -> tuple[bytes, int, int]:
    """Return tight RGB bytes, width and height."""
    plain = image.convertToFormat(QtGui.QImage.Format.Format_RGB888)
    width, height, stride = plain.width(), plain.height(), plain.bytesPerLine()
    data = bytes(plain.constBits())
    if stride == width * 3:
        return data[: width * 3 * height], width, height
    rows = (data[y * stride : y * stride + width * 3] for y in range(height))
    return b"".join(rows), width, height


def _save_gif(shots: list[tuple[_Shot, float]], path: Path) -> None:
    import zstandard
    from PIL import Image

    unpack = zstandard.ZstdDecompressor()
    frames = [
        Image.frombytes("RGB", (shot.width, shot.height), unpack.decompress(shot.packed)).quantize(
            128
        )
        for shot, _ in shots
    ]
    stood_ms = [max(20, round(stood_s * 100) * 10) for _, stood_s in shots]  # GIF counts in 10 ms
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=stood_ms, loop=0)


def _save_mp4(shots: list[tuple[_Shot, float]], path: Path) -> None:
    import zstandard

    try:
        import imageio_ffmpeg  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise GymGuiError(
            "MP4 needs the package imageio-ffmpeg.",
            next_step="Install it (pip install 'gym-gui[export]'), or record a GIF.",
        ) from error
    first, unpack = shots[0][0], zstandard.ZstdDecompressor()
    writer = imageio_ffmpeg.write_frames(
        str(path), (first.width, first.height), fps=round(FILM_HZ), macro_block_size=2, quality=8
    )
    writer.send(None)
    shown_s = 0.0
    written = 0
    try:
        for shot, stood_s in shots:
            shown_s += stood_s
            data = unpack.decompress(shot.packed)
            while written < max(1, round(shown_s * FILM_HZ)):
                writer.send(data)
                written += 1
    finally:
        writer.close()
