"""From the lines of a spool segment to batches. ``docs/protocol.md`` describes the lines.

Whatever is in a line, decoding goes on: a line that is not a record of the protocol is set aside
with the reason, a hole in the sequence numbers is named, a record seen before is left out.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zstandard

from gym_gui.core.errors import ProtocolError
from gym_gui.core.records import EpisodeRecord, ResetRecord
from gym_gui.telemetry import spool_records as spool
from gym_gui.telemetry.batch import (
    EventEntry,
    FrameEntry,
    LogEntry,
    MetricEntry,
    RecordBatch,
)
from gym_gui.telemetry.rows import from_json
from gym_gui.telemetry.step_columns import (
    NOT_JSON,
    PACKED_KINDS,
    STEP_KINDS,
    check_packed,
    number,
    step_columns,
)

FRAME_LEVEL = 3  # of zstd: smaller than level 1 on real pictures, and no slower
BROKEN = (*NOT_JSON, ProtocolError)  # a line that is no record
_NUMBER = re.compile(rb'\{"type":"[a-z]+","seq":([0-9]{1,13}),')


@dataclass(slots=True)
class Rejected:
    """A line that is no record of the protocol, and why."""

    line: bytes
    reason: str


@dataclass(slots=True)
class Decoded:
    """What a chunk of lines held. ``gaps``: sequence numbers, first and last, that are missing."""

    batch: RecordBatch | None = None
    rejected: list[Rejected] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)


class SpoolDecoder:
    """Reads one channel's lines in their order, by the numbers that the records carry.

    next_seq: the first record that is wanted; earlier ones are left out without a word.
    frames_dir: where the channel's ``frames-<n>.bin`` lie, normally its spool folder.
    """

    def __init__(
        self,
        channel: str,
        *,
        run_id: str = "",
        frames_dir: Path | None = None,
        next_seq: int = 1,
    ) -> None:
        self.channel = channel
        self.run_id = run_id
        self._pictures = Pictures(frames_dir)
        self.resume(next_seq)

    def resume(self, next_seq: int) -> None:
        """Want the records from ``next_seq`` on: what comes before was seen already."""
        self.next_seq = self._wanted = next_seq

    @property
    def pictures_name(self) -> str:
        """The pictures' file read last, "" before the first."""
        return self._pictures.name

    def close(self) -> None:
        """Let go of the pictures' file. Twice is safe."""
        self._pictures.close()

    def decode(self, chunk: bytes) -> Decoded:
        """Return the records of ``chunk``, whole lines, as one batch (None when it has none).

        The batch begins where the last one ended, so that it covers a hole that it names.
        """
        decoded = Decoded()
        records, lines = self._records(chunk, decoded)
        first, kept = self.next_seq, records
        if not self._follows(records):
            places = self._in_order(records, lines, decoded)
            kept = [records[place] for place in places]
            lines = [lines[place] for place in places] if lines else []
        if self.next_seq > first:
            decoded.batch = RecordBatch(self.channel, first, self.next_seq - 1, run_id=self.run_id)
            self._fill(decoded, kept, lines)
        return decoded

    def _records(self, chunk: bytes, decoded: Decoded) -> tuple[list[Any], list[bytes]]:
        """Return the records, and the line of each where one of them will be asked for."""
        try:
            if not chunk.isascii():
                chunk.decode()  # texts are taken over as they are: they must be text
            records = spool.decoder.decode_lines(chunk)
            check_packed([record for record in records if record.__class__ in PACKED_KINDS])
        except BROKEN:
            return self._line_by_line(chunk, decoded)
        if spool.Run in set(map(type, records)):
            return self._line_by_line(chunk, decoded)
        return records, []

    def _line_by_line(self, chunk: bytes, decoded: Decoded) -> tuple[list[Any], list[bytes]]:
        records, lines = [], []
        for line in chunk.split(b"\n"):
            if not line.strip():
                continue
            try:
                line.decode()
                record = spool.decoder.decode(line)
                if record.__class__ is spool.Run:
                    spool.run_data(line)
                elif record.__class__ in PACKED_KINDS:
                    check_packed([record])
            except BROKEN as error:
                decoded.rejected.append(Rejected(line, str(error)))
                record = _Bad(_claimed(line))
            records.append(record)
            lines.append(line)
        return records, lines

    def _follows(self, records: list[Any]) -> bool:
        """Tell whether the records are all good and go on without a hole; take note of it."""
        first, after = self.next_seq, self.next_seq + len(records)
        if [record.seq for record in records] != list(range(first, after)):
            return False
        if _Bad in set(map(type, records)):
            return False
        self.next_seq = after
        return True

    def _in_order(self, records: list[Any], lines: list[bytes], decoded: Decoded) -> list[int]:
        """Return the places of the good records that are new; name holes and wrong numbers."""
        found: list[int] = []
        ceilings = _lowest_after(records)
        for place, record in enumerate(records):
            seq = record.seq
            if record.__class__ is _Bad:
                self.next_seq += seq == self.next_seq
            elif seq < self._wanted:
                continue
            elif seq < self.next_seq or seq > ceilings[place]:
                line = lines[place] if lines else msgspec.json.encode(record)
                decoded.rejected.append(Rejected(line, f"the number {seq} is out of order"))
            else:
                if seq > self.next_seq:
                    decoded.gaps.append((self.next_seq, seq - 1))
                self.next_seq = seq + 1
                found.append(place)
        return found

    def _fill(self, decoded: Decoded, records: list[Any], lines: list[bytes]) -> None:
        batch = decoded.batch
        assert batch is not None
        steps = [record for record in records if record.__class__ in STEP_KINDS]
        batch.steps = step_columns(steps)
        if len(steps) == len(records):
            return
        for place, record in enumerate(records):
            kind = record.__class__
            if kind in STEP_KINDS:
                continue
            if kind is spool.Run:
                data = spool.run_data(lines[place])
                batch.events.append(EventEntry(record.seq, record.event, data, record.time_ns))
            elif kind is spool.Frame:
                self._add_frame(decoded, record)
            else:
                _add_other(batch, record)

    def _add_frame(self, decoded: Decoded, record: spool.Frame) -> None:
        batch = decoded.batch
        assert batch is not None
        try:
            pixels = self._pictures.packed(record.file, record.offset, record.length)
        except OSError as error:
            reason = f"frame {record.seq}: {error}"
            decoded.rejected.append(Rejected(msgspec.json.encode(record), reason))
            return
        names = ("seq", "index", "episode", "step", "height", "width", "channels", "format")
        values = {name: getattr(record, name) for name in names}
        batch.frames.append(FrameEntry(instance=record.stream, pixels=pixels, **values))


