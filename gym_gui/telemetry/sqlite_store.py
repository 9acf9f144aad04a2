"""The store of one run: a SQLite file, written by one connection in whole transactions."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import apsw

from gym_gui.core.errors import ProtocolError
from gym_gui.core.records import STEP_RESET, EpisodeRecord, ResetRecord, RunSpec
from gym_gui.telemetry.batch import EventEntry, MetricEntry, RecordBatch, StepColumns
from gym_gui.telemetry.connection import content_errors, open_for_writing, storage_errors
from gym_gui.telemetry.rows import (
    INDEX_BITS,
    MAX_STREAM,
    row_id,
    seed_cell,
    success_cell,
    to_json,
)
from gym_gui.telemetry.storage import Totals

WAL_LIMIT_BYTES = 64 << 20  # beyond it readers are waited for, so that the log can begin anew

# Many rows a statement: each statement hands over the interpreter's lock once, and beside a busy
# thread every hand-over costs up to a switch interval.
_CHUNK_ROWS = 100
_STEP_WIDTH = 10
_ONE_STEP = "(" + ",".join("?" * _STEP_WIDTH) + ")"
_INSERT_STEP = "INSERT OR IGNORE INTO steps VALUES" + _ONE_STEP
_INSERT_STEPS = "INSERT OR IGNORE INTO steps VALUES" + ",".join([_ONE_STEP] * _CHUNK_ROWS)


class TelemetrySQLiteStore:
    """Implements ``TelemetryStore``. Owns its connection; ``close`` twice is safe.

    Opening raises StoreVersionError or StoreCorruptError and then has altered nothing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._connection: apsw.Connection | None = open_for_writing(self.path)
        self._lock = threading.Lock()  # of the stream numbers only
        self._streams: dict[tuple[str, int], int] = {}
        self._next_stream = 0
        self._stale = False
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> TelemetrySQLiteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            with storage_errors(self.path):
                self._connection.close()
            self._connection = None

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """One transaction: all that is written inside is durable after it, or none of it is."""
        with storage_errors(self.path):
            self._open.execute("BEGIN IMMEDIATE")
            try:
                if self._stale or self._version() != self._seen:
                    self._load()
                self._stale = True  # until the commit, memory runs ahead of the file
                yield
                self._write_totals()
                self._open.execute("COMMIT")
                self._stale = False
            finally:
                if self._open.in_transaction:
                    self._open.execute("ROLLBACK")
            self._bound_log()

    def write(self, batch: RecordBatch) -> None:
        """Add what of ``batch`` is not there yet, and raise the channel's high-water mark."""
        batch.check()
        if not self._open.in_transaction:
            raise RuntimeError("write() belongs inside atomic()")
        channel = self._channel_id(batch.channel)
        ids = self._declare(batch)
        if len(batch.steps):
            self._totals.steps += self._write_steps(batch.steps, ids)
        if batch.episodes:
            self._write_episodes(batch.episodes, ids)
        if batch.resets:
            self._write_resets(batch.resets, ids)
        if batch.frames:
            self._write_frames(batch, ids)
        if batch.metrics:
            self._write_metrics(channel, batch.metrics)
        if batch.logs:
            rows = [(row_id(channel, e.seq), e.level, e.message, e.time_ns) for e in batch.logs]
            self._totals.logs += self._insert("logs", 4, rows)
        if batch.events:
            self._write_events(channel, batch)
        if batch.last_seq > self._marks[batch.channel]:
            self._marks[batch.channel] = batch.last_seq
            self._open.execute(
                "UPDATE channels SET high_water = ? WHERE id = ?", (batch.last_seq, channel)
            )

    def write_spec(self, spec: RunSpec) -> None:
        """Keep what the run was started with, so that the file explains itself."""
        row = (spec.run_id, to_json(spec.to_dict()), spec.created_ns)
        self._open.execute("INSERT OR REPLACE INTO runs VALUES(?,?,?)", row)

    def high_water(self, channel: str) -> int:
        with storage_errors(self.path):
            row = self._open.execute(
                "SELECT high_water FROM channels WHERE channel = ?", (channel,)
            ).fetchone()
        return int(row[0]) if row else 0

    def high_waters(self) -> dict[str, int]:
        """Return the committed mark of every channel."""
        with storage_errors(self.path):
            return dict(self._open.execute("SELECT channel, high_water FROM channels"))

    def resolve_streams(self, channel: str, instances: Iterable[int]) -> dict[int, int]:
        """Return the run's stream number of each instance, new ones numbered in order."""
        with self._lock:
            return {n: self._number(channel, n) for n in sorted(set(instances))}

    def totals(self) -> Totals:
        """Return what is written; inside ``atomic()`` that runs ahead of what is committed."""
        names = Totals.__dataclass_fields__
        return Totals(**{name: getattr(self._totals, name) for name in names})

    @property
    def _open(self) -> apsw.Connection:
        if self._connection is None:
            raise RuntimeError(f"{self.path} is closed")
        return self._connection

    def _version(self) -> int:
        """Return a number that changes when another connection has written."""
        return (self._open.execute("PRAGMA data_version").fetchone() or (0,))[0]

    def _load(self) -> None:
        """Read what is kept in memory: after opening, and after a transaction that failed."""
        with content_errors(self.path):
            self._read_marks()

    def _read_marks(self) -> None:
        read = self._open.execute
        self._seen = self._version()
        self._channels = {name: int(n) for n, name in read("SELECT id, channel FROM channels")}
        self._marks = dict(read("SELECT channel, high_water FROM channels"))
        self._names = {name: int(n) for n, name in read("SELECT id, name FROM metric_names")}
        rows = list(read("SELECT channel, instance, stream FROM streams"))
        self._declared = {int(row[2]) for row in rows}
        with self._lock:
            self._streams.update({(c, int(n)): int(s) for c, n, s in rows})
            self._next_stream = max(self._streams.values(), default=-1) + 1
        known = Totals.__dataclass_fields__
        values = {k: v for k, v in read("SELECT name, value FROM totals") if k in known}
        self._totals = Totals(**values)
        self._written = dict(values)
        self._last_end = int((read("SELECT max(end_ns) FROM episodes").fetchone() or [0])[0] or 0)
        self._stale = False

    def _number(self, channel: str, instance: int) -> int:
        number = self._streams.get((channel, instance))
        if number is None:
            number = self._next_stream
            if number > MAX_STREAM:
                raise ProtocolError(f"{self.path} has no room for more than {MAX_STREAM} streams.")
            self._streams[channel, instance] = number
            self._next_stream += 1
        return number

    def _channel_id(self, channel: str) -> int:
        number = self._channels.get(channel)
        if number is None:
            self._open.execute("INSERT INTO channels(channel) VALUES(?)", (channel,))
            number = self._channels[channel] = self._open.last_insert_rowid()
            self._marks[channel] = 0
        return number

    def _declare(self, batch: RecordBatch) -> dict[int, int]:
        ids = self.resolve_streams(batch.channel, batch.instances())
        for instance, stream in ids.items():
            if stream not in self._declared:
                self._open.execute(
                    "INSERT OR IGNORE INTO streams(stream, channel, instance) VALUES(?,?,?)",
                    (stream, batch.channel, instance),
                )
                self._declared.add(stream)
        return ids

    def _write_steps(self, steps: StepColumns, ids: dict[int, int]) -> int:
        try:
            return self._insert_steps(_step_cells(steps, ids))
        except OverflowError:
            wide = [_narrow(cell) for cell in _step_cells(steps, ids)]
            return self._insert_steps(iter(wide))

    def _insert_steps(self, cells: Iterator[Any]) -> int:
        before = self._open.total_changes()
        flat = list(cells)
        width = _CHUNK_ROWS * _STEP_WIDTH
        whole = len(flat) - len(flat) % width
        if whole:
            self._open.executemany(
                _INSERT_STEPS, (flat[i : i + width] for i in range(0, whole, width))
            )
        rest = range(whole, len(flat), _STEP_WIDTH)
        self._open.executemany(_INSERT_STEP, (flat[i : i + _STEP_WIDTH] for i in rest))
        return self._open.total_changes() - before

    def _insert(self, table: str, width: int, rows: Iterable[Sequence[Any]]) -> int:
        before = self._open.total_changes()
        marks = ",".join("?" * width)
        self._open.executemany(f"INSERT OR IGNORE INTO {table} VALUES({marks})", rows)
        return self._open.total_changes() - before

    def _write_episodes(self, episodes: Sequence[EpisodeRecord], ids: dict[int, int]) -> None:
        rows = [_episode_row(record, ids) for record in episodes]
        self._totals.episodes += self._insert("episodes", 11, rows)
        totals = self._totals
        for record in episodes:
            if math.isnan(record.return_):
                continue
            if totals.best_return is None or record.return_ > totals.best_return:
                totals.best_return = record.return_
            if record.end_ns >= self._last_end:
                self._last_end = record.end_ns
                totals.last_return = record.return_

    def _write_resets(self, resets: Sequence[ResetRecord], ids: dict[int, int]) -> None:
        rows = [
            (
                row_id(ids[r.stream], r.episode),
                seed_cell(r.seed),
                None if r.options is None else to_json(r.options),
                None if r.rng_state is None else to_json(r.rng_state),
                r.snapshot,
                None if r.observation is None else to_json(r.observation),
                r.time_ns,
            )
            for r in resets
        ]
        self._totals.resets += self._insert("resets", 7, rows)
        marked = [(row_id(ids[r.stream], r.episode),) for r in resets if r.flags & STEP_RESET]
        if marked:
            self._totals.autoresets += self._insert("autoresets", 1, marked)

    def _write_frames(self, batch: RecordBatch, ids: dict[int, int]) -> None:
        rows = [
            (
                row_id(ids[f.instance], f.index),
                f.episode,
                f.step,
                f.height,
                f.width,
                f.channels,
                f.format,
                f.pixels,
            )
            for f in batch.frames
        ]
        self._totals.frames += self._insert("frames", 8, rows)

    def _write_metrics(self, channel: int, metrics: Sequence[MetricEntry]) -> None:
        rows = [
            (row_id(channel, m.seq), self._name_id(m.name), m.value, m.global_step, m.time_ns)
            for m in metrics
        ]
        self._totals.metrics += self._insert("metrics", 5, rows)

    def _name_id(self, name: str) -> int:
        number = self._names.get(name)
        if number is None:
            self._open.execute("INSERT INTO metric_names(name) VALUES(?)", (name,))
            number = self._names[name] = self._open.last_insert_rowid()
        return number

    def _write_events(self, channel: int, batch: RecordBatch) -> None:
        rows = [(row_id(channel, e.seq), e.event, to_json(e.data), e.time_ns) for e in batch.events]
        self._totals.events += self._insert("events", 4, rows)
        for entry in batch.events:
            if entry.event == "stream" and isinstance(entry.data.get("stream"), int):
                self._describe(batch.channel, entry)

    def _describe(self, channel: str, entry: EventEntry) -> None:
        data = entry.data
        vector = data.get("vector")
        self._open.execute(
            "UPDATE streams SET env_id=?, spec_json=?, observation_space=?, action_space=?,"
            " agents=?, vector=?, render_mode=?, reproducible=?, note=?"
            " WHERE channel=? AND instance=?",
            (
                str(data.get("env_id") or ""),
                _spec_text(data.get("spec")),
                str(data.get("observation_space") or ""),
                str(data.get("action_space") or ""),
                to_json(list(data.get("agents") or [])),
                None if vector is None else to_json(vector),
                str(data.get("render_mode") or ""),
                int(bool(data.get("reproducible", True))),
                str(data.get("note") or ""),
                channel,
                data["stream"],
            ),
        )

    def _write_totals(self) -> None:
        for name in Totals.__dataclass_fields__:
            value = getattr(self._totals, name)
            if value is not None and self._written.get(name) != value:
                self._open.execute("INSERT OR REPLACE INTO totals VALUES(?,?)", (name, value))
                self._written[name] = value

    def _bound_log(self) -> None:
        """Let the write-ahead log begin anew when readers have kept it from doing so."""
        log = self.path.with_name(self.path.name + "-wal")
        if log.exists() and log.stat().st_size > WAL_LIMIT_BYTES:
            self._open.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _step_cells(steps: StepColumns, ids: dict[int, int]) -> Iterator[Any]:
    """Return the cells of all rows in one flat sequence, ``_STEP_WIDTH`` a row."""
    if len(ids) == 1:
        base = next(iter(ids.values())) << INDEX_BITS
        keys = [base | index for index in steps.index]
    else:
        bases = {instance: stream << INDEX_BITS for instance, stream in ids.items()}
        keys = [bases[s] | index for s, index in zip(steps.stream, steps.index, strict=True)]
    agents = [agent or None for agent in steps.agent] if len(steps.agent) else repeat(None)
    proposed = steps.proposed_action if len(steps.proposed_action) else repeat(None)
    rows = zip(
        keys,
        steps.episode,
        steps.step,
        steps.action,
        steps.reward,
        steps.flags,
        steps.time_ns,
        steps.observation,
        agents,
        proposed,
        strict=False,
    )
    return chain.from_iterable(rows)


def _narrow(cell: Any) -> Any:
    """Return an integer beyond SQLite's 64 bits as its JSON text."""
    return str(cell) if isinstance(cell, int) and not -(1 << 63) <= cell < 1 << 63 else cell


def _episode_row(record: EpisodeRecord, ids: dict[int, int]) -> tuple[Any, ...]:
    return (
        ids[record.stream],
        record.episode,
        record.agent,
        record.length,
        record.return_,
        int(record.terminated),
        int(record.truncated),
        record.start_ns,
        record.end_ns,
        record.first_index,
        success_cell(record.success),
    )


def _spec_text(spec: Any) -> str:
    if spec is None:
        return ""
    return spec if isinstance(spec, str) else to_json(spec)
