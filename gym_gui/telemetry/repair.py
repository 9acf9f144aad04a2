"""Checking a run's file, and saving what can be saved of a damaged one.

Repair never alters the damaged file: it reads it, fills a new one, adds what the spool segments
that are still there hold, names what is missing, and puts the new file in the old one's place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from gym_gui.core.errors import StorageError, StoreCorruptError
from gym_gui.core.paths import RunDir
from gym_gui.telemetry.connection import content_errors, read_only, storage_errors
from gym_gui.telemetry.rows import INDEX_BITS, INDEX_MASK, to_json
from gym_gui.telemetry.salvage import salvage_pages, salvage_table
from gym_gui.telemetry.spool_decoder import SpoolDecoder
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore
from gym_gui.telemetry.storage import StopAskedError, Totals

CHUNK_BYTES = 1 << 20
_STOP_LOOK = 100_000  # of SQLite's instructions
_COUNTED = ("steps", "episodes", "resets", "metrics", "logs", "frames", "events", "autoresets")
_SALVAGED = ("runs", "channels", "streams", "metric_names", "episodes")  # these tell of the rest
_SALVAGED += tuple(table for table in _COUNTED if table != "episodes")
Progress = Callable[[str], None]


@dataclass(slots=True)
class Gap:
    """Steps ``first`` to ``last`` of a stream that are not in the file."""

    stream: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"steps {self.first:,} to {self.last:,} of stream {self.stream}"


@dataclass(slots=True)
class CheckReport:
    """What a check found. No problems: the file is whole. Gaps are none of the file's fault."""

    problems: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    steps: int = 0

    @property
    def is_sound(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class RepairReport:
    """What a repair did. ``damaged`` is where the old file lies now, None when it was whole."""

    check: CheckReport
    damaged: Path | None = None
    salvaged: dict[str, int] = field(default_factory=dict)
    imported: int = 0
    gaps: list[Gap] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def check(path: Path, *, stop: Callable[[], bool] = lambda: False) -> CheckReport:
    """Read a run's whole file: its structure, its totals, and whether steps are missing.

    stop: asked now and then; when it says True, StopAskedError is raised.
    Raises StorageError when there is none, StoreVersionError for a newer one.
    """
    report = CheckReport()
    try:
        connection = read_only(path)
    except StoreCorruptError as error:
        report.problems.append(error.message)
        return report
    connection.set_progress_handler(stop, _STOP_LOOK)
    try:
        with content_errors(path):
            found = connection.execute("PRAGMA integrity_check(20)").fetchall()
            report.problems = [str(text) for (text,) in found if text != "ok"]
            if not report.problems:
                report.steps, wrong = _compare_totals(connection)
                report.problems += wrong
                report.gaps = list(find_gaps(connection))
    except apsw.InterruptError as error:
        raise StopAskedError from error
    except StoreCorruptError as error:
        report.problems.append(error.message)
    finally:
        connection.close()
    return report


def repair(run_dir: RunDir, *, progress: Progress = lambda _: None) -> RepairReport:
    """Check a run's file and, if it is damaged or missing, make a new one of what there is.

    The run must not be written meanwhile. Raises StorageError when there is nothing at all, or no
    room for the new file; the old file is then where it was.
    """
    path = run_dir.store
    progress("checking")
    present = path.exists() and path.stat().st_size > 0
    result = check(path) if present else CheckReport(["The file is missing."])
    report = RepairReport(result)
    if result.is_sound:
        report.gaps = result.gaps
        return report
    if not present and not any(_segments(run_dir)):
        raise StorageError(
            f"{run_dir.root} holds neither a file nor segments.",
            next_step="Nothing of this run can be saved.",
        )
    fresh = path.with_name(path.name + ".new")
    _remove(fresh)
    try:
        _fill(fresh, run_dir, report, progress if present else lambda _: None, present=present)
    except BaseException:
        _remove(fresh)
        raise
    if present:
        report.damaged = _set_aside(path)
    fresh.replace(path)
    return report


def import_segments(store: TelemetrySQLiteStore, run_dir: RunDir) -> int:
    """Write what the run's spool segments hold; return the number of steps that were new."""
    before = store.totals().steps
    for channel in sorted({segment.parent for segment in _segments(run_dir)}):
        decoder = SpoolDecoder(channel.name, run_id=run_dir.run_id, frames_dir=channel)
        for segment in sorted(channel.glob("*.jsonl")):
            for chunk in whole_lines(segment):
                batch = decoder.decode(chunk).batch
                if batch is not None:
                    with store.atomic():
                        store.write(batch)
    return store.totals().steps - before


def whole_lines(path: Path, *, chunk_bytes: int = CHUNK_BYTES) -> Iterable[bytes]:
    """Yield a file in chunks that end with a line; a last line without its end is left out."""
    with path.open("rb") as file:
        rest = b""
        while data := file.read(chunk_bytes):
            data = rest + data
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if end:
                yield data[:end]


def find_gaps(connection: apsw.Connection) -> Iterable[Gap]:
    """Yield each range of steps missing before a stream's last known step."""
    last_known = dict(
        connection.execute("SELECT stream, max(first_index + length) FROM episodes GROUP BY stream")
    )
    streams = connection.execute("SELECT stream FROM streams ORDER BY stream").fetchall()
    for stream in (int(stream) for (stream,) in streams):  # type: ignore[arg-type]
        next_index = 0
        base = stream << INDEX_BITS
        for after, before in connection.execute(_HOLES, (base, base | INDEX_MASK, base - 1)):
            yield Gap(stream, after & INDEX_MASK, before & INDEX_MASK)
        found = connection.execute(
            "SELECT max(id) FROM steps WHERE id BETWEEN ? AND ?", (base, base | INDEX_MASK)
        ).fetchone()
        if found and found[0] is not None:
            next_index = (found[0] & INDEX_MASK) + 1
        if next_index < last_known.get(stream, 0):
            yield Gap(stream, next_index, last_known[stream] - 1)


_HOLES = (
    "SELECT before + 1, id - 1 FROM"
    " (SELECT id, lag(id, 1, ?3) OVER (ORDER BY id) AS before FROM steps"
    "  WHERE id BETWEEN ?1 AND ?2) WHERE id - before > 1"
)


def _compare_totals(connection: apsw.Connection) -> tuple[int, list[str]]:
    kept = dict(connection.execute("SELECT name, value FROM totals"))
    wrong, steps = [], 0
    there = _tables(connection)
    for table in _COUNTED:
        if table not in there:
            continue  # a file of an older version
        count = (connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,))[0]
        steps = count if table == "steps" else steps
        if count != (kept.get(table) or 0):
            wrong.append(f"{table}: {count} rows, but the total says {kept.get(table) or 0}")
    return steps, wrong


