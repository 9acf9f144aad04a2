"""Reading a run's spool while it is written: whole lines, across segments, from a mark on."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gym_gui.core import vector_block
from gym_gui.services.trainer.foreign_lane import ForeignLane
from gym_gui.services.trainer.printed import Completer

READ_BYTES = 1 << 20
LINE_BYTES = 32 << 20  # the longest line that can be a record
STDOUT_CHANNEL = "stdout"


@dataclass(slots=True)
class Lines:
    """Whole lines of one channel, in order.

    first: the number of the first one where numbers are counted by place, as those of printed
    lines are; 0 where the records carry their own.
    """

    lines: list[bytes]
    first: int = 0

    def part(self, start: int, end: int) -> Lines:
        """Return some of the lines."""
        return Lines(self.lines[start:end], self.first and self.first + start)


class ChannelTail:
    """One channel's segments. A segment is named by the first sequence number it holds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.channel = directory.name
        self._segment: int | None = None
        self._file = -1
        self._rest = b""
        self._frames = 0  # the number of the newest pictures' file that was spoken of

    def close(self) -> None:
        """Close the segment. Twice is safe."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def seek(self, committed: int) -> None:
        """Begin with the newest segment that starts at or before the record to go on with."""
        self.close()
        self._rest = b""
        starts = self._starts()
        fitting = [start for start in starts if start <= committed + 1]
        self._segment = fitting[-1] if fitting else (starts[0] if starts else None)

    def read(self) -> Lines | None:
        """Return the whole lines there are, up to some ``READ_BYTES``; None when there are none."""
        data = self._read_bytes()
        if not data:
            return None
        whole, self._rest = _whole_lines(self._rest, data)
        return Lines(whole) if whole else self.read()

    def torn(self) -> bytes:
        """Return the last line's beginning, left by a writer that died in the middle of it."""
        return self._rest

    def left_behind(self, next_seq: int) -> Iterator[bytes]:
        """Yield the records of what the channel's writer held when it died, as lines.

        next_seq: the number after the last record read. A record keeps the number that it gets, so
        that it is not sent twice. Raises ValueError, naming the file, where one is not to be read.
        """
        for path in sorted(self.directory.glob(f"*{vector_block.SUFFIX}")):
            try:
                found = vector_block.left_behind(path.read_bytes())
            except (OSError, ValueError) as error:
                raise ValueError(f"{path.name} cannot be read: {error}") from error
            if found is None or 0 < found[0] < next_seq:
                continue  # nothing, or it is in the spool
            seq = found[0] or next_seq
            vector_block.give_number(path, seq)
            yield b'{"type":"vpacked","seq":%d,%s}' % (seq, found[1].encode())
            next_seq = seq + 1

    def trim(self, committed: int) -> None:
        """Delete the segments whose every line is committed, except the one being written."""
        for start, following in itertools.pairwise(self._starts()):
            if following <= committed + 1 and start != self._segment:
                self._path(start).unlink(missing_ok=True)

    def trim_pictures(self, before: int) -> None:
        """Delete the raw pictures of the files numbered below ``before``: they are committed."""
        for name in _names(self.directory):
            number = frames_number(name)
            if number is not None and number < before:
                (self.directory / name).unlink(missing_ok=True)

    @property
    def frames_dir(self) -> Path:
        return self.directory

    def _read_bytes(self) -> bytes:
        while True:
            if self._file < 0 and not self._open():
                return b""
            data = os.read(self._file, READ_BYTES)
            if data:
                return data
            if not self._advance():
                return b""
            if self._file < 0 and self._rest:
                return b"\n"  # the next segment has begun: this one's last line stays as it is

    def _open(self) -> bool:
        if self._segment is None:
            starts = self._starts()
            if not starts:
                return False
            self._segment = starts[0]
        try:
            self._file = os.open(self._path(self._segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        return True

    def _advance(self) -> bool:
        """At the end of a segment: go to the next one, if the writer has begun it."""
        later = [start for start in self._starts() if start > (self._segment or 0)]
        if not later:
            return False
        if os.fstat(self._file).st_size > os.lseek(self._file, 0, os.SEEK_CUR):
            return True  # written between the read and the look at the folder
        self.close()
        self._segment = later[0]
        return True

    def _starts(self) -> list[int]:
        stems = (name[:-6] for name in _names(self.directory) if name.endswith(".jsonl"))
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def _path(self, start: int) -> Path:
        return self.directory / f"{start:016d}.jsonl"


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def frames_number(name: str) -> int | None:
    """Return n of ``frames-<n>.bin``, None for another name."""
    number = name.removeprefix("frames-").removesuffix(".bin")
    return int(number) if number.isdecimal() and name == f"frames-{number}.bin" else None


def _whole_lines(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines that ``data`` ends, and the beginning of the next.

    Of a line beyond ``LINE_BYTES`` the beginning is kept: no record, to be set aside.
    """
    end = data.rfind(b"\n")
    if end < 0:
        return [], (rest + data if len(rest) < LINE_BYTES else rest)
    return (rest + data[:end]).split(b"\n"), data[end + 1 :]


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
        """Return the records' lines, numbered by place, as a spool holds them."""
        while True:
            try:
                with self.path.open("rb") as file:
                    file.seek(self._offset)
                    data = file.read(READ_BYTES)
            except FileNotFoundError:
                return None
            if not data:
                return None
            self._offset += len(data)
            whole, self._rest = _whole_lines(self._rest, data)
            lines = [line for line in whole if looks_like_record(line)]
            first, self._next = self._next, self._next + len(lines)
            lines = self._completer.complete(first, lines)
            done = max(0, self._skip_to + 1 - first)
            if lines[done:]:
                return Lines(lines[done:], first + done)

    def left_behind(self, next_seq: int) -> Iterator[bytes]:
        """Yield nothing: what was printed is all there is."""
        yield from ()

    def torn(self) -> bytes:
        return self._rest if looks_like_record(self._rest) else b""

    def trim(self, committed: int) -> None:
        """Keep everything: this is the worker's own output."""

    trim_pictures = trim

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
