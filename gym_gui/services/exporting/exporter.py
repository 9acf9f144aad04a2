"""One entry for all exports: what is written follows from the ending of the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gym_gui.core.errors import UsageError
from gym_gui.core.paths import RunDir
from gym_gui.services.exporting.work import Progress, silent

TABLES = (".csv", ".jsonl", ".parquet")
PICTURES = (".mp4", ".gif", ".png")
ENDINGS = {
    ".csv": "table of comma-separated values",
    ".jsonl": "table, one JSON object a line",
    ".parquet": "table for pandas, polars, DuckDB",
    ".mp4": "video of one episode",
    ".gif": "animation of one episode",
    ".png": "one picture",
    "tensorboard": "folder with a TensorBoard event file",
    "minari": "Minari dataset",
}


@dataclass(frozen=True, slots=True)
class Export:
    """What to export.

    path: the file; for ``minari`` the dataset's id; for ``tensorboard`` a folder.
    kind: a key of ``ENDINGS``; "" for the path's ending.
    what: ``steps``, ``episodes`` or ``metrics``, of tables.
    episode, step, frames_per_s, hud: of pictures; episode None is the last one that ended,
    frames_per_s None the environment's own pace.
    by_human: of a dataset, only the episodes in which a human acted, as demonstrations.
    """

    path: Path
    kind: str = ""
    what: str = "steps"
    stream: int | None = None
    episode: int | None = None
    step: int | None = None
    frames_per_s: float | None = None
    hud: bool = False
    by_human: bool = False


def export(run_dir: RunDir, wanted: Export, *, progress: Progress = silent) -> int:
    """Do it; return the rows, points or pictures written (of a dataset: 0).

    Raises UsageError for a form that is not known or whose package is missing, ReplayError where
    an episode cannot be seen again, StorageError; then nothing is left behind.
    """
    kind = wanted.kind or wanted.path.suffix.lower()
    if kind not in ENDINGS:
        raise UsageError(
            f"{wanted.path.name or wanted.path} has no ending that is known.",
            next_step=f"Use one of {', '.join(ENDINGS)}.",
        )
    if kind in TABLES:
        from gym_gui.services.exporting.tables import write_table

        return write_table(
            run_dir.store, wanted.path, what=wanted.what, progress=progress, stream=wanted.stream
        )
    if kind in PICTURES:
        return _pictures(run_dir, wanted, progress)
    if kind == "tensorboard":
        from gym_gui.services.exporting.tensorboard import write_events

        return write_events(run_dir.store, wanted.path, progress=progress)
    from gym_gui.services.exporting.minari_dataset import write_dataset

    write_dataset(
        run_dir.store,
        str(wanted.path),
        progress=progress,
        stream=wanted.stream,
        by_human=wanted.by_human,
    )
    return 0


def _pictures(run_dir: RunDir, wanted: Export, progress: Progress) -> int:
    from gym_gui.services.exporting.pictures import write_pictures
    from gym_gui.services.replay import EpisodeReplay, last_episode

    stream, episode = wanted.stream, wanted.episode
    if episode is None:
        stream, episode = last_episode(run_dir, stream=stream)
    with EpisodeReplay(run_dir, stream=stream or 0, episode=episode) as replay:
        return write_pictures(
            replay,
            wanted.path,
            frames_per_s=wanted.frames_per_s,
            hud=wanted.hud,
            progress=progress,
            step=wanted.step,
        )
