"""Which episodes a run has, and where the ones are that one wants to see."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gym_gui.core.errors import ReplayError
from gym_gui.core.paths import RunDir
from gym_gui.telemetry.reader import RunReader

JUMPS = ("best", "worst", "longest", "first success", "largest reward", "last")


@dataclass
class EpisodeIndex:
    """A run's finished episodes as columns, in the order in which they ended."""

    stream: np.ndarray
    episode: np.ndarray
    length: np.ndarray
    return_: np.ndarray
    success: np.ndarray  # 1, 0 or NaN where nothing was said
    names: list[str] = field(default_factory=list)  # of each stream's environment

    def __len__(self) -> int:
        return len(self.episode)

    def position(self, stream: int, episode: int) -> int | None:
        """Return where an episode stands, or None."""
        found = np.flatnonzero((self.stream == stream) & (self.episode == episode))
        return int(found[0]) if len(found) else None

    def jump(self, where: str) -> int:
        """Return the position of ``best``, ``worst``, ``longest``, ``first success`` or ``last``.

        Raises ReplayError where there is none.
        """
        if not len(self):
            raise ReplayError("No episode has ended yet.", next_step="Let it train for longer.")
        if where == "first success":
            found = np.flatnonzero(self.success == 1)
            if not len(found):
                raise ReplayError(
                    "No episode of this run was reported as a success.",
                    next_step="Jump to the best one instead.",
                )
            return int(found[0])
        if where in ("best", "worst"):
            if np.isnan(self.return_).all():
                raise ReplayError(
                    "No episode of this run has a return that is a number.",
                    next_step="Jump to the longest one instead.",
                )
            return int((np.nanargmax if where == "best" else np.nanargmin)(self.return_))
        return int(np.argmax(self.length)) if where == "longest" else len(self) - 1


def episode_index(run_dir: RunDir) -> EpisodeIndex:
    """Read the index. Raises StorageError when the run has no file yet."""
    with RunReader(run_dir.store) as reader:
        rows = reader.query(
            "SELECT stream, episode, max(length), sum(return), max(success) FROM episodes"
            " GROUP BY stream, episode ORDER BY max(end_ns), stream, episode"
        )
        names = [info.env_id for info in reader.streams()]
    table = np.array(rows, dtype=float).reshape(-1, 5)
    whole = table[:, :3].astype(np.int64)
    return EpisodeIndex(whole[:, 0], whole[:, 1], whole[:, 2], table[:, 3], table[:, 4], names)


def largest_reward(run_dir: RunDir) -> tuple[int, int, int]:
    """Return (stream, episode, step) of the largest reward of all. Reads every step."""
    return largest_rewards(run_dir, limit=1)[0][:3]


def largest_rewards(run_dir: RunDir, *, limit: int = 10) -> list[tuple[int, int, int, float]]:
    """Return (stream, episode, step, reward) of the largest rewards, the largest first.

    Reads every step. Raises ReplayError for a run without any.
    """
    with RunReader(run_dir.store) as reader:
        found = reader.query(
            "SELECT id >> 40, episode, step, reward FROM steps WHERE reward IS NOT NULL"
            " ORDER BY reward DESC, id LIMIT ?",
            (limit,),
        )
    if not found:
        raise ReplayError(
            "The run recorded no reward that is a number.", next_step="Choose another run."
        )
    return [tuple(row) for row in found]


def episode_of_seed(run_dir: RunDir, seed: int | None, fallback: int) -> tuple[int, int]:
    """Return (stream, episode) of the first episode that began with ``seed``.

    Without one: episode ``fallback`` of the first stream, or its last where it has fewer. Those
    that were reset and never stepped, as a script often leaves behind, do not count.
    """
    begun = (
        "SELECT stream, episode FROM episodes JOIN resets ON id = (stream << 40 | episode) "
        "WHERE length > 0 AND"
    )
    with RunReader(run_dir.store) as reader:
        found = reader.query(f"{begun} seed = ? ORDER BY id LIMIT 1", (seed,))
        found = found or reader.query(f"{begun} id <= ? ORDER BY id DESC LIMIT 1", (fallback,))
    return (int(found[0][0]), int(found[0][1])) if found else (0, fallback)
