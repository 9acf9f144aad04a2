"""One episode as an animation or a picture, with or without its numbers drawn in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gym_gui.core.errors import ReplayError, UsageError
from gym_gui.core.records import StepRecord
from gym_gui.services.exporting.work import Progress, advance, whole
from gym_gui.services.replay import EpisodeReplay, Moment

Pace = Callable[[], float]  # pictures a second, known once the first has been drawn


def write_pictures(
    replay: EpisodeReplay,
    path: Path,
    *,
    frames_per_s: float | None,
    hud: bool,
    progress: Progress,
    step: int | None = None,
) -> int:
    """Write an episode as .mp4 or .gif, or one moment of it as .png; return the pictures.

    frames_per_s: None is the environment's own pace.
    Raises ReplayError or DivergenceError where the episode cannot be seen again.
    """
    wanted = [len(replay.steps) - 1 if step is None else step]
    moments = replay.moments(wanted if path.suffix.lower() == ".png" else None)
    frames = _counted(_drawn(moments, replay.steps, hud), len(replay.steps) + 1, progress)
    writer = {".mp4": _mp4, ".gif": _gif, ".png": _png}[path.suffix.lower()]
    with whole(path) as part:
        return writer(part, frames, lambda: replay.pace(frames_per_s))


def _counted(frames: Iterable[Any], total: int, progress: Progress) -> Iterator[Any]:
    for number, frame in enumerate(frames, 1):
        advance(progress, number, max(number, total))
        yield frame


def _drawn(moments: Iterable[Moment], steps: list[StepRecord], hud: bool) -> Iterator[np.ndarray]:
    sums = np.concatenate([[0.0], np.cumsum([step.reward for step in steps])])
    for moment in moments:
        if not hud:
            yield moment.frame
            continue
        record = steps[moment.step] if moment.step >= 0 else None
        text = f"step {moment.step + 1}   return {sums[moment.step + 1]:.6g}"
        if record is not None:
            text += f"   reward {record.reward:.6g}   action {record.action}"
        yield with_text(moment.frame, text)


def with_text(frame: np.ndarray, text: str) -> np.ndarray:
    """Return the frame with a line of text on a dark strip below it."""
    height, width = frame.shape[:2]
    size = max(9, min(18, width // 26))
    strip = size + 8
    image = Image.new("RGB", (width, height + strip), (20, 24, 30))
    image.paste(Image.fromarray(frame), (0, 0))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((4, height + 3), text, fill=(230, 234, 240), font=font)
    return np.asarray(image)


def _png(path: Path, frames: Iterator[np.ndarray], _pace: Pace) -> int:
    Image.fromarray(_first(frames)).save(path, format="PNG")
    return 1


def _first(frames: Iterator[np.ndarray]) -> np.ndarray:
    found = next(frames, None)
    if found is None:
        raise ReplayError("There is no picture of it.", next_step="Choose another episode.")
    return found


def _gif(path: Path, frames: Iterator[np.ndarray], pace: Pace) -> int:
    images = (Image.fromarray(frame).quantize(256) for frame in frames)
    first = next(images, None)
    if first is None:
        raise ReplayError("There is no picture of it.", next_step="Choose another episode.")
    count = [1]

    def rest() -> Iterator[Image.Image]:
        for image in images:
            count[0] += 1
            yield image

    first.save(
        path,
        format="GIF",
        save_all=True,
        append_images=rest(),
        duration=max(20, round(1000 / pace())),
        loop=0,
    )
    return count[0]


def _mp4(path: Path, frames: Iterator[np.ndarray], pace: Pace) -> int:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UsageError(
            "MP4 needs imageio-ffmpeg.",
            next_step="Install it: pip install 'gym-gui[export]', or write a .gif.",
        ) from error
    first = _even(_first(frames))
    height, width = first.shape[:2]
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=pace(),  # pyright: ignore[reportArgumentType] - a float serves
        codec="libx264",
        quality=8,
        macro_block_size=2,
        ffmpeg_log_level="quiet",
        output_params=["-f", "mp4"],
    )
    writer.send(None)
    count = 0
    try:
        for frame in chain([first], frames):
            writer.send(np.ascontiguousarray(_sized(frame, height, width)))
            count += 1
    finally:
        writer.close()
    return count


def _sized(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the frame in a video's size: cut off, or filled up by its last rows and columns."""
    frame = frame[:height, :width]
    missing = height - frame.shape[0], width - frame.shape[1]
    return np.pad(frame, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def _even(frame: np.ndarray) -> np.ndarray:
    """Return the frame with an even number of rows and columns, as the video format wants."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
