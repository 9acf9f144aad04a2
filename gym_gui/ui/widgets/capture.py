"""Keeps what is shown as a picture (PNG) or a short film (GIF, MP4). Writing is not done here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6 import QtGui

from gym_gui.core.errors import GymGuiError

MAX_FRAMES = 600
FILM_HZ = 30.0


def save_png(image: QtGui.QImage, path: Path) -> Path:
    """Write one frame at its own size. Raises GymGuiError when it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not image.save(str(path), "PNG"):
        raise GymGuiError(f"{path} cannot be written.", next_step="Check the folder and the space.")
    return path


class Film:
    """The frames shown since it began, at most ``MAX_FRAMES`` at ``FILM_HZ``; counts the rest."""

    def __init__(self, suffix: str) -> None:
        self.suffix = suffix
        self.images: list[QtGui.QImage] = []
        self.skipped = 0
        self._next_s = 0.0

    def add(self, image: QtGui.QImage, now_s: float) -> None:
        """Keep ``image`` if one is due at ``now_s`` (monotonic seconds)."""
        if now_s < self._next_s:
            return
        self._next_s = max(self._next_s + 1 / FILM_HZ, now_s)
        if len(self.images) >= MAX_FRAMES:
            self.skipped += 1
        else:
            self.images.append(image)

    @property
    def is_full(self) -> bool:
        return len(self.images) >= MAX_FRAMES

    def save(self, path: Path) -> Path:
        """Write the film. Slow: call it away from the GUI thread."""
        if not self.images:
            raise GymGuiError("No frame came while recording.", next_step="Record a running agent.")
        path.parent.mkdir(parents=True, exist_ok=True)
        size = self.images[0].size()
        same = [image for image in self.images if image.size() == size]
        writers: dict[str, Callable[[list[QtGui.QImage], Path], None]] = {
            ".gif": _save_gif,
            ".mp4": _save_mp4,
        }
        writers[self.suffix](same, path)
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


def _save_gif(images: list[QtGui.QImage], path: Path) -> None:
    from PIL import Image

    frames = []
    for image in images:
        data, width, height = _rgb(image)
        frames.append(Image.frombytes("RGB", (width, height), data).quantize(128))
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=round(1000 / FILM_HZ), loop=0
    )


def _save_mp4(images: list[QtGui.QImage], path: Path) -> None:
    try:
        import imageio_ffmpeg  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise GymGuiError(
            "MP4 needs the package imageio-ffmpeg.",
            next_step="Install it (pip install 'gym-gui[export]'), or record a GIF.",
        ) from error
    _, width, height = _rgb(images[0])
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=FILM_HZ, macro_block_size=2, quality=8
    )
    writer.send(None)
    try:
        for image in images:
            writer.send(_rgb(image)[0])
    finally:
        writer.close()
