"""Reading a run's spool while it is written: whole lines, across segments, from a mark on."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gym_gui.services.trainer.foreign_lane import ForeignLane
from gym_gui.services.trainer.printed import Completer

READ_BYTES = 1 << 20
STDOUT_CHANNEL = "stdout"


@dataclass(slots=True)
class Lines:
    """Whole lines of one channel, in order. ``first`` is the sequence number of the first one."""

    first: int
    lines: list[bytes]


class ChannelTail:
    """One channel's segments. A segment is named by the first sequence number it holds.

    Sequence numbers are counted by position, so a line that cannot be read keeps its number.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.channel = directory.name
        self._segment: int | None = None
        self._file = -1
        self._rest = b""
        self._next = 1

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def seek(self, committed: int) -> None:
        """Go on behind ``committed``: in the newest segment that starts at or before it."""
        self.close()
        self._rest = b""
        starts = self._starts()
        fitting = [start for start in starts if start <= committed + 1]
        self._segment = fitting[-1] if fitting else (starts[0] if starts else None)
        self._next = self._segment or 1
        while self._next <= committed:
            if self._skip(committed + 1 - self._next) == 0:
                break

    def read(self) -> Lines | None:
        """Return the whole lines there are, up to some ``READ_BYTES``; None when there are none."""
        data = self._read_bytes()
        if not data:
            return None
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        if not newline:
            return None
        lines = whole.split(b"\n")
        first, self._next = self._next, self._next + len(lines)
        return Lines(first, lines)

    def sync(self) -> None:
        """Have what is written reach the disk. May take a while."""
        if self._file >= 0:
            os.fdatasync(self._file)

    def torn(self) -> bytes:
        """Return the last line's beginning, left by a writer that died in the middle of it."""
        return self._rest

    def trim(self, committed: int) -> None:
        """Delete the segments whose every line is committed, except the one being written."""
        starts = self._starts()
        for start, following in itertools.pairwise(starts):
            if following <= committed + 1 and start != self._segment:
                self._path(start).unlink(missing_ok=True)

    @property
    def frames_dir(self) -> Path:
        return self.directory

    def _skip(self, count: int) -> int:
        found = self.read()
        if found is None:
            return 0
        if len(found.lines) > count:
            kept = b"\n".join(found.lines[count:]) + b"\n"
            self._rest = kept + self._rest
            self._next = found.first + count
        return len(found.lines)

    def _read_bytes(self) -> bytes:
        if self._rest.endswith(b"\n"):  # whole lines left over by a skip
            data, self._rest = self._rest, b""
            return data
        while True:
            if self._file < 0 and not self._open():
                return b""
            data = os.read(self._file, READ_BYTES)
            if data or not self._advance():
                return data

    def _open(self) -> bool:
        starts = self._starts()
        if self._segment is None:
            if not starts:
                return False
            self._segment = self._next = starts[0]
        try:
            self._file = os.open(self._path(self._segment), os.O_RDONLY)
        except FileNotFoundError:
            return False
        return True

    def _advance(self) -> bool:
        """At the end of a segment: go to the next one, if the writer has begun it."""
        later = [start for start in self._starts() if start > (self._segment or 0)]
        if not later or self._rest:
            return False
        if os.fstat(self._file).st_size > os.lseek(self._file, 0, os.SEEK_CUR):
            return True  # written between the read and the look at the folder
        self.close()
        self._segment = later[0]
        return True

    def _starts(self) -> list[int]:
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        return sorted(int(name[:-6]) for name in names if name.endswith(".jsonl"))

    def _path(self, start: int) -> Path:
        return self.directory / f"{start:016d}.jsonl"


class StdoutTail:
    """Records that a worker of any language prints: the JSON lines of its ``stdout.log``.

    Ordinary output is passed over; the n-th line that looks like a record has number n.
    """

    channel = STDOUT_CHANNEL

    def __init__(self, path: Path, lane: ForeignLane | None = None) -> None:
        self.path = path
        self.lane = lane
        self._offset = 0
        self._next = 1
        self._skip_to = 0
        self._rest = b""
        self._completer = Completer(self.lane)

    def seek(self, committed: int) -> None:
        self._offset, self._next, self._skip_to, self._rest = 0, 1, committed, b""
        self._completer = Completer(self.lane)  # it counts from the first line on, skipped ones too

    def read(self) -> Lines | None:
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(READ_BYTES)
        except FileNotFoundError:
            return None
        self._offset += len(data)
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        if not newline:
            return None
        lines = [line for line in whole.split(b"\n") if looks_like_record(line)]
        first, self._next = self._next, self._next + len(lines)
        lines = self._completer.complete(first, lines)
        done = max(0, self._skip_to + 1 - first)
        return Lines(first + done, lines[done:]) if lines[done:] else self.read()

    def sync(self) -> None:
        """Nothing to do: the worker's output is its own."""

    def torn(self) -> bytes:
        return self._rest if looks_like_record(self._rest) else b""

    def trim(self, committed: int) -> None:
        """Keep everything: this is the worker's own output."""

    @property
    def frames_dir(self) -> Path:
        return self.path.parent

    def close(self) -> None:
        self._rest = b""
        if self.lane is not None:
            self.lane.close()


class PrintedRecords:
    """Looks whether a worker prints records; reads each byte of its output once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._found = False

    def found(self) -> bool:
        """Tell whether there has been one, so far."""
        while not self._found and self._look():
            pass
        return self._found

    def _look(self) -> bool:
        """Look at the next piece; True when there may be more."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(READ_BYTES)
        except FileNotFoundError:
            return False
        self._found = any(looks_like_record(line) for line in data.split(b"\n"))
        more = len(data) == READ_BYTES
        self._offset += data.rfind(b"\n") + 1 or len(data) * more
        return more


def looks_like_record(line: bytes) -> bool:
    """Tell whether a line of output is meant as a record."""
    return line.startswith((b'{"type":', b'{"type" :'))


Tail = ChannelTail | StdoutTail


def channel_folders(spool: Path) -> Iterator[Path]:
    """Yield the folder of each channel there is now."""
    try:
        entries = sorted(os.scandir(spool), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir():
            yield Path(entry.path)
