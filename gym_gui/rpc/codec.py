"""Batches of records and runs, to messages and back."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from gym_gui.core.errors import ProtocolError
from gym_gui.core.records import EpisodeRecord, ResetRecord, RunRecord, RunSpec, RunState
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.telemetry.batch import (
    EventEntry,
    FrameEntry,
    LogEntry,
    MetricEntry,
    RecordBatch,
    StepColumns,
)

Cell = int | float | str | None

MAX_STEPS = 1 << 16  # of one batch
_INT64 = range(-(1 << 63), 1 << 63)
_RUN_FIELDS = (
    "run_id",
    "created_ns",
    "started_ns",
    "ended_ns",
    "exit_code",
    "signal",
    "cause",
    "steps",
    "episodes",
    "last_return",
    "best_return",
    "rejected",
    "trouble",
    "dropped",
    "size_bytes",
)
_OPTIONAL = ("exit_code", "signal", "last_return", "best_return")


def encode_run(record: RunRecord) -> pb.Run:
    """Return a run's record as a message."""
    message = pb.Run(spec_json=json.dumps(record.spec.to_dict()), state=record.state.value)
    for name in _RUN_FIELDS:
        value = getattr(record, name)
        if value is not None:
            setattr(message, name, value)
    return message


def decode_run(message: pb.Run) -> RunRecord:
    """Return the record that ``encode_run`` was given."""
    fields: dict[str, Any] = {
        name: None if name in _OPTIONAL and not message.HasField(name) else getattr(message, name)
        for name in _RUN_FIELDS
    }
    spec = RunSpec.from_dict(json.loads(message.spec_json))
    return RunRecord(spec=spec, state=RunState(message.state), **fields)


def encode_cells(values: Sequence[Cell]) -> pb.Cells:
    """Return a column of mixed values; whole numbers beyond 64 bits travel as their digits."""
    kinds = set(map(type, values))
    if kinds == {int} and all(value in _INT64 for value in (min(values), max(values))):  # type: ignore[type-var]
        return pb.Cells(integers=pack("q", values))  # type: ignore[arg-type]
    if kinds == {float}:
        return pb.Cells(floats=pack("d", values))  # type: ignore[arg-type]
    if kinds == {str}:
        return pb.Cells(texts=values)  # type: ignore[arg-type]
    marks, integers, floats, texts = bytearray(), [], [], []
    for value in values:
        if value is None:
            marks.append(0)
        elif isinstance(value, int) and value in _INT64:
            marks.append(1)
            integers.append(value)
        elif isinstance(value, float):
            marks.append(2)
            floats.append(value)
        else:
            marks.append(3)
            texts.append(str(value))
    packed = {"integers": pack("q", integers), "floats": pack("d", floats)}
    return pb.Cells(kinds=bytes(marks), texts=texts, **packed)


def decode_cells(message: pb.Cells, count: int) -> list[Cell]:
    """Return the column of ``count`` that ``encode_cells`` was given. Raises ProtocolError."""
    marks = message.kinds
    if not marks:
        return _cells_of_one_kind(message, count)
    if len(marks) != count or max(marks) > 3:
        raise ProtocolError("A column's kinds are not those of its values.")
    parts: list[Any] = [
        iter(()),
        iter(unpack("q", message.integers, marks.count(1))),
        iter(unpack("d", message.floats, marks.count(2))),
        iter(_texts(message.texts, marks.count(3))),
    ]
    return [next(parts[mark], None) for mark in marks]


def _cells_of_one_kind(message: pb.Cells, count: int) -> list[Cell]:
    if message.integers:
        return unpack("q", message.integers, count)
    if message.floats:
        return unpack("d", message.floats, count)
    return _texts(message.texts, count)


def _texts(texts: Sequence[str], count: int) -> list[Any]:
    if len(texts) != count:
        raise ProtocolError(f"A column of texts has {len(texts)} entries, not {count}.")
    return list(texts)


def pack(kind: str, values: Sequence[float]) -> bytes:
    """Return a column of numbers, ``q`` integers or ``d`` floats; one value if all are the same."""
    column = array(kind, values)
    if sys.byteorder == "big":
        column.byteswap()
    packed = column.tobytes()
    return packed[:8] if packed[:8] * len(values) == packed else packed


def unpack(kind: str, packed: bytes, count: int) -> list[Any]:
    """Return the ``count`` numbers that ``pack`` was given. Raises ProtocolError."""
    if len(packed) not in (8 * count, 8) or (packed and not count):
        raise ProtocolError(f"A column of {count} numbers has {len(packed)} bytes.")
    values = array(kind, packed)
    if sys.byteorder == "big":
        values.byteswap()
    found = values.tolist()
    return found if len(found) == count else found * count


def encode_steps(steps: StepColumns) -> pb.Steps:
    """Return step columns as a message; all-empty columns are left out."""
    message = pb.Steps(
        count=len(steps),
        stream=pack("q", steps.stream),
        index=pack("q", steps.index),
        episode=pack("q", steps.episode),
        step=pack("q", steps.step),
        action=encode_cells(steps.action),
        reward=pack("d", steps.reward),
        flags=pack("q", steps.flags),
        time_ns=pack("q", steps.time_ns),
        observation=_join(steps.observation),
    )
    if any(steps.agent):
        message.agent.extend(steps.agent)
    if any(value is not None for value in steps.proposed_action):
        message.proposed_action.CopyFrom(encode_cells(steps.proposed_action))
    return message


def _join(texts: Sequence[str]) -> str:
    joined = "\n".join(texts)
    if joined.count("\n") == max(0, len(texts) - 1):
        return joined
    # Between the parts of a JSON text a space says the same; inside them there is no line break.
    return "\n".join(text.replace("\n", " ") for text in texts)


