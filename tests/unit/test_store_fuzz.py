"""Whatever bytes lie where a store should be: an error of ours, or a store; never anything else."""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import steps_batch, write

from gym_gui.core.errors import StorageError
from gym_gui.telemetry.leafscan import scan
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.repair import check
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

_QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@functools.cache
def sound() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder) / "telemetry.sqlite", steps_batch(0, 300)).read_bytes()


def open_all(path: Path) -> None:
    """Open, read, scan and check a file as the program would; only StorageError may come out."""
    for use in (_read, check, _write):
        with contextlib.suppress(StorageError):
            use(path)
    assert all(isinstance(row, list) for _, row in scan(path))


def _read(path: Path) -> None:
    with RunReader(path) as reader:
        reader.totals()
        reader.streams()
        reader.steps(0, 0, 50)
        reader.episodes(limit=5)
        reader.returns_curve()


def _write(path: Path) -> None:
    with TelemetrySQLiteStore(path) as store, store.atomic():
        store.write(steps_batch(300, 20))


def put(folder: Path, data: bytes) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "telemetry.sqlite"
    path.write_bytes(data)
    return path


@given(data=st.binary(max_size=5000))
@_QUIET
def test_any_bytes(tmp_path, data):
    open_all(put(tmp_path / "f", data))


@given(changes=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 255)), min_size=1, max_size=8))
@_QUIET
def test_any_change_of_the_head(tmp_path, changes):
    data = bytearray(sound())
    for place, value in changes:
        data[place] = value
    open_all(put(tmp_path / "f", bytes(data)))


@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=40)),
        min_size=1,
        max_size=6,
    ),
    cut=st.floats(0.3, 1.0),
)
@_QUIET
def test_any_change_anywhere_and_any_length(tmp_path, changes, cut):
    data = bytearray(sound())
    for place, value in changes:
        at = int(place * len(data))
        data[at : at + len(value)] = value
    open_all(put(tmp_path / "f", bytes(data[: int(cut * len(data))])))
