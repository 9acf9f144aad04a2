"""Opening a run's file: private, checked before anything is altered, errors in our words."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import apsw

from gym_gui.core.errors import (
    ProtocolError,
    StorageError,
    StoreBusyError,
    StoreCorruptError,
    StoreMissingError,
    StoreSpaceError,
    StoreVersionError,
)
from gym_gui.telemetry.migrations import APPLICATION_ID, VERSION, migrate

BUSY_TIMEOUT_MS = 5000
WAL_PAGES = 4000  # checkpoint every 4,000 pages: 16 MB
CACHE_KIB = 8192
JOURNAL_LIMIT_BYTES = 64 << 20

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_TABLES = {"runs", "channels", "streams", "steps", "episodes", "resets", "metric_names"}
_TABLES |= {"metrics", "logs", "events", "frames", "totals", "autoresets"}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, naming the file and what to do."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreBusyError(
            f"{path} is locked by another process.",
            next_step="Close the program that holds it; until then it is tried again.",
        ) from error
    except (apsw.FullError, apsw.IOError) as error:
        raise StoreSpaceError(
            f"{path} cannot be written: {error}.",
            next_step="Free some room on its disk; until then it is tried again.",
        ) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise _corrupt(path, str(error)) from error
    except (apsw.MismatchError, apsw.ConstraintError, apsw.TooBigError) as error:
        raise ProtocolError(f"A record does not fit {path}: {error}.") from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise StorageError(
            f"{path} cannot be opened: {error}.", next_step="Check the file and its folder."
        ) from error
    except (apsw.SQLError, apsw.FormatError, apsw.SchemaChangeError) as error:
        raise _corrupt(path, str(error)) from error


@contextmanager
def content_errors(path: Path) -> Iterator[None]:
    """As ``storage_errors``, for reading: a value that cannot be in its place is damage too."""
    try:
        with storage_errors(path):
            yield
    except (ValueError, TypeError, OverflowError, LookupError, AttributeError) as error:
        raise _corrupt(path, f"a value is out of place: {error}") from error


def _corrupt(path: Path, cause: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"{path} is damaged or not a run's file ({cause}).",
        next_step="`gym-gui repair` salvages what can be read into a new file.",
    )


def open_for_writing(path: Path) -> apsw.Connection:
    """Return a connection to the run's file, made (mode 0600) or migrated as needed.

    Raises StoreVersionError or StoreCorruptError, and then has altered nothing.
    """
    make_private(path)
    with storage_errors(path):
        if path.stat().st_size or _wal_size(path):
            _check_before_writing(path)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            _configure_writer(connection)
            if migrate(connection) < VERSION:
                # The version must stand in the file itself, where a raw look finds it.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except BaseException:
            connection.close()
            raise
    return connection


def read_only(path: Path, *, check: bool = True) -> apsw.Connection:
    """Return a read-only connection. Works beside a writer; alters nothing.

    Raises StoreMissingError when there is no file, StoreVersionError or StoreCorruptError as above;
    without ``check`` it opens whatever SQLite can open.
    """
    _need_file(path)
    if check:
        _check_raw_header(path)
    with storage_errors(path):
        connection = apsw.Connection(_read_uri(path), flags=_READ_FLAGS)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            connection.execute("PRAGMA query_only = 1").fetchall()
            if check:
                _check_contents(path, connection)
            else:
                # With it SQLite reads a file that is shorter than its head says.
                connection.execute("PRAGMA writable_schema = 1").fetchall()
        except BaseException:
            connection.close()
            raise
    return connection


def _need_file(path: Path) -> None:
    try:
        present = path.is_file()
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.",
            next_step="Check who may read the file and its folder.",
        ) from error
    if not present:
        raise StoreMissingError(
            f"{path} does not exist.",
            next_step="The run has recorded nothing yet, or its file was moved: then put it back.",
        )


_READ_FLAGS = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def _read_uri(path: Path) -> str:
    """Name the file; where its folder is read-only and no log lies beside it, as unchanging."""
    uri = "file:" + quote(str(path.absolute()))
    fixed = not os.access(path.parent, os.W_OK) and not _wal_size(path)
    return uri + ("?immutable=1" if fixed else "")


def make_private(path: Path) -> None:
    """Make the file if it is not there, readable by its owner only. Raises StorageError."""
    try:
        is_new = not path.exists()
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        if is_new or path.stat().st_mode & 0o077:
            path.chmod(0o600)  # the log and index beside it take the same mode
    except OSError as error:
        raise StorageError(
            f"{path} cannot be opened: {error.strerror or error}.",
            next_step="Check the folder and its free space.",
        ) from error


def _wal_size(path: Path) -> int:
    wal = path.with_name(path.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def _check_before_writing(path: Path) -> None:
    _check_raw_header(path)
    probe = apsw.Connection(_read_uri(path), flags=_READ_FLAGS)
    try:
        probe.set_busy_timeout(BUSY_TIMEOUT_MS)
        _check_contents(path, probe, may_be_empty=True)
    finally:
        probe.close()


def _check_raw_header(path: Path) -> None:
    """Look at the first bytes only: SQLite itself may alter what it opens."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.", next_step="Check the file."
        ) from error
    if not head:
        return
    if len(head) < _HEADER_BYTES or not head.startswith(_MAGIC):
        raise _corrupt(path, "no SQLite header")
    version, application = struct.unpack(">I4xI", head[60:72])
    if application not in (0, APPLICATION_ID):
        raise _corrupt(path, "of another program")
    _check_version(path, version)


def _check_version(path: Path, version: int) -> None:
    if version > VERSION:
        raise StoreVersionError(
            f"{path} was written by a newer gym-gui (format {version}, this one reads {VERSION}).",
            next_step="Update gym-gui to open it; the file was left as it is.",
        )


def _check_contents(path: Path, connection: apsw.Connection, *, may_be_empty: bool = False) -> None:
    with content_errors(path):
        _check_schema(path, connection, may_be_empty=may_be_empty)


def _check_schema(path: Path, connection: apsw.Connection, *, may_be_empty: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]  # type: ignore[index]
    application = connection.execute("PRAGMA application_id").fetchone()[0]  # type: ignore[index]
    tables = {
        name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")
    }
    if may_be_empty and not tables and not version:
        return
    if application != APPLICATION_ID:
        raise _corrupt(path, "of another program")
    _check_version(path, version)
    if version == VERSION and not tables >= _TABLES:
        raise _corrupt(path, "tables missing: " + ", ".join(sorted(_TABLES - tables)))


def _configure_writer(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}").fetchall()
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}").fetchall()
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
