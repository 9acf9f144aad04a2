"""Where a run's own loggers wrote: told by the tap, which saw them begin.

Runs recorded elsewhere, or without the tap, have not told; there the files are looked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from gym_gui.core.errors import StorageError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Place:
    """One logger of a run. kind: ``tensorboard`` or ``wandb``; pids: the processes that wrote.

    url: the page of a run that is online, else empty.
    """

    kind: str
    path: Path
    pids: frozenset[int] = frozenset()
    url: str = ""


def own_processes(run_dir: RunDir) -> frozenset[int]:
    """Return the processes in which the tap recorded this run; none where there was no tap."""
    from gym_gui.telemetry.reader import RunReader

    if not run_dir.store.exists():
        return frozenset()
    try:
        with RunReader(run_dir.store) as reader:
            pids = [name.partition("-")[0] for name in reader.channels()]
    except StorageError:
        return frozenset()
    return frozenset(int(pid) for pid in pids if pid.isdecimal())


def was_running(spec: RunSpec, run_dir: RunDir, moment_ns: int) -> bool:
    """Tell whether a run, as far as is known, was going on at a moment, give or take a second."""
    try:
        ended_ns = json.loads(run_dir.supervisor.read_text(encoding="utf-8"))["ended_ns"]
    except (OSError, ValueError, KeyError):
        ended_ns = 0
    is_over = ended_ns and moment_ns > ended_ns + _SECOND_NS
    return not is_over and moment_ns >= spec.created_ns - _SECOND_NS


def told_places(run_dir: RunDir, kind: str) -> list[Place]:
    """Return the places of one kind that the run told of, newest first. Does I/O."""
    from gym_gui.telemetry.reader import RunReader

    if not run_dir.store.exists():
        return []
    try:
        with RunReader(run_dir.store) as reader:
            entries = [entry.data for entry in reader.events("logger")]
    except StorageError:
        return []  # a file that cannot be read now; the files may be found without it
    found: dict[Path, Place] = {}
    for data in entries:
        if data.get("kind") != kind or not data.get("path"):
            continue
        path = Path(str(data["path"]))
        known = found.pop(path, Place(kind, path))
        pids = known.pids | ({int(data["pid"])} if data.get("pid") else set())
        found[path] = Place(kind, path, frozenset(pids), str(data.get("url") or known.url))
    return list(found.values())[::-1]
