"""Batches of records and runs, to messages and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

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
    kinds = {type(value) for value in values}
    if kinds == {int} and all(value in _INT64 for value in (min(values), max(values))):  # type: ignore[type-var]
        return pb.Cells(integers=values)  # type: ignore[arg-type]
    if kinds == {float}:
        return pb.Cells(floats=values)  # type: ignore[arg-type]
    if kinds == {str}:
        return pb.Cells(texts=values)  # type: ignore[arg-type]
    message = pb.Cells()
    marks = bytearray()
    for value in values:
        if value is None:
            marks.append(0)
        elif isinstance(value, int) and value in _INT64:
            marks.append(1)
            message.integers.append(value)
        elif isinstance(value, float):
            marks.append(2)
            message.floats.append(value)
        else:
            marks.append(3)
            message.texts.append(str(value))
    message.kinds = bytes(marks)
    return message


def decode_cells(message: pb.Cells) -> list[Cell]:
    """Return the column that ``encode_cells`` was given."""
    if not message.kinds:
        return list(message.integers) or list(message.floats) or list(message.texts)
    parts = [iter(()), iter(message.integers), iter(message.floats), iter(message.texts)]
    return [next(parts[mark], None) for mark in message.kinds]


def encode_steps(steps: StepColumns) -> pb.Steps:
    """Return step columns as a message; all-empty columns are left out."""
    message = pb.Steps(
        stream=steps.stream,
        index=steps.index,
        episode=steps.episode,
        step=steps.step,
        action=encode_cells(steps.action),
        reward=steps.reward,
        flags=steps.flags,
        time_ns=steps.time_ns,
        observation=steps.observation,
    )
    if any(steps.agent):
        message.agent.extend(steps.agent)
    if any(value is not None for value in steps.proposed_action):
        message.proposed_action.CopyFrom(encode_cells(steps.proposed_action))
    return message


def decode_steps(message: pb.Steps) -> StepColumns:
    """Return the columns that ``encode_steps`` was given."""
    return StepColumns(
        stream=list(message.stream),
        index=list(message.index),
        episode=list(message.episode),
        step=list(message.step),
        action=decode_cells(message.action),
        reward=list(message.reward),
        flags=list(message.flags),
        time_ns=list(message.time_ns),
        observation=list(message.observation),
        agent=list(message.agent),
        proposed_action=decode_cells(message.proposed_action),
    )


def encode_batch(batch: RecordBatch, *, rejected: int = 0) -> pb.Batch:
    """Return a batch as a message. rejected: how many of its lines broke the protocol."""
    message = pb.Batch(
        run_id=batch.run_id,
        channel=batch.channel,
        first_seq=batch.first_seq,
        last_seq=batch.last_seq,
        rejected=rejected,
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
    """Return the batch that ``encode_batch`` was given."""
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
    return pb.Reset(
        stream=record.stream,
        episode=record.episode,
        json=json.dumps(body, separators=(",", ":")),
        time_ns=record.time_ns,
    )


def _decode_reset(message: pb.Reset) -> ResetRecord:
    return ResetRecord(
        stream=message.stream,
        episode=message.episode,
        time_ns=message.time_ns,
        **json.loads(message.json or "{}"),
    )


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
    return EventEntry(message.seq, message.event, json.loads(message.json), message.time_ns)
