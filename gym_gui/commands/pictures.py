"""Moments of a run as picture files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image

from gym_gui.core.paths import RunDir
from gym_gui.services.replay import EpisodeReplay, Moment, last_episode


def save_png(moment: Moment, path: Path) -> Path:
    """Write one picture, pixel by pixel as it was."""
    Image.fromarray(moment.frame).save(path)
    return path


def save_gif(moments: Iterable[Moment], path: Path, *, pace: Callable[[], float]) -> int:
    """Write an animation and return its number of pictures (GIF holds 256 colours).

    pace: pictures a second, asked for once the moments have been seen.
    """
    images = [Image.fromarray(moment.frame).quantize(256) for moment in moments]
    images[0].save(
        path,
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / pace()),
        loop=0,
    )
    return len(images)


def save_last_frame(run_dir: RunDir, path: Path) -> Path:
    """Write the last picture of the run's last finished episode. Raises ReplayError."""
    stream, episode = last_episode(run_dir)
    with EpisodeReplay(run_dir, stream=stream, episode=episode) as replay:
        *_, moment = replay.moments([len(replay.steps) - 1])
    return save_png(moment, path)
