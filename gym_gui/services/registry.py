"""The registry of runs: one small SQLite file that the daemon, the window and the CLI share.

Every call is one short transaction, and ``update`` merges only the fields it is given, so that
writers in several threads and processes do not undo each other.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import apsw

from gym_gui.core.clock import Clock
from gym_gui.core.errors import RunNotFoundError, StoreVersionError, UsageError
from gym_gui.core.paths import DataDir, private_dir
from gym_gui.core.records import RunRecord, RunSpec, RunState
from gym_gui.telemetry.connection import BUSY_TIMEOUT_MS, make_private, storage_errors
from gym_gui.telemetry.reader import size_on_disk

_VERSION = 1
_COLUMNS = tuple(field.name for field in fields(RunRecord) if field.name != "trouble")
_TYPES = {"run_id": "TEXT PRIMARY KEY", "spec": "TEXT NOT NULL", "deleted_ns": "INTEGER"}
_TABLE = "CREATE TABLE IF NOT EXISTS runs({}) WITHOUT ROWID".format(
    ",".join(f"{name} {_TYPES.get(name, '')}" for name in (*_COLUMNS, "deleted_ns"))
)
_NAMED = ",".join(_COLUMNS)


class RunRegistry:
    """All runs of a data folder. Safe for several threads and processes; ``close`` twice is safe.

    A deleted run stays in the trash, its files kept, until ``empty_trash``.
    """

    def __init__(self, data_dir: DataDir, *, clock: Clock | None = None) -> None:
        self.data_dir = data_dir
        self._clock = clock or Clock()
        self._lock = threading.RLock()
        private_dir(data_dir.root)
        path = data_dir.registry
        make_private(path)
        with storage_errors(path):
            connection = apsw.Connection(str(path))
            self._connection: apsw.Connection | None = connection
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            try:
                self._prepare(connection)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> RunRegistry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def add(self, spec: RunSpec, **values: Any) -> RunRecord:
        """Register a run and return its record. Raises UsageError when the id is taken."""
        created = spec.created_ns or self._clock.wall_ns()
        record = RunRecord(spec.run_id, spec, created_ns=created)
        for name, value in values.items():
            setattr(record, name, value)
        self.data_dir.run(spec.run_id)  # refuses an id that could leave the data folder
        cells = [_cell(getattr(record, name)) for name in _COLUMNS]
        with self._transaction() as connection:
            if list(connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (spec.run_id,))):
                raise UsageError(f"A run {spec.run_id} exists.", next_step="Choose another id.")
            marks = ",".join("?" * len(cells))
            connection.execute(f"INSERT INTO runs({_NAMED}) VALUES({marks})", cells)
        return record

    def update(self, run_id: str, **values: Any) -> RunRecord:
        """Set the given fields of a run, no others, and return its record."""
        unknown = values.keys() - set(_COLUMNS) | (values.keys() & {"run_id"})
        if unknown:
            raise TypeError(f"a run has no changeable field {', '.join(sorted(unknown))}")
        with self._transaction() as connection:
            if values:
                names = ",".join(f"{name} = ?" for name in values)
                cells = [_cell(value) for value in values.values()]
                connection.execute(f"UPDATE runs SET {names} WHERE run_id = ?", (*cells, run_id))
            return self._get(connection, run_id)

    def name_environment(self, run_id: str, env_id: str) -> RunRecord:
        """Set the environment of a run whose settings did not tell it; the rest stays."""
        with self._transaction():
            spec = self.get(run_id).spec
            spec.env_id = spec.env_id or env_id
            return self.update(run_id, spec=spec)

    def get(self, run_id: str) -> RunRecord:
        """Return a run's record. Raises RunNotFoundError."""
        with self._transaction(writing=False) as connection:
            return self._get(connection, run_id)

    def list(self, *, deleted: bool = False) -> list[RunRecord]:
        """Return all runs, newest first; with ``deleted`` those in the trash instead."""
        mark = "NOT NULL" if deleted else "NULL"
        with self._transaction(writing=False) as connection:
            found = connection.execute(
                f"SELECT {_NAMED} FROM runs WHERE deleted_ns IS {mark}"
                " ORDER BY created_ns DESC, run_id DESC"
            ).fetchall()
        return [_record(row) for row in found]

    def resolve(self, prefix: str) -> RunRecord:
        """Return the run whose id is, or alone begins with, ``prefix``."""
        found = [run for run in self.list() if run.run_id.startswith(prefix)]
        exact = [run for run in found if run.run_id == prefix]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if found:
            names = ", ".join(run.run_id for run in found[:5])
            raise RunNotFoundError(
                f"{prefix!r} could be any of {names}.", next_step="Write more of the id."
            )
        raise RunNotFoundError(
            f"No run {prefix!r} is recorded in {self.data_dir.root}.",
            next_step="Run `gym-gui runs` to see the ids of all runs.",
        )

    def size_bytes(self, run_id: str) -> int:
        """Return the disk space that a run takes now."""
        return size_on_disk(self.data_dir.run(run_id).root.rglob("*"))

    def trash(self, run_ids: Iterable[str]) -> list[str]:
        """Put finished runs where ``restore`` gets them back; return the ids that were put.

        Raises UsageError naming a run that is still going on; then none is put.
        """
        names = list(run_ids)
        with self._transaction() as connection:
            for name in names:
                _refuse_live(self._get(connection, name))
            now = self._clock.wall_ns()
            connection.executemany(
                "UPDATE runs SET deleted_ns = ? WHERE run_id = ?", [(now, name) for name in names]
            )
        return names

    def restore(self, run_ids: Iterable[str]) -> None:
        """Take runs out of the trash."""
        with self._transaction() as connection:
            for name in run_ids:
                self._get(connection, name)
                connection.execute("UPDATE runs SET deleted_ns = NULL WHERE run_id = ?", (name,))

    def empty_trash(self, *, older_than_s: float = 0.0) -> int:
        """Delete for good what lies in the trash that long; return the bytes given back."""
        before = self._clock.wall_ns() - int(older_than_s * 1e9)
        with self._transaction(writing=False) as connection:
            found = connection.execute(
                "SELECT run_id FROM runs WHERE deleted_ns <= ?", (before,)
            ).fetchall()
        return sum(self.delete(str(name)) for (name,) in found)

    def delete(self, run_id: str) -> int:
        """Delete a run with its files for good; return the bytes given back."""
        record = self.get(run_id)
        _refuse_live(record)
        folder = self.data_dir.run(run_id).root
        size = self.size_bytes(run_id)
        if folder.is_dir():
            # Renamed first: a deletion that is broken off never leaves half a run in the list.
            doomed = folder.with_name(f".deleted-{run_id}")
            folder.replace(doomed)
        with self._transaction() as connection:
            connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        self.sweep()
        return size

    def sweep(self) -> None:
        """Remove what broken-off deletions have left."""
        if self.data_dir.runs.is_dir():
            for left in self.data_dir.runs.glob(".deleted-*"):
                shutil.rmtree(left, ignore_errors=True)

    def adopt(self) -> list[RunRecord]:
        """Register run folders that the registry does not know (copied here, or it was lost)."""
        with self._transaction(writing=False) as connection:
            known = {name for (name,) in connection.execute("SELECT run_id FROM runs")}
        found = sorted(self.data_dir.runs.glob("*/run.json")) if self.data_dir.runs.is_dir() else []
        return [self._adopt(path) for path in found if path.parent.name not in known]

    def _adopt(self, path: Any) -> RunRecord:
        spec = RunSpec.from_dict(json.loads(path.read_text(encoding="utf-8")))
        spec.run_id = path.parent.name
        cause = "" if path.with_name("telemetry.sqlite").exists() else "Nothing was recorded."
        return self.add(spec, state=RunState.FINISHED, cause=cause)

    @contextmanager
    def _transaction(self, *, writing: bool = True) -> Iterator[apsw.Connection]:
        with self._lock, storage_errors(self.data_dir.registry):
            if self._connection is None:
                raise RuntimeError("the registry is closed")
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _get(self, connection: apsw.Connection, run_id: str) -> RunRecord:
        row = connection.execute(
            f"SELECT {_NAMED} FROM runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        if row is None:
            raise RunNotFoundError(
                f"No run {run_id!r} is recorded in {self.data_dir.root}.",
                next_step="Run `gym-gui runs` to see the ids of all runs.",
            )
        return _record(row)

    def _prepare(self, connection: apsw.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]  # type: ignore[index]
        if version > _VERSION:
            raise StoreVersionError(
                f"{self.data_dir.registry} was written by a newer gym-gui.",
                next_step="Update gym-gui to open it; the file was left as it is.",
            )
        if version == _VERSION:
            connection.execute("PRAGMA synchronous = FULL")
            return
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            connection.execute(_TABLE)
            connection.execute("CREATE INDEX IF NOT EXISTS runs_by_age ON runs(created_ns)")
            connection.execute(f"PRAGMA user_version = {_VERSION}")


def _refuse_live(record: RunRecord) -> None:
    if not record.state.is_final:
        raise UsageError(
            f"{record.run_id} is still {record.state.value}.",
            next_step="Stop it, or wait for its end.",
        )


def _cell(value: Any) -> Any:
    if isinstance(value, RunSpec):
        return json.dumps(value.to_dict(), separators=(",", ":"))
    return value.value if isinstance(value, RunState) else value


def _record(row: Any) -> RunRecord:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["spec"] = RunSpec.from_dict(json.loads(values["spec"]))
    values["state"] = RunState(values["state"])
    return RunRecord(**values)
