"""From the lines of a spool segment to batches. ``docs/protocol.md`` describes the lines.

Whatever is in a line, decoding goes on: a line that is not a record of the protocol is set aside
with the reason, a hole in the sequence numbers is named, a record seen before is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from gym_gui.core.records import STEP_TERMINATED, STEP_TRUNCATED, EpisodeRecord, ResetRecord
from gym_gui.telemetry import spool_records as spool
from gym_gui.telemetry.batch import (
    EventEntry,
    FrameEntry,
    LogEntry,
    MetricEntry,
    RecordBatch,
    StepColumns,
)
from gym_gui.telemetry.rows import from_json

FRAME_LEVEL = 3  # of zstd: smaller than level 1 on real pictures, and no slower
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NOTHING = spool.NOTHING


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
    """Reads one channel's lines in their order.

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
        self.next_seq = next_seq
        self._frames_dir = frames_dir
        self._pack = zstandard.ZstdCompressor(level=FRAME_LEVEL)

    def decode(self, chunk: bytes) -> Decoded:
        """Return the records of ``chunk``, whole lines, as one batch (None when it has none)."""
        decoded = Decoded()
        found = self._in_order(self._records(chunk, decoded), decoded)
        if found:
            first, last = found[0][0].seq, found[-1][0].seq
            decoded.batch = RecordBatch(self.channel, first, last, run_id=self.run_id)
            self._fill(decoded, found)
        return decoded

    def _records(self, chunk: bytes, decoded: Decoded) -> Iterable[tuple[Any, bytes]]:
        """Return each record with its line (empty where it will not be asked for)."""
        try:
            records = spool.decoder.decode_lines(chunk)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._line_by_line(chunk, decoded)
        if any(record.__class__ is spool.Run for record in records):
            return self._line_by_line(chunk, decoded)
        return [(record, b"") for record in records]

    def _line_by_line(self, chunk: bytes, decoded: Decoded) -> Iterator[tuple[Any, bytes]]:
        for line in chunk.split(b"\n"):
            if not line.strip():
                continue
            try:
                yield spool.decoder.decode(line), line
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                decoded.rejected.append(Rejected(line, str(error)))

    def _in_order(
        self, records: Iterable[tuple[Any, bytes]], decoded: Decoded
    ) -> list[tuple[Any, bytes]]:
        found = []
        for item in records:
            seq = item[0].seq
            if seq < self.next_seq:
                continue
            if seq > self.next_seq:
                decoded.gaps.append((self.next_seq, seq - 1))
            self.next_seq = seq + 1
            found.append(item)
        return found

    def _fill(self, decoded: Decoded, found: list[tuple[Any, bytes]]) -> None:
        batch = decoded.batch
        assert batch is not None
        steps = [record for record, _ in found if record.__class__ is spool.Step]
        if steps:
            batch.steps = _step_columns(steps)
        for record, line in found:
            kind = record.__class__
            if kind is spool.Step:
                continue
            if kind is spool.VStep:
                _add_vstep(batch.steps, record)
            elif kind is spool.Run:
                data = spool.run_data(line)
                batch.events.append(EventEntry(record.seq, record.event, data, record.time_ns))
            elif kind is spool.Frame:
                self._add_frame(decoded, record)
            else:
                _add_other(batch, record)

    def _add_frame(self, decoded: Decoded, record: spool.Frame) -> None:
        batch = decoded.batch
        assert batch is not None
        try:
            raw = self._pixels(record)
        except OSError as error:
            decoded.rejected.append(Rejected(b"", f"frame {record.seq}: {error}"))
            return
        names = ("seq", "index", "episode", "step", "height", "width", "channels", "format")
        values = {name: getattr(record, name) for name in names}
        batch.frames.append(
            FrameEntry(instance=record.stream, pixels=self._pack.compress(raw), **values)
        )

    def _pixels(self, record: spool.Frame) -> bytes:
        if self._frames_dir is None:
            raise OSError("the channel's frames are not at hand")
        with (self._frames_dir / record.file).open("rb") as file:
            file.seek(record.offset)
            raw = file.read(record.length)
        if len(raw) != record.length:
            raise OSError(f"{record.file} ends before it")
        return raw


