"""Batches, stores and lines that the store's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gym_gui.core.records import EpisodeRecord
from gym_gui.telemetry.batch import RecordBatch, StepColumns
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

BEGIN_NS = 1_700_000_000_000_000_000
OBSERVATION = "[0.12345678,-0.23456789,0.3456789,1.4567891,-0.5678912,0.06789123,0.7891234,0.0]"


def steps_batch(
    first: int, count: int, *, channel: str = "7-abc", episode_length: int = 10, instance: int = 0
) -> RecordBatch:
    """Steps ``first`` to ``first + count - 1`` of one stream, a record each, episodes with them."""
    indices = list(range(first, first + count))
    batch = RecordBatch(
        channel,
        first + 1,
        first + count,
        StepColumns(
            stream=[instance] * count,
            index=indices,
            episode=[i // episode_length for i in indices],
            step=[i % episode_length for i in indices],
            action=[i % 2 for i in indices],
            reward=[float(i) for i in indices],
            flags=[int(i % episode_length == episode_length - 1) for i in indices],
            time_ns=[BEGIN_NS + i for i in indices],
            observation=[OBSERVATION] * count,
        ),
        run_id="run-1",
    )
    for i in indices:
        if i % episode_length == episode_length - 1:
            batch.episodes.append(_episode(i, episode_length, instance))
    return batch


def _episode(last: int, length: int, instance: int) -> EpisodeRecord:
    first = last - length + 1
    return EpisodeRecord(
        stream=instance,
        episode=last // length,
        length=length,
        return_=float(sum(range(first, last + 1))),
        terminated=True,
        truncated=False,
        start_ns=BEGIN_NS + first,
        end_ns=BEGIN_NS + last,
        first_index=first,
    )


def batches(count: int, size: int, **options: int | str) -> Iterator[RecordBatch]:
    for number in range(count):
        yield steps_batch(number * size, size, **options)  # type: ignore[arg-type]


def write(path: Path, *given: RecordBatch) -> Path:
    """Write batches into the store at ``path``, one transaction each, and close it."""
    with TelemetrySQLiteStore(path) as store:
        for batch in given:
            with store.atomic():
                store.write(batch)
    return path
