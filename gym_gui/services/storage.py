"""Episodes of human sessions as JSON lines: a bounded ring of files, the oldest going first.

One file an episode, ``episode-<number>.jsonl``: its reset, its steps, its totals, one line each.
Handy to share and to read without a database; the store keeps everything besides.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from gym_gui.core.errors import StorageError, StoreSpaceError
from gym_gui.core.paths import private_dir
from gym_gui.core.records import EpisodeRecord, ResetRecord, StepRecord
from gym_gui.telemetry.rows import from_json, to_json

MAX_EPISODES = 200
MAX_BYTES = 256 << 20


@dataclass(slots=True)
class RecorderStats:
    """What the ring holds, and how many episodes it has let go."""

    episodes: int = 0
    size_bytes: int = 0
    removed: int = 0


class StorageRecorderService:
    """Writes a session's episodes. Use it off the GUI thread; ``close`` twice is safe."""

    def __init__(
        self, directory: Path, *, max_episodes: int = MAX_EPISODES, max_bytes: int = MAX_BYTES
    ) -> None:
        self.directory = private_dir(directory)
        self._max_episodes = max(1, max_episodes)
        self._max_bytes = max_bytes
        self._removed = 0
        self._next = max((_number(path) for path in self.paths()), default=-1) + 1
        self._files: dict[tuple[int, int], TextIO] = {}

    def __enter__(self) -> StorageRecorderService:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; an episode that has not ended keeps its steps."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def record(self, record: ResetRecord | StepRecord | EpisodeRecord) -> None:
        """Append one record to its episode's file. Raises StoreSpaceError when it cannot."""
        key = (record.stream, record.episode)
        kind = _KINDS[type(record)]
        try:
            file = self._files.get(key) or self._open(key)
            file.write(f'{{"type":"{kind}",{to_json(asdict(record))[1:]}\n')
            file.flush()
        except OSError as error:
            raise StoreSpaceError(
                f"{self.directory} cannot be written: {error.strerror or error}.",
                next_step="Free some room on its disk.",
            ) from error
        if isinstance(record, EpisodeRecord):
            self._files.pop(key).close()
            self._trim()

    def paths(self) -> list[Path]:
        """Return the files of the ring, oldest first."""
        return sorted(self.directory.glob("episode-*.jsonl"), key=_number)

    def statistics(self) -> RecorderStats:
        """Return what the ring holds now."""
        sizes = [path.stat().st_size for path in self.paths()]
        return RecorderStats(len(sizes), sum(sizes), self._removed)

    def _open(self, key: tuple[int, int]) -> TextIO:
        path = self.directory / f"episode-{self._next:08d}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        file = os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8")
        os.fchmod(file.fileno(), 0o600)
        self._next += 1
        self._files[key] = file
        return file

    def _trim(self) -> None:
        in_use = {file.name for file in self._files.values()}
        kept = self.paths()
        size = sum(path.stat().st_size for path in kept)
        while kept and (len(kept) > self._max_episodes or size > self._max_bytes):
            oldest = kept.pop(0)
            if len(kept) == 0 or str(oldest) in in_use:
                return
            size -= oldest.stat().st_size
            oldest.unlink()
            self._removed += 1


_KINDS = {ResetRecord: "reset", StepRecord: "step", EpisodeRecord: "episode"}
_TYPES: dict[str, Any] = {kind: type_ for type_, kind in _KINDS.items()}


def read_episode(path: Path) -> list[ResetRecord | StepRecord | EpisodeRecord]:
    """Return the records of one episode's file; a torn last line is left out.

    Raises StorageError when the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"{path} cannot be read: {error}.", next_step="Choose another."
        ) from error
    found = []
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        found.append(_parse(path, line))
    return found


def _parse(path: Path, line: str) -> Any:
    try:
        values = from_json(line)
        return _TYPES[values.pop("type")](**values)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{path} is no episode: {error}.", next_step="Choose another."
        ) from error


def _unreadable(path: Path, error: Exception) -> StorageError:
    return StorageError(f"{path} is no episode: {error}.", next_step="Choose another.")


def _number(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else -1
