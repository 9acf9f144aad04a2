"""TensorBoard's event files: every scalar in them, none thinned out.

A file is a chain of records: length (u64), its checksum (u32), the event, its checksum (u32),
little-endian. An event holds wall time (1, double), step (2) and a summary (5) of values (1) with
a tag (1) and either a simple value (2, float) or a tensor (8).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import wire

MAX_EVENT = 64 << 20  # bytes: a longer one is damage
AT_ONCE = 8 << 20  # bytes read in one go
_TENSOR_NUMBERS = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}


@dataclass
class Scalars:
    """Points of one tag in the order of the file; ``wall_s``: Unix seconds."""

    step: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)


class EventFolder:
    """All scalars of one folder's event files. ``update()`` reads what was appended since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scalars: dict[str, Scalars] = {}
        self.damaged = 0  # files that could not be read on, each counted once
        self._offsets: dict[Path, int] = {}
        self._broken: set[Path] = set()

    def update(self) -> bool:
        """Read at most ``AT_ONCE`` bytes of each file; True when there was something new."""
        news = False
        for path in sorted(self.folder.glob("events.out.tfevents.*")):
            if path not in self._broken:
                news |= self._read(path)
        return news

    def _read(self, path: Path) -> bool:
        start = self._offsets.get(path, 0)
        with open(path, "rb") as file:
            file.seek(start)
            data = file.read(AT_ONCE)
        used = 0
        try:
            for end, event in _events(data):
                self._take(event)
                used = end
        except ValueError:
            self._broken.add(path)
            self.damaged += 1
        self._offsets[path] = start + used
        return used > 0

    def _take(self, event: bytes) -> None:
        step, wall_s, summaries = 0, 0.0, []
        for number, _, value in wire.fields(event):
            if number == 1 and isinstance(value, bytes):
                wall_s = wire.real(value)
            elif number == 2 and isinstance(value, int):
                step = wire.signed(value)
            elif number == 5 and isinstance(value, bytes):
                summaries.append(value)
        for summary in summaries:
            for number, _, value in wire.fields(summary):
                if number == 1 and isinstance(value, bytes):
                    self._take_value(value, step, wall_s)

    def _take_value(self, message: bytes, step: int, wall_s: float) -> None:
        tag, scalar = "", None
        for number, kind, value in wire.fields(message):
            if number == 1 and isinstance(value, bytes):
                tag = value.decode("utf-8", "replace")
            elif number == 2 and kind == wire.FIXED32 and isinstance(value, bytes):
                scalar = wire.real(value)
            elif number == 8 and isinstance(value, bytes):
                scalar = _tensor(value)
        if scalar is not None:
            points = self.scalars.setdefault(tag, Scalars())
            points.step.append(step)
            points.value.append(scalar)
            points.wall_s.append(wall_s)


def _events(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (bytes used so far, event) for each whole record. Raises ValueError on damage."""
    position = 0
    while position + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        if length > MAX_EVENT:
            raise ValueError("an event is longer than events are")
        end = position + 12 + length + 4
        if end > len(data):
            return
        yield end, data[position + 12 : end - 4]
        position = end


def _tensor(message: bytes) -> float | None:
    """Return a tensor's number if it is one number of a real type."""
    kind, content, numbers = 0, b"", []
    for number, wire_type, value in wire.fields(message):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6) and isinstance(value, bytes):
            packed = "<f4" if number == 5 else "<f8"
            numbers += (
                np.frombuffer(value, packed).tolist()
                if wire_type == wire.BYTES
                else [wire.real(value)]
            )
    if content and kind in _TENSOR_NUMBERS:
        numbers = np.frombuffer(content, _TENSOR_NUMBERS[kind]).tolist()
    return float(numbers[0]) if len(numbers) == 1 else None


def find_event_folders(spec: RunSpec, run_dir: RunDir) -> list[Path]:
    """Return folders whose event files this run wrote, newest first.

    A script writes them under its working directory, most often ``runs/``; those that were
    written before the run began are another's.
    """
    found: dict[Path, int] = {}
    cwd = Path(spec.cwd)
    for root, pattern in (
        (run_dir.root / "files", "**/events.out.tfevents.*"),
        (cwd, "events.out.tfevents.*"),
        (cwd / "runs", "**/events.out.tfevents.*"),
        (cwd / "logs", "**/events.out.tfevents.*"),
    ):
        if not root.is_dir():
            continue
        for path in root.glob(pattern):
            written = path.stat().st_mtime_ns
            if _began_ns(path) >= spec.created_ns - 1_000_000_000:
                found[path.parent] = max(found.get(path.parent, 0), written)
    return sorted(found, key=lambda folder: -found[folder])


def _began_ns(path: Path) -> int:
    """Return when an event file was begun, from its name ``events.out.tfevents.<seconds>.…``."""
    parts = path.name.split(".")
    if len(parts) > 3 and parts[3].isdigit():
        return (int(parts[3]) + 1) * 1_000_000_000
    return path.stat().st_mtime_ns
