"""The writer's thread: acknowledges after the commit only, and outlasts a lock and a full disk."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from store_samples import batches, steps_batch
from waiting import wait_until

from gym_gui.core.errors import StoreCorruptError, StoreSpaceError
from gym_gui.telemetry import sqlite_store
from gym_gui.telemetry.db_sink import SinkState, TelemetryDBSink
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.run_bus import RunBus
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.sqlite"


_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    command = [sys.executable, "-c", _LOCKER, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "locked\n"
        yield
        process.stdin.close()


def committed_steps(path: Path) -> int:
    with RunReader(path) as reader:
        return reader.query("SELECT count(*) FROM steps")[0][0]


def test_what_is_acknowledged_is_committed(path):
    bus = RunBus()
    seen: list[tuple[int, int]] = []

    def on_committed(written, totals):
        seen.append((written[-1].last_seq, committed_steps(path)))

    with TelemetryDBSink(bus, TelemetrySQLiteStore(path), on_committed=on_committed) as sink:
        for batch in batches(200, 20):
            assert bus.publish(batch, timeout_s=30)
        assert sink.flush()
        assert sink.statistics().steps == 4000
    assert seen[-1] == (4000, 4000)
    assert all(there >= told for told, there in seen)


def test_closing_writes_what_is_queued_and_reports(path):
    bus = RunBus()
    sink = TelemetryDBSink(bus, TelemetrySQLiteStore(path))
    for batch in batches(30, 10):
        assert bus.publish(batch, timeout_s=30)
    report = sink.close()
    assert (report.written, report.left, report.error) == (30, 0, "")
    assert sink.close() == report
    assert sink.statistics().state is SinkState.CLOSED
    assert committed_steps(path) == 300


def test_a_locked_file_is_waited_for_and_holds_the_publisher_back(path, monkeypatch):
    monkeypatch.setattr("gym_gui.telemetry.connection.BUSY_TIMEOUT_MS", 20)
    bus = RunBus()
    troubles: list[str] = []
    acknowledged: list[int] = []
    sink = TelemetryDBSink(
        bus,
        TelemetrySQLiteStore(path),
        capacity=2,
        on_committed=lambda written, _: acknowledged.append(written[-1].last_seq),
        on_trouble=troubles.append,
    )
    with locked_by_another_process(path):
        waiting = batches(10, 10)
        refused = next(batch for batch in waiting if not bus.publish(batch))
        wait_until(lambda: sink.statistics().retries >= 3, what="three retries")
        assert acknowledged == []
        assert "locked" in troubles[0]
    assert bus.publish(refused, timeout_s=30)
    for batch in waiting:
        assert bus.publish(batch, timeout_s=30)
    assert sink.flush()
    assert sink.close().left == 0
    assert troubles[-1] == ""
    assert acknowledged[-1] == 100
    assert committed_steps(path) == 100


class _FullDisk(TelemetrySQLiteStore):
    """A real store whose disk has no room while ``full`` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.full = threading.Event()

    def write(self, batch):
        super().write(batch)
        if self.full.is_set():
            raise StoreSpaceError("no room", next_step="make some")


def test_a_full_disk_loses_nothing_and_acknowledges_nothing(path):
    bus = RunBus()
    store = _FullDisk(path)
    store.full.set()
    acknowledged: list[int] = []
    sink = TelemetryDBSink(
        bus, store, on_committed=lambda written, _: acknowledged.append(written[-1].last_seq)
    )
    assert bus.publish(steps_batch(0, 10))
    wait_until(lambda: sink.statistics().state is SinkState.RETRYING, what="a retry")
    assert acknowledged == []
    store.full.clear()
    assert sink.flush()
    assert acknowledged == [10]
    sink.close()
    assert committed_steps(path) == 10


def test_stopping_while_the_disk_is_full_reports_what_is_left(path):
    bus = RunBus()
    store = _FullDisk(path)
    store.full.set()
    sink = TelemetryDBSink(bus, store)
    assert bus.publish(steps_batch(0, 10))
    wait_until(lambda: sink.statistics().state is SinkState.RETRYING, what="a retry")
    report = sink.close(timeout_s=0.3)
    assert (report.written, report.left) == (0, 1)
    assert "no room" in report.error


def test_a_batch_that_cannot_be_kept_is_named_and_the_others_are_kept(path):
    bus = RunBus()
    wrong = steps_batch(10, 10)
    wrong.steps.reward = ["much"] * 9 + [object()]  # type: ignore[list-item]
    with TelemetryDBSink(bus, TelemetrySQLiteStore(path)) as sink:
        for batch in (steps_batch(0, 10), wrong, steps_batch(20, 10)):
            assert bus.publish(batch, timeout_s=30)
        assert sink.flush()
        assert sink.statistics().refused == 1
    with RunReader(path) as reader:
        assert reader.totals()["steps"] == 20
        assert reader.channels() == {"7-abc": 30}
        assert "11 to 20" in reader.events("warning")[0].data["message"]


def test_a_damaged_file_stops_the_writer_and_says_so(path):
    class Damaged(TelemetrySQLiteStore):
        def write(self, batch):
            raise StoreCorruptError("damaged", next_step="repair it")

    bus = RunBus()
    troubles: list[str] = []
    sink = TelemetryDBSink(bus, Damaged(path), on_trouble=troubles.append)
    assert bus.publish(steps_batch(0, 10))
    assert not sink.flush(timeout_s=10)
    assert sink.statistics().state is SinkState.FAILED
    assert sink.close().left == 1
    assert "repair" in troubles[0]


def test_the_log_stays_bounded_though_a_reader_holds_it(path, monkeypatch):
    monkeypatch.setattr(sqlite_store, "WAL_LIMIT_BYTES", 200_000)
    log = path.with_name(path.name + "-wal")
    with TelemetrySQLiteStore(path) as store:
        for batch in batches(40, 500):
            with store.atomic():
                store.write(batch)
            assert log.stat().st_size < 600_000
