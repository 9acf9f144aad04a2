"""Scripts run twice: plain, with nothing of gym-gui loaded, and watched by a viewer that looks."""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gym_gui.core.errors import GymGuiError
from gym_gui.core.ids import new_run_id
from gym_gui.core.numbers import PACKED_STEP, array_size
from gym_gui.core.paths import TAP_VARIABLE, DataDir
from gym_gui.core.records import RunSpec
from gym_gui.fastlane import FastLaneReader, FastLaneState
from gym_gui.fastlane.liveness import rings
from gym_gui.worker.install import prepare

WANTED_HZ = 60.0
BUDGET = 0.3
LOOK_S = 0.01
# A shell makes what it starts in the background deaf to interrupts: undo that.
_INTERRUPTIBLE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def plain_environment() -> dict[str, str]:
    """Return the variables of a run that knows nothing of gym-gui."""
    names = ("PYTHONPATH", TAP_VARIABLE)
    variables = {name: value for name, value in os.environ.items() if name not in names}
    return {**variables, "PYTHONUNBUFFERED": "1"}


def run_plain(
    command: Sequence[str], cwd: Path, timeout_s: float = 120.0, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nothing of gym-gui loaded."""
    return subprocess.run(
        [sys.executable, "-c", _INTERRUPTIBLE, *command],
        cwd=cwd,
        env={**plain_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


class Viewer:
    """Looks at every ring of every run under a folder, as a window does, until it is closed.

    frames: whole pictures seen of each run.
    """

    def __init__(self, ring_dir: Path) -> None:
        self.frames: dict[str, int] = {}
        self._ring_dir = ring_dir
        self._readers: dict[tuple[str, str], FastLaneReader] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="viewer")

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._attach()
            for key, reader in list(self._readers.items()):
                state, _ = reader.latest_frame()
                if state is FastLaneState.FRAME:
                    self.frames[key[0]] = self.frames.get(key[0], 0) + 1
                elif state is not FastLaneState.IDLE:
                    self._readers.pop(key).close()
                    continue
                reader.lease(WANTED_HZ, BUDGET, 1.0)
        for reader in self._readers.values():
            reader.close()

    def _attach(self) -> None:
        runs = os.listdir(self._ring_dir) if self._ring_dir.is_dir() else []
        for run_id in runs:
            for name in rings(run_id, self._ring_dir):
                if (run_id, name) in self._readers:
                    continue
                try:
                    reader = FastLaneReader.attach(run_id, name, ring_dir=self._ring_dir)
                except (GymGuiError, OSError):
                    continue  # it has ended, or is being made: the next look tells
                self._readers[run_id, name] = reader


@dataclass
class Counted:
    """What a spool holds. rows: (stream, reward, over) of each step, in its channel's order."""

    steps: int = 0
    episodes: int = 0
    autoresets: int = 0
    streams: int = 0
    returns: list[float] = field(default_factory=list)
    rows: list[tuple[str, float, bool]] = field(default_factory=list)
    totals: dict[str, dict[str, Any]] = field(default_factory=dict)  # of each vector, the last
    warnings: list[str] = field(default_factory=list)


def spool_lines(spool: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (channel, record) of everything in a spool folder."""
    for channel in sorted(spool.iterdir()):
        for segment in sorted(channel.glob("*.jsonl")):
            with open(segment) as file:
                for line in file:
                    yield channel.name, json.loads(line)


def count_spool(spool: Path) -> Counted:
    """Count what the tap kept of a run whose records nobody has taken away."""
    found = Counted()
    for channel, line in spool_lines(spool):
        kind = line["type"]
        if kind in ("step", "vstep", "packed", "vpacked"):
            for stream, reward, over in _rows(line):
                found.steps += 1
                found.rows.append((f"{channel}/{stream}", reward, over))
        elif kind == "episode" and (line["terminated"] or line["truncated"]):
            found.episodes += 1
            found.returns.append(float(line["return"]))
        elif kind == "reset":
            found.autoresets += bool(line.get("flags", 0) & 4)
        elif kind == "run":
            found.streams += line["event"] == "stream"
            if line["event"] == "vector_totals":
                found.totals[line["vector"]] = line
            if line["event"] == "warning":
                found.warnings.append(line["message"])
    return found


def _rows(line: dict[str, Any]) -> list[tuple[int, float, bool]]:
    if line["type"] == "step":
        return [(line["stream"], float(line["reward"]), line["terminated"] or line["truncated"])]
    if line["type"] == "packed":
        size = len(base64.b64decode(line["data"])) // line["count"] - PACKED_STEP.size
        form = struct.Struct(f"{PACKED_STEP.format}{size}s")
        steps = form.iter_unpack(base64.b64decode(line["data"]))
        return [(stream, reward, bool(flags & 3)) for stream, *_, reward, flags, _ in steps]
    if line["type"] == "vpacked":
        return list(_vector_rows(line))
    columns = (line["streams"], line["reward"], line["terminated"], line["truncated"])
    return [(s, float(r), bool(t or u)) for s, r, t, u in zip(*columns, strict=True)]


def _vector_rows(line: dict[str, Any]) -> Iterator[tuple[int, float, bool]]:
    parts, data = len(line["places"]), base64.b64decode(line["data"])
    kind = line.get("action_dtype")
    action = array_size(kind, *line["action_shape"]) if kind else 8
    seen = array_size(line["dtype"], *line["shape"])
    form = struct.Struct(f"<q{parts}s{parts * action}x{parts}d{parts * seen}x")
    for _, flags, *rewards in form.iter_unpack(data):
        for place, flag, reward in zip(line["places"], flags, rewards, strict=True):
            yield place[0], reward, bool(flag & 3)


@dataclass
class Watched:
    """A run's output, what the tap kept of it, and how many pictures a viewer saw."""

    done: subprocess.CompletedProcess[str]
    counted: Counted
    frames: int
    spool: Path


def run_watched(
    command: Sequence[str], cwd: Path, folder: Path, timeout_s: float = 120.0, **variables: str
) -> Watched:
    """Run a command with the tap in it and a viewer looking; its records stay in the spool.

    folder: new, for the run's own files.
    """
    data_dir = DataDir(folder).create()
    spec = RunSpec(
        *(new_run_id("watched"), "script", list(command), str(cwd)),
        env=variables,
        render_budget=BUDGET,
    )
    run_dir = data_dir.run(spec.run_id)
    rings_folder = Path(tempfile.mkdtemp(prefix="rings-", dir=os.environ.get("XDG_RUNTIME_DIR")))
    try:
        ours = prepare(run_dir, spec, rings_folder)
        with Viewer(rings_folder) as viewer:
            done = run_plain(command, cwd, timeout_s, **{**variables, **ours})
    finally:
        shutil.rmtree(rings_folder)
    frames = viewer.frames.get(spec.run_id, 0)
    return Watched(done, count_spool(run_dir.spool), frames, run_dir.spool)