def decode_steps(message: pb.Steps) -> StepColumns:
    """Return the columns that ``encode_steps`` was given. Raises ProtocolError."""
    count = message.count
    if count > MAX_STEPS:
        raise ProtocolError(f"A batch has {count} steps, more than {MAX_STEPS}.")
    if not count:
        return StepColumns()
    observations = message.observation.split("\n")
    if len(observations) != count:
        raise ProtocolError(f"A batch of {count} steps has {len(observations)} observations.")
    proposed = message.HasField("proposed_action")
    return StepColumns(
        stream=unpack("q", message.stream, count),
        index=unpack("q", message.index, count),
        episode=unpack("q", message.episode, count),
        step=unpack("q", message.step, count),
        action=decode_cells(message.action, count),
        reward=unpack("d", message.reward, count),
        flags=unpack("q", message.flags, count),
        time_ns=unpack("q", message.time_ns, count),
        observation=observations,
        agent=_texts(message.agent, count) if message.agent else [],
        proposed_action=decode_cells(message.proposed_action, count) if proposed else [],
    )


def encode_batch(batch: RecordBatch, *, rejected: int = 0, skipped: int = 0) -> pb.Batch:
    """Return a batch as a message.

    rejected: how many of its lines broke the protocol. skipped: what a slow reader missed before.
    """
    message = pb.Batch(
        run_id=batch.run_id,
        channel=batch.channel,
        first_seq=batch.first_seq,
        last_seq=batch.last_seq,
        rejected=rejected,
        skipped=skipped,
        episodes=[_encode_episode(record) for record in batch.episodes],
        resets=[_encode_reset(record) for record in batch.resets],
        metrics=[pb.Metric(**_fields(entry)) for entry in batch.metrics],
        logs=[pb.Log(**_fields(entry)) for entry in batch.logs],
        frames=[_encode_frame(entry) for entry in batch.frames],
        events=[_encode_event(entry) for entry in batch.events],
    )
    if len(batch.steps):
        message.steps.CopyFrom(encode_steps(batch.steps))
    return message


def decode_batch(message: pb.Batch) -> RecordBatch:
    """Return the batch that ``encode_batch`` was given. Raises ProtocolError for anything else."""
    try:
        return _decode_batch(message)
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolError(f"A batch holds what cannot be read: {error}.") from error


def _decode_batch(message: pb.Batch) -> RecordBatch:
    return RecordBatch(
        channel=message.channel,
        first_seq=message.first_seq,
        last_seq=message.last_seq,
        steps=decode_steps(message.steps),
        episodes=[_decode_episode(part) for part in message.episodes],
        resets=[_decode_reset(part) for part in message.resets],
        metrics=[
            MetricEntry(m.seq, m.name, m.value, m.global_step, m.time_ns) for m in message.metrics
        ],
        logs=[LogEntry(m.seq, m.level, m.message, m.time_ns) for m in message.logs],
        frames=[_decode_frame(part) for part in message.frames],
        events=[_decode_event(part) for part in message.events],
        run_id=message.run_id,
    )


def _fields(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}


def _encode_episode(record: EpisodeRecord) -> pb.Episode:
    fields = _fields(record)
    fields["return"] = fields.pop("return_")
    return pb.Episode(**fields)


def _decode_episode(message: pb.Episode) -> EpisodeRecord:
    return EpisodeRecord(
        stream=message.stream,
        episode=message.episode,
        length=message.length,
        return_=getattr(message, "return"),
        terminated=message.terminated,
        truncated=message.truncated,
        start_ns=message.start_ns,
        end_ns=message.end_ns,
        agent=message.agent,
        success=message.success if message.HasField("success") else None,
        first_index=message.first_index,
    )


def _encode_reset(record: ResetRecord) -> pb.Reset:
    names = ("seed", "options", "rng_state", "snapshot", "observation")
    body = {name: getattr(record, name) for name in names if getattr(record, name) is not None}
    if record.flags:
        body["flags"] = record.flags
    return pb.Reset(
        stream=record.stream,
        episode=record.episode,
        json=json.dumps(body, separators=(",", ":")),
        time_ns=record.time_ns,
    )


def _decode_reset(message: pb.Reset) -> ResetRecord:
    body = _object(message.json or "{}")
    seed, snapshot = body.get("seed"), body.get("snapshot")
    if not isinstance(seed, int | None) or not isinstance(snapshot, str | None):
        raise ProtocolError("A reset's seed is no whole number, or its snapshot no text.")
    return ResetRecord(
        stream=message.stream, episode=message.episode, time_ns=message.time_ns, **body
    )


def _object(text: str) -> dict[str, Any]:
    """Return a JSON object. Raises ProtocolError, or ValueError where it is no JSON."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ProtocolError("A reset or an event is no object.")
    return found


def _encode_frame(entry: FrameEntry) -> pb.Frame:
    fields = _fields(entry)
    fields["stream"] = fields.pop("instance")
    return pb.Frame(**fields)


def _decode_frame(message: pb.Frame) -> FrameEntry:
    return FrameEntry(
        seq=message.seq,
        instance=message.stream,
        index=message.index,
        episode=message.episode,
        step=message.step,
        height=message.height,
        width=message.width,
        channels=message.channels,
        format=message.format,
        pixels=message.pixels,
    )


def _encode_event(entry: EventEntry) -> pb.Event:
    body = json.dumps(entry.data, separators=(",", ":"))
    return pb.Event(seq=entry.seq, event=entry.event, json=body, time_ns=entry.time_ns)


def _decode_event(message: pb.Event) -> EventEntry:
    return EventEntry(message.seq, message.event, _object(message.json), message.time_ns)
