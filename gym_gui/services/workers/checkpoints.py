"""Finding the policies that a run has saved, wherever its script put them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec

LIMIT = 1000  # files looked at per folder: a checkpoint list is no file manager


@dataclass(frozen=True)
class Checkpoint:
    """A policy that a run saved: ``path``, its size, and when it was written (Unix ns)."""

    path: Path
    size_bytes: int
    time_ns: int


def find_checkpoints(spec: RunSpec, run_dir: RunDir, patterns: Sequence[str]) -> list[Checkpoint]:
    """Return files that match ``patterns`` and were written since the run began, newest first.

    Looks in the run's own folder ``files`` and in its working directory. There, the files of
    another run could lie too: only those written in this run's time are its own.
    """
    found = {}
    began_ns = spec.created_ns
    for folder in (run_dir.root / "files", Path(spec.cwd)):
        for path in _matches(folder, patterns):
            status = path.stat()
            if status.st_mtime_ns >= began_ns:
                found[path] = Checkpoint(path, status.st_size, status.st_mtime_ns)
    return sorted(found.values(), key=lambda item: -item.time_ns)


def _matches(folder: Path, patterns: Sequence[str]) -> list[Path]:
    if not os.path.isdir(folder):
        return []
    matches: list[Path] = []
    for pattern in patterns:
        for path in folder.glob(pattern):
            if path.is_file():
                matches.append(path)
            if len(matches) >= LIMIT:
                return matches
    return matches
