"""What the store alone does: rows and frames written per second, and how quickly it is read.

Everything goes the way it goes in the daemon: bus, sink, one transaction for what is queued.
Beside it stands plain ``sqlite3`` with one ``executemany`` into the same table.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from gym_gui.core.records import EpisodeRecord
from gym_gui.telemetry.batch import FrameEntry, RecordBatch, StepColumns
from gym_gui.telemetry.db_sink import TelemetryDBSink
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.run_bus import RunBus
from gym_gui.telemetry.spool_decoder import FRAME_LEVEL
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

BATCH = 1024
EPISODE = 200
WRITTEN_PER_S = 100_000.0
SIZES = {"84x84x3": (84, 84), "210x160x3": (210, 160)}


def measure(*, quick: bool) -> dict[str, Any]:
    """Measure all; ``quick``: 1 million rows and 500 frames instead of 10 million and 5,000."""
    rows, frames = (1_000_000, 500) if quick else (10_000_000, 5_000)
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as name:
        folder = Path(name)
        writing = _rows(folder / "rows.sqlite", rows)
        return {
            "writing": writing,
            "reading": reading(folder / "rows.sqlite", rows),
            "reading_while_written": reading_while_written(folder / "rows.sqlite", rows),
            "frames": {
                size: frames_per_s(folder / f"{size}.sqlite", frames, *shape)
                for size, shape in SIZES.items()
            },
        }


def _rows(path: Path, rows: int) -> dict[str, Any]:
    began = time.perf_counter()
    bus = RunBus()
    with TelemetryDBSink(bus, TelemetrySQLiteStore(path)) as sink:
        for batch in step_batches(rows):
            bus.publish(batch, timeout_s=None)
        sink.flush(timeout_s=600)
        spent_s = time.perf_counter() - began
        stats = sink.statistics()
    return {
        "rows": stats.steps,
        "rows_per_s": round(stats.steps / spent_s),
        "commits": stats.commits,
        "bytes_per_row": round(path.stat().st_size / rows, 1),
        "baseline_sqlite3_rows_per_s": _baseline(
            path.with_name("plain.sqlite"), min(rows, 500_000)
        ),
    }


def step_batches(rows: int) -> Iterator[RecordBatch]:
    """Yield batches of steps with an 8-float observation, and their episodes."""
    draw = np.random.default_rng(0)
    texts = [str([round(float(v), 8) for v in draw.normal(size=8)]) for _ in range(BATCH)]
    for first in range(0, rows, BATCH):
        indices = range(first, min(rows, first + BATCH))
        count = len(indices)
        batch = RecordBatch("bench", first + 1, first + count, run_id="bench")
        batch.steps = StepColumns(
            stream=[0] * count,
            index=list(indices),
            episode=[i // EPISODE for i in indices],
            step=[i % EPISODE for i in indices],
            action=[i & 1 for i in indices],
            reward=[1.0] * count,
            flags=[0] * count,
            time_ns=[10**18 + i for i in indices],
            observation=texts[:count],
        )
        batch.episodes = [_episode(i) for i in indices if i % EPISODE == EPISODE - 1]
        yield batch


def _episode(last: int) -> EpisodeRecord:
    first = last - EPISODE + 1
    begin, end = 10**18 + first, 10**18 + last
    return EpisodeRecord(
        0, last // EPISODE, EPISODE, float(EPISODE), False, True, begin, end, first_index=first
    )


def _baseline(path: Path, rows: int) -> int:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE steps(id INTEGER PRIMARY KEY, episode, step, action, reward, flags, time_ns,"
        " observation, agent, proposed_action)"
    )
    began = time.perf_counter()
    for batch in step_batches(rows):
        s = batch.steps
        with connection:
            connection.executemany(
                "INSERT OR IGNORE INTO steps VALUES(?,?,?,?,?,?,?,?,NULL,NULL)",
                zip(
                    s.index,
                    s.episode,
                    s.step,
                    s.action,
                    s.reward,
                    s.flags,
                    s.time_ns,
                    s.observation,
                    strict=True,
                ),
            )
    spent_s = time.perf_counter() - began
    connection.close()
    return round(rows / spent_s)


def reading(path: Path, rows: int, *, repeats: int = 1000) -> dict[str, Any]:
    """Time a reader: 100 steps from anywhere, all returns, the first curve of a run."""
    places = np.random.default_rng(1).integers(0, rows - 100, repeats)
    with RunReader(path) as reader:
        steps = [_ms(lambda at=int(at): reader.steps(0, at, 100)) for at in places]
        returns_ms = _ms(reader.returns)
        episodes = reader.totals()["episodes"]

    def first_curve() -> None:
        with RunReader(path) as fresh:
            fresh.returns_curve()

    return {
        "steps_100_median_ms": round(float(np.median(steps)), 3),
        "steps_100_p99_ms": round(float(np.percentile(steps, 99)), 3),
        "episodes": episodes,
        "returns_ms": round(returns_ms, 1),
        "opening_to_curve_ms": round(_ms(first_curve), 1),
    }


def reading_while_written(path: Path, rows: int) -> dict[str, Any]:
    """The same beside a process that writes ``WRITTEN_PER_S`` rows a second into the file."""
    words = ["-m", "gym_gui.bench.store_writer", str(path), str(rows), str(WRITTEN_PER_S)]
    with subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()  # it has begun
        began = time.perf_counter()
        found = reading(path, rows, repeats=1000)
        took_s = time.perf_counter() - began
        log = path.with_name(path.name + "-wal").stat().st_size
        writer.stdin.close()
        lines = writer.stdout.read().splitlines()
    return {
        **found,
        "written_per_s_meanwhile": round(int(lines[-1]) / took_s) if lines else 0,
        "wal_mb": round(log / 1e6, 1),
    }


def _ms(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return (time.perf_counter() - began) * 1e3


def atari_frames(count: int, height: int, width: int) -> np.ndarray:
    """Return pictures of a real game, (count, height, width, 3) uint8, resized where asked for.

    Raises ModuleNotFoundError where ``ale-py`` is not installed (``gym-gui[envs]``).
    """
    import ale_py
    import gymnasium

    gymnasium.register_envs(ale_py)
    env = gymnasium.make("ALE/Breakout-v5")
    env.action_space.seed(0)
    picture, _ = env.reset(seed=0)
    frames = np.empty((count, height, width, 3), dtype=np.uint8)
    for number in range(count):
        frames[number] = _resized(picture, height, width)
        picture, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            picture, _ = env.reset()
    env.close()
    return frames


def _resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    if picture.shape[:2] == (height, width):
        return picture
    from PIL import Image

    area = Image.Resampling.BOX  # as gymnasium's own Atari preprocessing does
    return np.asarray(Image.fromarray(picture).resize((width, height), area))


def frames_per_s(path: Path, count: int, height: int, width: int) -> dict[str, Any]:
    """Compress and commit real pictures, read one back; ``count`` a second and their share."""
    pictures = atari_frames(count, height, width)
    pack = zstandard.ZstdCompressor(level=FRAME_LEVEL)
    bus = RunBus()
    began = time.perf_counter()
    packed = 0
    with TelemetryDBSink(bus, TelemetrySQLiteStore(path)) as sink:
        for first in range(0, count, 64):
            frames = [
                FrameEntry(i + 1, 0, i, 0, i, height, width, 3, "RGB", pack.compress(pictures[i]))
                for i in range(first, min(count, first + 64))
            ]
            packed += sum(len(frame.pixels) for frame in frames)
            last_seq = frames[-1].seq
            bus.publish(RecordBatch("bench", first + 1, last_seq, frames=frames), timeout_s=None)
        sink.flush(timeout_s=600)
        spent_s = time.perf_counter() - began
    with RunReader(path) as reader:
        back = [reader.frame(0, i) for i in (0, count - 1)]
        lossless = np.array_equal(np.array(back), pictures[[0, count - 1]])
    return {
        "frames_per_s": round(count / spent_s),
        "share_of_raw_percent": round(100 * packed / pictures.nbytes, 2),
        "lossless": lossless,
    }