class Pictures:
    """A channel's raw pixels, read at a place and packed. Keeps the newest file open."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._pack = zstandard.ZstdCompressor(level=FRAME_LEVEL)
        self.name, self._file = "", -1

    def close(self) -> None:
        """Close the file. Twice is safe."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def packed(self, name: str, offset: int, length: int) -> bytes:
        """Return ``length`` bytes of a file, as zstd. Raises OSError when they are not there."""
        if name != self.name or self._file < 0:
            if self._folder is None:
                raise OSError("the channel's frames are not at hand")
            self.close()
            self._file = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
            self.name = name
        raw = os.pread(self._file, length, offset)
        if len(raw) != length:
            raise OSError(f"{name} ends before it")
        return self._pack.compress(raw)


class _Bad(NamedTuple):
    """Stands for a line that is no record; ``seq`` is the number that it claims, or 0."""

    seq: int


def _claimed(line: bytes) -> int:
    found = _NUMBER.match(line)
    return int(found[1]) if found else 0


def _lowest_after(records: list[Any]) -> list[int]:
    """Return for each record the lowest number of a good one behind it: its own is below that."""
    lowest, found = 1 << 62, []
    for record in reversed(records):
        found.append(lowest)
        if record.__class__ is not _Bad:
            lowest = min(lowest, record.seq)
    return found[::-1]


def _add_other(batch: RecordBatch, record: Any) -> None:
    kind = record.__class__
    if kind is spool.Episode:
        batch.episodes.append(_episode(record))
    elif kind is spool.Reset:
        batch.resets.append(_reset(record))
    elif kind is spool.Metric:
        entry = MetricEntry(
            record.seq, record.name, number(record.value), record.global_step, record.time_ns
        )
        batch.metrics.append(entry)
    else:
        batch.logs.append(LogEntry(record.seq, record.level, record.message, record.time_ns))


def _episode(record: spool.Episode) -> EpisodeRecord:
    return EpisodeRecord(
        record.stream,
        record.episode,
        record.length,
        number(record.return_),
        record.terminated,
        record.truncated,
        record.start_ns,
        record.time_ns,
        record.agent,
        record.success,
        record.first_index,
    )


def _reset(record: spool.Reset) -> ResetRecord:
    def value(raw: msgspec.Raw) -> Any:
        return from_json(str(memoryview(raw), "utf-8"))

    return ResetRecord(
        record.stream,
        record.episode,
        record.seed,
        value(record.options),
        value(record.rng),
        record.snapshot,
        value(record.observation),
        record.time_ns,
        record.flags,
    )