def _number(value: float | str) -> float:
    return _NOT_FINITE[value] if isinstance(value, str) else value


def _numbers(values: list[Any]) -> list[float]:
    """Return floats; looks at single values only where one is a name."""
    if str in set(map(type, values)):
        return [_number(value) for value in values]
    return values


def _cells(raws: Sequence[msgspec.Raw]) -> list[int | float | str | None]:
    """Return actions as a batch holds them: numbers as such, else the text as written."""
    return [_cell(str(memoryview(raw), "utf-8")) for raw in raws]


def _cell(text: str) -> int | float | str | None:
    if text.isdecimal() and len(text) < 19:
        return int(text)
    if text == "null":
        return None
    if text[0] in "-0123456789":
        value = from_json(text)
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
            return value
    return text


def _texts(raws: Sequence[msgspec.Raw]) -> list[str]:
    return [str(memoryview(raw), "utf-8") for raw in raws]


def _flags(terminated: list[bool], truncated: list[bool], flags: list[int]) -> list[int]:
    ends = [
        STEP_TERMINATED * a | STEP_TRUNCATED * b for a, b in zip(terminated, truncated, strict=True)
    ]
    return [a | b for a, b in zip(ends, flags, strict=True)] if any(flags) else ends


def _step_columns(steps: list[spool.Step]) -> StepColumns:
    agents = [s.agent for s in steps]
    proposed = [s.proposed_action for s in steps]
    return StepColumns(
        stream=[s.stream for s in steps],
        index=[s.index for s in steps],
        episode=[s.episode for s in steps],
        step=[s.step for s in steps],
        action=_cells([s.action for s in steps]),
        reward=_numbers([s.reward for s in steps]),
        flags=_flags(
            [s.terminated for s in steps], [s.truncated for s in steps], [s.flags for s in steps]
        ),
        time_ns=[s.time_ns for s in steps],
        observation=_texts([s.observation for s in steps]),
        agent=agents if any(agents) else [],
        proposed_action=_cells(proposed) if any(p is not _NOTHING for p in proposed) else [],
    )


def _add_vstep(columns: Any, record: spool.VStep) -> None:
    before, count = len(columns), len(record.streams)
    columns.stream.extend(record.streams)
    columns.index.extend(record.index)
    columns.episode.extend(record.episode)
    columns.step.extend(record.step)
    columns.action.extend(_cells(record.action))
    columns.reward.extend(_numbers(record.reward))
    columns.flags.extend(_flags(record.terminated, record.truncated, record.flags))
    columns.time_ns.extend([record.time_ns] * count)
    columns.observation.extend(_texts(record.observation))
    if record.agents and not columns.agent:
        columns.agent.extend([""] * before)
    if columns.agent:
        columns.agent.extend(record.agents or [""] * count)
    if columns.proposed_action:
        columns.proposed_action.extend([None] * count)


def _add_other(batch: RecordBatch, record: Any) -> None:
    kind = record.__class__
    if kind is spool.Episode:
        batch.episodes.append(_episode(record))
    elif kind is spool.Reset:
        batch.resets.append(_reset(record))
    elif kind is spool.Metric:
        entry = MetricEntry(
            record.seq, record.name, _number(record.value), record.global_step, record.time_ns
        )
        batch.metrics.append(entry)
    else:
        batch.logs.append(LogEntry(record.seq, record.level, record.message, record.time_ns))


def _episode(record: spool.Episode) -> EpisodeRecord:
    return EpisodeRecord(
        record.stream,
        record.episode,
        record.length,
        _number(record.return_),
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
    )
