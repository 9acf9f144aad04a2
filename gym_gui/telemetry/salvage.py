"""Reading as many rows as SQLite can still read of a damaged table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw

from gym_gui.telemetry.leafscan import scan
from gym_gui.telemetry.rows import INDEX_BITS, INDEX_MASK

_FINEST = 16  # keys: below it a range that cannot be read is given up
_MOST_FAILURES = 200_000
_ROWS_A_WRITE = 5_000
_BY_ID = {"steps", "resets", "metrics", "logs", "events", "frames", "autoresets"}
_DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.IOError, apsw.TooBigError)
_DAMAGE += (apsw.NoMemError, UnicodeDecodeError)

_STREAM_ENDS = (
    "SELECT stream, coalesce((SELECT max(first_index + length) + 100000 FROM episodes"
    " WHERE episodes.stream = streams.stream), 1 << 24) FROM streams"
)


def salvage_table(
    source: apsw.Connection, target: apsw.Connection, table: str
) -> tuple[int, list[str]]:
    """Copy what can be read of ``table``; return the number of rows, and what could not be."""
    try:
        width = len(source.execute(f"PRAGMA table_info({table})").fetchall())
    except _DAMAGE as error:
        return 0, [f"{table}: {error}"]
    if not width:
        return 0, [f"{table}: it is gone"]
    copier = _Copier(source, target, table)
    copier.copy()
    return copier.count, copier.lost()


def salvage_pages(path: Path, target: apsw.Connection) -> dict[str, int]:
    """Add the rows that only the pages themselves still tell of; return their number a table."""
    found: dict[str, int] = {}
    waiting: dict[str, list[Any]] = {}
    for table, row in scan(path):
        rows = waiting.setdefault(table, [])
        rows.append(row)
        if len(rows) >= _ROWS_A_WRITE:
            found[table] = found.get(table, 0) + _add(target, table, waiting.pop(table))
    for table, rows in waiting.items():
        found[table] = found.get(table, 0) + _add(target, table, rows)
    return found


def _add(target: apsw.Connection, table: str, rows: list[Any]) -> int:
    before = target.total_changes()
    marks = ",".join("?" * len(rows[0]))
    target.executemany(f"INSERT OR IGNORE INTO {table} VALUES({marks})", rows)
    return target.total_changes() - before


class _Copier:
    """One table's copy. Damage in one page costs that page's rows, not those behind it."""

    def __init__(self, source: apsw.Connection, target: apsw.Connection, table: str) -> None:
        self.count = 0
        self._lost: list[tuple[int, int]] = []
        self._partly = False
        self._source = source
        self._target = target
        self._table = table
        self._failures = 0

    def copy(self) -> None:
        if self._table in _BY_ID:
            for low, high in self._ranges():
                self._copy_range(low, high)
        else:
            self._copy_from_both_ends()

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """Return ranges of keys that hold all rows there can be."""
        ends = [self._end("min"), self._end("max")]
        if None not in ends:
            yield int(ends[0]), int(ends[1])  # type: ignore[arg-type]
            return
        if self._is_empty():
            return
        for owner, last in self._owners():
            yield owner << INDEX_BITS, owner << INDEX_BITS | last

    def _end(self, which: str) -> int | None:
        try:
            row = self._source.execute(f"SELECT {which}(id) FROM {self._table}").fetchone()
        except _DAMAGE:
            return None
        return row[0] if row else None

    def _is_empty(self) -> bool:
        try:
            return self._source.execute(f"SELECT 1 FROM {self._table} LIMIT 1").fetchone() is None
        except _DAMAGE:
            return False

    def _owners(self) -> list[tuple[int, int]]:
        """Return what other tables know of streams or channels, and their last numbers."""
        asked = (
            "SELECT id, high_water FROM channels"
            if self._table in ("metrics", "logs", "events")
            else _STREAM_ENDS
        )
        try:
            return [(int(a), min(int(b), INDEX_MASK)) for a, b in self._target.execute(asked)]
        except _DAMAGE:
            return []

    def _copy_range(self, low: int, high: int) -> None:
        waiting = [(low, high)]
        while waiting:
            low, high = waiting.pop()
            reached = self._read(low, high)
            if reached is None:
                continue
            low = reached
            if high - low < _FINEST or self._failures > _MOST_FAILURES:
                self._lose(low, high)
                continue
            middle = (low + high) // 2
            waiting += [(middle + 1, high), (low, middle)]

    def _read(self, low: int, high: int) -> int | None:
        """Copy a range; return None when all of it was read, else the first key that was not."""
        where = "WHERE id BETWEEN ? AND ? ORDER BY id"
        return self._keep(self._rows(where, (low, high)), low)

    def _rows(self, rest: str, values: tuple[int, ...] = ()) -> Iterator[Any]:
        yield from self._source.execute(f"SELECT * FROM {self._table} {rest}", values)

    def _keep(self, rows: Iterable[Any], low: int) -> int | None:
        kept: list[Any] = []
        damaged = False
        try:
            for row in rows:
                kept.append(row)
                low = row[0] + 1 if isinstance(row[0], int) else low
                if len(kept) >= _ROWS_A_WRITE:
                    self._write(kept)
                    kept = []
        except _DAMAGE:
            damaged = True
            self._failures += 1
        self._write(kept)
        return low if damaged else None

    def _write(self, rows: list[Any]) -> None:
        if rows:
            self.count += _add(self._target, self._table, rows)

    def _copy_from_both_ends(self) -> None:
        key = {"episodes": ("stream", "episode", "agent"), "runs": ("run_id",)}.get(self._table)
        key = key or ("stream" if self._table == "streams" else "id",)
        failed = 0
        for direction in ("", " DESC"):
            order = ",".join(name + direction for name in key)
            failed += self._keep(self._rows(f"ORDER BY {order}"), 0) is not None
            if not failed:
                return
        self._partly = True

    def _lose(self, low: int, high: int) -> None:
        if self._lost and self._lost[-1][1] == low - 1:
            low = self._lost.pop()[0]
        self._lost.append((low, high))

    def lost(self) -> list[str]:
        """Return in words what could not be read."""
        if self._partly:
            return [f"{self._table}: part of it cannot be read"]
        return [
            f"{self._table} {low >> INDEX_BITS}: {low & INDEX_MASK} to {high & INDEX_MASK}"
            for low, high in self._lost
        ]
