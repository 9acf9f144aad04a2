"""Returns, lengths and the learner's metrics as a TensorBoard event file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gym_gui.core.errors import UsageError
from gym_gui.services.exporting.work import Progress, advance, whole
from gym_gui.telemetry.reader import RunReader


def write_events(store: Path, folder: Path, *, progress: Progress) -> int:
    """Write one event file into a new or empty ``folder``; return the number of points.

    Raises UsageError for a folder that holds anything, which stays as it is.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise UsageError(
            "TensorBoard event files need tensorboard.",
            next_step="Install it: pip install tensorboard.",
        ) from error
    folder = folder.absolute()
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"The folder {folder} is not empty.",
            next_step="Name a new one: nothing in it is overwritten.",
        )
    done = 0
    with RunReader(store) as reader, whole(folder) as part:
        totals = reader.totals()
        total = 2 * totals["episodes"] + totals["metrics"]
        writer = EventFileWriter(str(part))
        try:
            for name, value, step, time_ns in _points(reader):
                scalar = Summary(value=[Summary.Value(tag=name, simple_value=value)])
                writer.add_event(Event(wall_time=time_ns / 1e9, step=step, summary=scalar))
                done += 1
                if done % 10_000 == 0:
                    advance(progress, done, total)
        finally:
            writer.close()
        advance(progress, done, max(done, total))
    return done


def _points(reader: RunReader) -> Iterator[tuple[str, float, int, int]]:
    columns = reader.returns()
    rows = zip(
        columns.return_.tolist(),
        columns.length.tolist(),
        columns.x("steps").astype(int).tolist(),
        columns.end_ns.tolist(),
        strict=True,
    )
    for value, length, step, time_ns in rows:
        yield "episode/return", value, step, time_ns
        yield "episode/length", float(length), step, time_ns
    for name in reader.metric_names():
        for record in reader.metrics(name):
            yield name, record.value, record.global_step, record.time_ns
