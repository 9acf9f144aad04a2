"""Steps, episodes and metrics as tables, read and written in pages: any length fits."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gym_gui.core.errors import UsageError
from gym_gui.core.records import STEP_TERMINATED, STEP_TRUNCATED
from gym_gui.services.exporting.work import Progress, advance, whole
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.rows import INDEX_BITS, INDEX_MASK, finite_text, from_json, to_json

PAGE_ROWS = 20_000
STEPS = (
    "stream", "index", "episode", "step", "action", "reward", "terminated", "truncated",
    "flags", "time_ns", "observation", "agent", "proposed_action",
)  # fmt: skip
EPISODES = (
    "stream", "episode", "agent", "length", "return", "terminated", "truncated",
    "start_ns", "end_ns", "first_index", "success",
)  # fmt: skip
METRICS = ("name", "value", "global_step", "time_ns")
COLUMNS = {"steps": STEPS, "episodes": EPISODES, "metrics": METRICS}
_JSON = {"action", "observation", "proposed_action"}
_FLAGS = {"terminated", "truncated", "success"}
_FLOATS = {"reward", "return", "value"}
_TEXTS = {"agent", "name"}
Page = list[Sequence[Any]]


def write_table(
    store: Path, path: Path, *, what: str, progress: Progress, stream: int | None = None
) -> int:
    """Write ``steps``, ``episodes`` or ``metrics`` by the path's ending; return the rows.

    Actions and observations are JSON text in CSV and Parquet, values in JSON lines.
    """
    writers = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    columns = COLUMNS[what]
    with RunReader(store) as reader, whole(path) as part:
        total = int(reader.totals()[what])
        done = 0
        with writers[path.suffix.lower()](part, columns) as write:
            for page in _pages(reader, what, stream):
                write(page)
                done += len(page)
                advance(progress, done, max(done, total))
    return done


def _pages(reader: RunReader, what: str, stream: int | None) -> Iterator[Page]:
    if what == "steps":
        yield from _step_pages(reader, stream)
    elif what == "episodes":
        yield from _slices(reader, _EPISODE_ROWS.format(_where("stream", stream)))
    else:
        yield from _slices(reader, _METRIC_ROWS)


def _where(column: str, value: int | None) -> str:
    return "" if value is None else f"WHERE {column} = {int(value)}"


_EPISODE_ROWS = (
    "SELECT stream, episode, agent, length, return, terminated, truncated, start_ns, end_ns,"
    " first_index, success FROM episodes {} ORDER BY stream, episode, agent LIMIT ? OFFSET ?"
)
_METRIC_ROWS = (
    "SELECT name, value, global_step, time_ns FROM metrics"
    " JOIN metric_names ON metric_names.id = name_id ORDER BY metrics.id LIMIT ? OFFSET ?"
)


def _slices(reader: RunReader, sql: str) -> Iterator[Page]:
    offset = 0
    while page := reader.query(sql, (PAGE_ROWS, offset)):
        yield page
        offset += len(page)


def _step_pages(reader: RunReader, stream: int | None) -> Iterator[Page]:
    for info in reader.streams():
        if stream is not None and info.stream != stream:
            continue
        start = 0
        while rows := reader.step_rows(info.stream, start, PAGE_ROWS):
            yield [_step(row) for row in rows]
            start = (rows[-1][0] & INDEX_MASK) + 1


def _step(row: Sequence[Any]) -> Sequence[Any]:
    key, episode, step, action, reward, flags, time_ns, observation, agent, proposed = row
    return (
        key >> INDEX_BITS,
        key & INDEX_MASK,
        episode,
        step,
        _json(action),
        reward,
        flags & STEP_TERMINATED,
        (flags & STEP_TRUNCATED) >> 1,
        flags,
        time_ns,
        observation or None,
        agent or "",
        _json(proposed),
    )


def _json(cell: Any) -> str | None:
    return cell if cell is None or isinstance(cell, str) else to_json(cell)


@contextmanager
def _csv(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Page], None]]:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        yield writer.writerows


@contextmanager
def _jsonl(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Page], None]]:
    with path.open("w", encoding="utf-8") as file:

        def write(page: Page) -> None:
            for row in page:
                values = {n: _value(n, cell) for n, cell in zip(columns, row, strict=True)}
                file.write(json.dumps(values, separators=(",", ":")) + "\n")

        yield write


def _value(name: str, cell: Any) -> Any:
    if cell is None:
        return "NaN" if name in _FLOATS else None
    if name in _JSON:
        return finite_text(from_json(cell))
    return bool(cell) if name in _FLAGS else finite_text(cell)


@contextmanager
def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Page], None]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow.", next_step="Install it: pip install 'gym-gui[export]'."
        ) from error
    schema = pyarrow.schema([(name, _arrow_type(pyarrow, name)) for name in columns])
    with ExitStack() as stack:
        writer = stack.enter_context(pyarrow.parquet.ParquetWriter(path, schema))

        def write(page: Page) -> None:
            cells = [list(column) for column in zip(*page, strict=True)]
            for place, name in enumerate(columns):
                if name in _FLAGS:
                    cells[place] = [None if cell is None else bool(cell) for cell in cells[place]]
                elif name in _FLOATS:
                    cells[place] = [float("nan") if c is None else float(c) for c in cells[place]]
            writer.write_table(pyarrow.table(cells, schema=schema))

        yield write


def _arrow_type(pyarrow: Any, name: str) -> Any:
    if name in _JSON or name in _TEXTS:
        return pyarrow.string()
    if name in _FLAGS:
        return pyarrow.bool_()
    return pyarrow.float64() if name in _FLOATS else pyarrow.int64()