def _tables(connection: apsw.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


def _fill(
    fresh: Path, run_dir: RunDir, report: RepairReport, progress: Progress, *, present: bool
) -> None:
    with TelemetrySQLiteStore(fresh):
        pass
    if present:
        _salvage(run_dir.store, fresh, report, progress)
    progress("segments")
    with TelemetrySQLiteStore(fresh) as store:
        report.imported = import_segments(store, run_dir)
    connection = apsw.Connection(str(fresh), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with storage_errors(fresh):
            report.gaps = list(find_gaps(connection))
            _name_gaps(connection, report.gaps)
            _recount(connection)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def _salvage(old: Path, fresh: Path, report: RepairReport, progress: Progress) -> None:
    """Copy every row that can still be read."""
    target = apsw.Connection(str(fresh), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        target.execute("PRAGMA synchronous = OFF")  # nothing but this copy is lost with it
        _salvage_tables(old, target, report, progress)
        if report.unreadable:
            progress("pages")
            with target:
                for table, count in salvage_pages(old, target).items():
                    report.salvaged[table] = report.salvaged.get(table, 0) + count
        with target:
            _declare_missing(target)
    finally:
        target.close()


def _salvage_tables(
    old: Path, target: apsw.Connection, report: RepairReport, progress: Progress
) -> None:
    try:
        source = read_only(old, check=False)
    except StoreCorruptError as error:
        report.unreadable.append(error.message)
        return
    try:
        for table in _SALVAGED:
            if table == "autoresets" and _is_of_version(source, 1):
                continue
            progress(table)
            with target:
                count, lost = salvage_table(source, target, table)
            report.salvaged[table] = count
            report.unreadable += lost
    finally:
        source.close()


def _is_of_version(connection: apsw.Connection, version: int) -> bool:
    try:
        return connection.execute("PRAGMA user_version").fetchone() == (version,)
    except apsw.Error:
        return False


def _declare_missing(connection: apsw.Connection) -> None:
    """Give each stream that has steps a row, where its own was lost."""
    connection.execute(
        "INSERT OR IGNORE INTO streams(stream, channel, instance, note)"
        f" SELECT DISTINCT id >> {INDEX_BITS}, 'lost-' || (id >> {INDEX_BITS}), 0, 'salvaged'"
        " FROM steps"
    )


def _name_gaps(connection: apsw.Connection, gaps: Iterable[Gap]) -> None:
    with connection:
        connection.execute("DELETE FROM events WHERE event = 'gap'")
        for number, gap in enumerate(gaps):
            data = to_json({"stream": gap.stream, "first": gap.first, "last": gap.last})
            connection.execute("INSERT INTO events VALUES(?, 'gap', ?, 0)", (number, data))


def _recount(connection: apsw.Connection) -> None:
    with connection:
        connection.execute("DELETE FROM totals")
        for table in _COUNTED:
            connection.execute(
                f"INSERT INTO totals SELECT '{table}', count(*) FROM {table} HAVING count(*) > 0"
            )
        connection.execute(
            "INSERT INTO totals SELECT 'best_return', max(return) FROM episodes"
            " HAVING max(return) IS NOT NULL"
        )
        connection.execute(
            "INSERT INTO totals SELECT 'last_return', return FROM episodes"
            " WHERE return IS NOT NULL ORDER BY end_ns DESC LIMIT 1"
        )
    assert set(_COUNTED) <= set(Totals.__dataclass_fields__)


def _segments(run_dir: RunDir) -> Iterable[Path]:
    return run_dir.spool.glob("*/*.jsonl") if run_dir.spool.is_dir() else ()


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    path.replace(aside)
    for part in ("-wal", "-shm"):
        beside = path.with_name(path.name + part)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + part))
    return aside


def _remove(path: Path) -> None:
    for part in ("", "-wal", "-shm"):
        path.with_name(path.name + part).unlink(missing_ok=True)
