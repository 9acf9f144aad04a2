"""Reading a run's file: quick, read-only, also while it is written.

Each call is one short transaction, so that a reader never holds the writer's log back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw
import numpy as np
import zstandard

from gym_gui.core.errors import StoreCorruptError
from gym_gui.core.records import (
    STEP_RESET,
    EpisodeRecord,
    LogRecord,
    MetricRecord,
    ResetRecord,
    RunSpec,
    StepRecord,
    StreamInfo,
)
from gym_gui.telemetry import rows
from gym_gui.telemetry.batch import EventEntry
from gym_gui.telemetry.connection import content_errors, read_only
from gym_gui.telemetry.curves import Curve, EpisodeColumns, decimate
from gym_gui.telemetry.rows import INDEX_MASK, row_id

T = TypeVar("T")


class RunReader:
    """One run's records through a connection of its own. Use it from one thread at a time.

    Raises StorageError when there is no file yet, StoreVersionError for one of a newer version,
    StoreCorruptError for a damaged one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._connection: apsw.Connection | None = read_only(self.path)
        self._unpack = zstandard.ZstdDecompressor()

    def __enter__(self) -> RunReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Twice is safe."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a SELECT over the documented schema."""
        if self._connection is None:
            raise RuntimeError(f"the reader of {self.path} is closed")
        with content_errors(self.path):
            return self._connection.execute(sql, values).fetchall()

    def _records(self, sql: str, values: Sequence[Any], convert: Callable[[Any], T]) -> list[T]:
        found = self.query(sql, values)
        with content_errors(self.path):
            return [convert(row) for row in found]

    def data_version(self) -> int:
        """Return a number that changes whenever another connection has committed."""
        return self.query("PRAGMA data_version")[0][0]

    def spec(self) -> RunSpec | None:
        """Return what the run was started with, where its file says so."""
        found = self._records(
            "SELECT spec_json FROM runs LIMIT 1",
            (),
            lambda row: RunSpec.from_dict(rows.from_json(row[0])),
        )
        return found[0] if found else None

    def totals(self) -> dict[str, Any]:
        """Return the committed numbers of steps, episodes, … and the last and best return."""
        counts: dict[str, Any] = dict.fromkeys(
            ("steps", "episodes", "resets", "autoresets", "metrics", "logs", "frames", "events"), 0
        )
        counts.update(last_return=None, best_return=None)
        counts.update(self.query("SELECT name, value FROM totals"))
        return counts

    def streams(self) -> list[StreamInfo]:
        """Return every environment instance of the run."""
        return self._records(
            f"SELECT {rows.STREAM_COLUMNS} FROM streams ORDER BY stream", (), rows.stream_info
        )

    def channels(self) -> dict[str, int]:
        """Return the committed high-water mark of every writing process."""
        return dict(self.query("SELECT channel, high_water FROM channels ORDER BY id"))

    # Episodes

    def episodes(
        self,
        *,
        stream: int | None = None,
        order: str = "end",
        newest_first: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[EpisodeRecord]:
        """Return finished episodes in the order in which they ended (of one stream: began).

        order: ``end``, ``return`` or ``length``; newest_first: the greatest first, of all three.
        """
        where, values = ("", ()) if stream is None else ("WHERE stream = ?", (stream,))
        keys = _ORDERS[order]
        if order == "end" and stream is not None:
            keys = ("episode",)
        by = ",".join(f"{key} DESC" if newest_first else key for key in keys)
        return self._records(
            f"SELECT {rows.EPISODE_COLUMNS} FROM episodes {where} ORDER BY {by} LIMIT ? OFFSET ?",
            (*values, -1 if limit is None else limit, offset),
            rows.episode_record,
        )

    def episode(self, stream: int, episode: int, *, agent: str = "") -> EpisodeRecord | None:
        """Return one finished episode, or None."""
        found = self._records(
            f"SELECT {rows.EPISODE_COLUMNS} FROM episodes"
            " WHERE stream = ? AND episode = ? AND agent = ?",
            (stream, episode, agent),
            rows.episode_record,
        )
        return found[0] if found else None

    def returns(self, *, stream: int | None = None) -> EpisodeColumns:
        """Return the totals of all finished episodes as columns, in the order of their end."""
        where, values = ("", ()) if stream is None else ("WHERE stream = ?", (stream,))
        found = self.query(
            "SELECT stream, episode, length, return, start_ns, end_ns, first_index, agent"
            f" FROM episodes {where}",
            values,
        )
        with content_errors(self.path):
            return EpisodeColumns.from_rows(found)

    def returns_curve(self, *, max_points: int = 2000, by: str = "steps") -> Curve:
        """Return the learning curve reduced to ``max_points``, each bucket's least and greatest.

        by: ``steps`` (of all streams together), ``episodes`` or ``time`` (s since the start).
        """
        columns = self.returns()
        return decimate(columns.x(by), columns.return_, max_points=max_points)

    # Steps

    def step_bounds(self, stream: int) -> tuple[int, int] | None:
        """Return the first and the last index recorded of a stream, or None."""
        low, high = row_id(stream, 0), row_id(stream, INDEX_MASK)
        found = self.query(
            "SELECT (SELECT min(id) FROM steps WHERE id BETWEEN ?1 AND ?2),"
            " (SELECT max(id) FROM steps WHERE id BETWEEN ?1 AND ?2)",
            (low, high),
        )[0]
        return None if found[0] is None else (found[0] & INDEX_MASK, found[1] & INDEX_MASK)

    def steps(self, stream: int, start_index: int, count: int) -> list[StepRecord]:
        """Return up to ``count`` steps of a stream from ``start_index`` on."""
        found = self.step_rows(stream, start_index, count)
        with content_errors(self.path):
            return [rows.step_record(row) for row in found]

    def step_rows(self, stream: int, start_index: int, count: int) -> list[Any]:
        """Return the same as raw rows of ``rows.STEP_COLUMNS``, for exports of millions."""
        return self.query(
            f"SELECT {rows.STEP_COLUMNS} FROM steps WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
            (row_id(stream, start_index), row_id(stream, INDEX_MASK), count),
        )

    def episode_steps(
        self, stream: int, episode: int, *, start: int = 0, count: int | None = None
    ) -> list[StepRecord]:
        """Return the steps of an episode, finished or not, from its ``start``-th on."""
        bounds = self.episode_bounds(stream, episode)
        if bounds is None:
            return []
        first, last = bounds[0] + start, bounds[1]
        wanted = last - first + 1 if count is None else min(count, last - first + 1)
        return self.steps(stream, first, wanted) if wanted > 0 else []

    def episode_bounds(self, stream: int, episode: int) -> tuple[int, int] | None:
        """Return the first and last index of an episode's steps, or None when it has none.

        Episodes follow one another within a stream, so this is a search by halving: no need of
        an index over the steps.
        """
        ends = self.step_bounds(stream)
        if ends is None:
            return None
        first = self._first_index_from(stream, episode, *ends)
        after = self._first_index_from(stream, episode + 1, *ends)
        if first is None or first == after:
            return None
        return first, ends[1] if after is None else self._index_before(stream, after)

    def _first_index_from(self, stream: int, episode: int, low: int, high: int) -> int | None:
        """Return the least index whose step is of ``episode`` or a later one."""
        if self._episode_at(stream, high) < episode:
            return None
        while low < high:
            middle = (low + high) // 2
            if self._episode_at(stream, middle) < episode:
                low = middle + 1
            else:
                high = middle
        return self.query("SELECT min(id) FROM steps WHERE id >= ?", (row_id(stream, low),))[0][
            0
        ] & (INDEX_MASK)

    def _episode_at(self, stream: int, index: int) -> int:
        """Return the episode of the step at ``index``, or of the next one there is."""
        return self.query(
            "SELECT episode FROM steps WHERE id >= ? ORDER BY id LIMIT 1", (row_id(stream, index),)
        )[0][0]

    def _index_before(self, stream: int, index: int) -> int:
        key = self.query("SELECT max(id) FROM steps WHERE id < ?", (row_id(stream, index),))[0][0]
        return key & INDEX_MASK

    def reward_curve(self, stream: int, episode: int, *, max_points: int = 2000) -> Curve:
        """Return an episode's rewards over its steps, reduced as ``returns_curve``."""
        bounds = self.episode_bounds(stream, episode)
        found = (
            self.query(
                "SELECT step, reward FROM steps WHERE id BETWEEN ? AND ?",
                (row_id(stream, bounds[0]), row_id(stream, bounds[1])),
            )
            if bounds
            else []
        )
        table = np.array(found, dtype=float).reshape(-1, 2)
        return decimate(table[:, 0], table[:, 1], max_points=max_points)

    def reset(self, stream: int, episode: int) -> ResetRecord | None:
        """Return how an episode began, or None when that was not recorded."""
        found = self._records(
            f"SELECT {rows.RESET_COLUMNS} FROM resets WHERE id = ?",
            (row_id(stream, episode),),
            rows.reset_record,
        )
        if found and self.is_autoreset(stream, episode):
            found[0].flags |= STEP_RESET
        return found[0] if found else None

    def is_autoreset(self, stream: int, episode: int) -> bool:
        """Tell whether an episode began in the place of a step of a vector environment."""
        if not self.query("SELECT 1 FROM sqlite_schema WHERE name = 'autoresets'"):
            return False  # a file of the first version
        marked = "SELECT 1 FROM autoresets WHERE id = ?"
        return bool(self.query(marked, (row_id(stream, episode),)))

    def vector_steps(self) -> int:
        """Return the steps that the script itself counts with vector environments; 0 without any.

        From gymnasium 1.0 on it counts the steps that were autoresets, too.
        """
        latest: dict[str, int] = {}
        for entry in self.events("vector_totals"):
            vector = str(entry.data.get("vector"))
            latest[vector] = max(latest.get(vector, 0), int(entry.data.get("global_step", 0)))
        return sum(latest.values())

    # Metrics, logs, events

    def metric_names(self) -> list[str]:
        """Return the names of all learner's metrics, in the order of their first value."""
        return [name for (name,) in self.query("SELECT name FROM metric_names ORDER BY id")]

    def metrics(self, name: str) -> list[MetricRecord]:
        """Return all values of one metric in the order in which they came."""
        found = self.query(_METRICS, (name,))
        return [MetricRecord(name, rows.real(v), step, t) for v, step, t in found]

    def metric_columns(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (global_step, value, time_ns) of one metric as arrays."""
        found = self.query(_METRICS, (name,))
        value, step, time_ns = zip(*found, strict=True) if found else ((), (), ())
        return (
            np.array(step, dtype=np.int64),
            np.array(value, dtype=float),
            np.array(time_ns, dtype=np.int64),
        )

    def logs(
        self, *, limit: int | None = None, offset: int = 0, newest_first: bool = False
    ) -> list[LogRecord]:
        """Return the run's log lines by time."""
        order = "DESC" if newest_first else "ASC"
        found = self.query(
            f"SELECT level, message, time_ns FROM logs ORDER BY time_ns {order}, id {order}"
            " LIMIT ? OFFSET ?",
            (-1 if limit is None else limit, offset),
        )
        return [LogRecord(*row) for row in found]

    def events(self, *names: str) -> list[EventEntry]:
        """Return the run's events by time; only those called ``names``, if any are given."""
        where = f"WHERE event IN ({','.join('?' * len(names))})" if names else ""
        return self._records(
            f"SELECT id, event, data, time_ns FROM events {where} ORDER BY time_ns, id",
            names,
            lambda row: EventEntry(row[0] & INDEX_MASK, row[1], rows.from_json(row[2]), row[3]),
        )

    # Frames

    def frame(self, stream: int, index: int) -> np.ndarray | None:
        """Return the picture recorded with a step: uint8 (height, width, channels), or None."""
        found = self.query(
            "SELECT height, width, channels, format, pixels FROM frames WHERE id = ?",
            (row_id(stream, index),),
        )
        return self._picture(*found[0]) if found else None

    def frame_indices(self, stream: int, *, episode: int | None = None) -> list[int]:
        """Return the step indices of a stream (of one episode) that have a picture."""
        where, values = ("", ()) if episode is None else ("AND episode = ?", (episode,))
        found = self.query(
            f"SELECT id FROM frames WHERE id BETWEEN ? AND ? {where} ORDER BY id",
            (row_id(stream, 0), row_id(stream, INDEX_MASK), *values),
        )
        return [key & INDEX_MASK for (key,) in found]

    def _picture(self, height: int, width: int, channels: int, form: str, pixels: bytes) -> Any:
        size = height * width * channels
        try:
            raw = self._unpack.decompress(pixels, max_output_size=size)
        except zstandard.ZstdError as error:
            raise StoreCorruptError(
                f"A picture in {self.path} is damaged.", next_step="The other pictures are kept."
            ) from error
        if len(raw) != size:
            raise StoreCorruptError(
                f"A picture in {self.path} has another size than it says.",
                next_step="The other pictures are kept.",
            )
        picture = np.frombuffer(raw, dtype=np.uint8).reshape(height, width, channels)
        return picture[:, :, 2::-1] if form == "BGRX" else picture


_ORDERS = {
    "end": ("end_ns", "stream", "episode"),
    "return": ("return", "end_ns"),
    "length": ("length", "end_ns"),
}
_METRICS = (
    "SELECT value, global_step, time_ns FROM metrics"
    " WHERE name_id = (SELECT id FROM metric_names WHERE name = ?) ORDER BY id"
)


def size_on_disk(paths: Iterable[Path]) -> int:
    """Return the bytes that files really take, those that vanish meanwhile left out."""
    total = 0
    for path in paths:
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total
