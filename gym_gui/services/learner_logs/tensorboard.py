"""TensorBoard's event files: every scalar in them, none thinned out.

A file is a chain of records: length (u64), its checksum (u32), the event, its checksum (u32),
little-endian. An event holds wall time (1, double), step (2) and a summary (5) of values (1) with
a tag (1) and either a simple value (2, float) or a tensor (8).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import wire
from gym_gui.services.learner_logs.places import own_processes, told_places, was_running
from gym_gui.services.learner_logs.points import Points

MAX_EVENT = 64 << 20  # bytes: a longer one is damage
AT_ONCE = 8 << 20  # bytes read in one go
# Wall time, step if not 0, then a summary, its value and its tag with lengths of one byte each.
_PLAIN = re.compile(
    rb"\x09(.{8})(?:\x10([\x80-\xff]{0,9}[\0-\x7f]))?\x2a[\0-\x7f]\x0a[\0-\x7f]\x0a[\0-\x7f]",
    re.DOTALL,
)
_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
_TENSOR_NUMBERS = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}


class EventFolder:
    """All scalars of one folder's event files. ``update()`` reads what was appended since.

    pids: only files that these processes wrote, where a file's name tells; none: all files.
    """

    def __init__(self, folder: Path, pids: frozenset[int] = frozenset()) -> None:
        self.folder = folder
        self.pids = pids
        self.scalars: dict[str, Points] = {}
        self.damaged = 0  # files that could not be read on, each counted once
        self._offsets: dict[Path, int] = {}
        self._broken: set[Path] = set()
        self._by_tag: dict[bytes, Points] = {}

    def update(self) -> bool:
        """Read at most ``AT_ONCE`` bytes of each file; True when there was something new."""
        news = False
        for path in sorted(self.folder.glob("events.out.tfevents.*")):
            if path not in self._broken and self._is_ours(path):
                news |= self._read(path)
        return news

    def unread_whole(self) -> int:
        """Return how many bytes wait that a next ``update`` would read; half an event does not."""
        left = [path.stat().st_size - at for path, at in self._offsets.items()]
        return sum(left) if max(left, default=0) >= AT_ONCE // 2 else 0

    def _is_ours(self, path: Path) -> bool:
        """Tell by the name ``events.out.tfevents.<seconds>.<host>.<pid>.<number>``."""
        parts = path.name.split(".")
        tells = len(parts) > 6 and parts[-1].isdigit() and parts[-2].isdigit()
        return not (self.pids and tells) or int(parts[-2]) in self.pids

    def _read(self, path: Path) -> bool:
        start = self._offsets.get(path, 0)
        with open(path, "rb") as file:
            file.seek(start)
            data = file.read(AT_ONCE)
        used = 0
        try:
            for begin, end in _events(data):
                if not self._take_plain(data, begin, end - 4):
                    self._take(data[begin : end - 4])
                used = end
        except ValueError:
            self._broken.add(path)
            self.damaged += 1
        self._offsets[path] = start + used
        return used > 0

    def _take_plain(self, data: bytes, begin: int, end: int) -> bool:
        """Take an event that holds one simple value, as nearly all do; False for any other."""
        found = _PLAIN.match(data, begin, end)
        if found is None:
            return False
        tag_begin = found.end()
        tag_end = tag_begin + data[tag_begin - 1]
        length = data[tag_begin - 3]  # of the value: its tag, and a number of five bytes
        if tag_end + 5 != end or data[tag_end] != 0x15 or length != end - tag_begin + 2:
            return False
        tag = data[tag_begin:tag_end]
        points = self._by_tag.get(tag)
        if points is None:
            name = tag.decode("utf-8", "replace")
            points = self._by_tag[tag] = self.scalars.setdefault(name, Points())
        step = 0
        for place, byte in enumerate(found[2] or b""):
            step |= (byte & 0x7F) << (7 * place)
        (wall_s,), (value,) = _DOUBLE.unpack(found[1]), _FLOAT.unpack_from(data, tag_end + 1)
        points.add(wire.signed(step), value, wall_s)
        return True

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
            self.scalars.setdefault(tag, Points()).add(step, scalar, wall_s)


def _events(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (begin of the event, end of its record) for each whole one.

    Raises ValueError on damage.
    """
    position, size = 0, len(data)
    length_at = struct.Struct("<Q").unpack_from
    while position + 12 <= size:
        (length,) = length_at(data, position)
        if length > MAX_EVENT:
            raise ValueError("an event is longer than events are")
        end = position + 12 + length + 4
        if end > size:
            return
        yield position + 12, end
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


def find_event_folders(spec: RunSpec, run_dir: RunDir) -> list[EventFolder]:
    """Return the folders into which this run wrote event files, newest first. Does I/O.

    They are those its tap told of. Without that, they are looked for under its working
    directory, most often ``runs/``; what was begun before the run or after it, or by a process that
    is known to be none of the run's, is another's.
    """
    told = [
        EventFolder(place.path, place.pids)
        for place in told_places(run_dir, "tensorboard")
        if any(place.path.glob("events.out.tfevents.*"))
    ]
    return told or [EventFolder(folder) for folder in _look_for_folders(spec, run_dir)]


def _look_for_folders(spec: RunSpec, run_dir: RunDir) -> list[Path]:
    found: dict[Path, int] = {}
    cwd = Path(spec.cwd)
    own = own_processes(run_dir)
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
            is_other = own and _written_by(path) not in (*own, None)
            if not is_other and was_running(spec, run_dir, _began_ns(path)):
                found[path.parent] = max(found.get(path.parent, 0), written)
    return sorted(found, key=lambda folder: -found[folder])


def _written_by(path: Path) -> int | None:
    """Return the process that wrote an event file, from ``….<host>.<pid>.<number>``."""
    parts = path.name.split(".")
    is_said = len(parts) > 6 and parts[-1].isdecimal() and parts[-2].isdecimal()
    return int(parts[-2]) if is_said else None


def _began_ns(path: Path) -> int:
    """Return when an event file was begun, from its name ``events.out.tfevents.<seconds>.…``."""
    parts = path.name.split(".")
    if len(parts) > 3 and parts[3].isdigit():
        return (int(parts[3]) + 1) * 1_000_000_000
    return path.stat().st_mtime_ns
