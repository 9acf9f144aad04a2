"""The reader: pages, episodes, curves, pictures, also beside a writer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from store_samples import BEGIN_NS, batches, steps_batch, write
from waiting import wait_until

from gym_gui.core.errors import StorageError, StoreCorruptError, UsageError
from gym_gui.core.records import EpisodeRecord
from gym_gui.telemetry.batch import FrameEntry, LogEntry, MetricEntry, RecordBatch
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.sqlite"


def test_pages_of_steps_lie_where_they_are_asked_for(path):
    write(path, *batches(4, 300))
    with RunReader(path) as reader:
        assert [s.index for s in reader.steps(0, 590, 20)] == list(range(590, 610))
        assert reader.steps(0, 1200, 5) == []
        assert reader.steps(3, 0, 5) == []
        assert reader.step_bounds(0) == (0, 1199)
        assert reader.step_bounds(9) is None


def test_episodes_are_found_by_halving_finished_or_not(path):
    write(path, steps_batch(0, 1234, episode_length=100))
    with RunReader(path) as reader:
        assert reader.episode_bounds(0, 0) == (0, 99)
        assert reader.episode_bounds(0, 7) == (700, 799)
        assert reader.episode_bounds(0, 12) == (1200, 1233)
        assert reader.episode_bounds(0, 13) is None
        assert [s.step for s in reader.episode_steps(0, 7, start=98)] == [98, 99]
        assert [s.step for s in reader.episode_steps(0, 12, start=5, count=2)] == [5, 6]
        assert reader.episode_steps(0, 99) == []
        assert len(reader.reward_curve(0, 3).y) == 100


def test_an_episode_is_found_across_steps_that_were_dropped(path):
    write(path, steps_batch(0, 100), steps_batch(250, 100))
    with RunReader(path) as reader:
        assert reader.episode_bounds(0, 9) == (90, 99)
        assert reader.episode_bounds(0, 15) is None
        assert reader.episode_bounds(0, 25) == (250, 259)


def test_episodes_come_in_the_order_of_their_end_in_pages(path):
    late = steps_batch(0, 30, channel="9-z", instance=0)
    for record in late.episodes:
        record.end_ns += 5
    write(path, steps_batch(0, 30), late)
    with RunReader(path) as reader:
        ends = [e.end_ns for e in reader.episodes()]
        assert ends == sorted(ends)
        newest = reader.episodes(newest_first=True, limit=2)
        assert [e.end_ns for e in newest] == ends[:-3:-1]
        assert [e.end_ns for e in reader.episodes(limit=2, offset=3)] == ends[3:5]
        assert [(e.stream, e.episode) for e in reader.episodes(stream=1)] == [
            (1, 0),
            (1, 1),
            (1, 2),
        ]
        assert reader.episode(1, 2) == reader.episodes(stream=1)[2]
        assert reader.episode(1, 3) is None


def test_the_curve_keeps_every_peak(path):
    count = 20_000
    values = np.sin(np.arange(count) / 50.0)
    values[[777, 12_345]] = [9.0, -9.0]
    episodes = [
        EpisodeRecord(0, i, 3, float(values[i]), True, False, BEGIN_NS, BEGIN_NS + i)
        for i in range(count)
    ]
    write(path, RecordBatch("c", 1, count, episodes=episodes))
    with RunReader(path) as reader:
        curve = reader.returns_curve(max_points=500)
        assert len(curve.y) <= 510
        assert (curve.y.max(), curve.y.min()) == (9.0, -9.0)
        assert curve.x[np.argmax(curve.y)] == 3 * 778
        assert curve.total == count
        assert np.all(np.diff(curve.x) > 0)
        assert reader.returns_curve(by="time").x[-1] == pytest.approx((count - 1) / 1e9)
        with pytest.raises(UsageError):
            reader.returns_curve(by="mood")


def test_metrics_and_logs_come_in_order(path):
    metrics = [MetricEntry(i + 1, "a" if i % 2 else "b", i / 2, i) for i in range(10)]
    logs = [LogEntry(20 + i, "info", f"line {i}", i) for i in range(5)]
    write(path, RecordBatch("c", 1, 30, metrics=metrics, logs=logs))
    with RunReader(path) as reader:
        assert reader.metric_names() == ["b", "a"]
        assert [m.value for m in reader.metrics("a")] == [0.5, 1.5, 2.5, 3.5, 4.5]
        steps, values, _ = reader.metric_columns("b")
        assert list(steps) == [0, 2, 4, 6, 8]
        assert list(values) == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert reader.metrics("none") == []
        assert [r.message for r in reader.logs(newest_first=True, limit=2)] == ["line 4", "line 3"]


def frame(index: int, pixels: np.ndarray, form: str = "RGB") -> FrameEntry:
    height, width, channels = pixels.shape
    packed = zstandard.ZstdCompressor(level=1).compress(pixels.tobytes())
    return FrameEntry(index + 1, 0, index, 0, index, height, width, channels, form, packed)


def test_pictures_come_back_pixel_by_pixel(path):
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    blue_first = np.dstack([pixels[:, :, ::-1], np.zeros((7, 5), dtype=np.uint8)])
    write(path, RecordBatch("c", 1, 9, frames=[frame(3, pixels), frame(5, blue_first, "BGRX")]))
    with RunReader(path) as reader:
        assert np.array_equal(reader.frame(0, 3), pixels)
        assert np.array_equal(reader.frame(0, 5), pixels)
        assert reader.frame(0, 4) is None
        assert reader.frame_indices(0) == [3, 5]
        assert reader.frame_indices(0, episode=1) == []


def test_a_damaged_picture_is_an_error_of_its_own(path):
    good = frame(0, np.zeros((4, 4, 3), dtype=np.uint8))
    broken = frame(1, np.zeros((4, 4, 3), dtype=np.uint8))
    broken.pixels = b"\x28\xb5\x2f\xfd" + b"x" * 20
    small = frame(2, np.zeros((4, 4, 3), dtype=np.uint8))
    small.height = 2
    write(path, RecordBatch("c", 1, 3, frames=[good, broken, small]))
    with RunReader(path) as reader:
        assert reader.frame(0, 0) is not None
        for index in (1, 2):
            with pytest.raises(StoreCorruptError):
                reader.frame(0, index)


def test_without_a_file_the_cause_is_said(path):
    with pytest.raises(StorageError, match="does not exist"):
        RunReader(path)


def test_a_closed_reader_says_so(path):
    write(path, steps_batch(0, 1))
    reader = RunReader(path)
    reader.close()
    reader.close()
    with pytest.raises(RuntimeError, match="closed"):
        reader.totals()


_COUNT = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(connection.execute("SELECT count(*), sum(reward) FROM steps").fetchone())
print(connection.execute('SELECT count(*), max("return") FROM episodes').fetchone())
"""


def test_the_plain_sqlite3_module_reads_it_while_it_is_written(path):
    with TelemetrySQLiteStore(path) as store:
        with store.atomic():
            store.write(steps_batch(0, 100))
        with store.atomic():
            store.write(steps_batch(100, 100))
            done = subprocess.run(
                [sys.executable, "-c", _COUNT, str(path)],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
    assert done.stdout.splitlines() == ["(100, 4950.0)", "(10, 945.0)"]


def test_a_reader_sees_each_commit(path):
    with TelemetrySQLiteStore(path) as store, RunReader(path) as reader:
        version = reader.data_version()
        assert reader.totals()["steps"] == 0
        with store.atomic():
            store.write(steps_batch(0, 10))
        wait_until(lambda: reader.data_version() != version, what="the commit to be seen")
        assert reader.totals()["steps"] == 10
