"""The slow lane from the worker's step to the committed row: real processes, gRPC and files.

``gym-gui bench slowlane``. Rates are steps a second from the first step of a training to the last
row's commit; the baselines are the same training alone, and plain rows written by ``sqlite3``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from gym_gui.bench.store import SIZES, atari_frames
from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import RunRecord, RunSpec
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon, stop_daemon
from gym_gui.services.trainer.files import read_json
from gym_gui.telemetry.reader import RunReader

WORKER = Path(__file__).with_name("slowlane_worker.py")
LATENCY_RATE = 50.0
PROCESSES = {"daemon": "trainer.daemon", "proxy": "trainer_telemetry_proxy"}


def measure(*, quick: bool) -> dict[str, Any]:
    """Return the figures of one machine; ``quick`` takes a tenth of the steps."""
    steps = 500_000 if quick else 5_000_000
    with _data_dir() as data_dir:
        bench = _Bench(data_dir)
        one = bench.sustained(workers=1, steps=steps)
        four = bench.sustained(workers=4, steps=steps // 4)
        unread = bench.sustained(workers=1, steps=steps // 2, beside=_never_reading)
        read = bench.sustained(workers=1, steps=steps // 2, beside=_reading)
        late = bench.catch_up(steps=steps // 2)
        idle = bench.latency(seconds=5.0 if quick else 20.0)
        frames = {size: bench.frames(size, 1000 if quick else 5000) for size in SIZES}
        stop_daemon(data_dir)
    return {
        "committed_steps_per_s": one.pop("committed_steps_per_s"),
        "catch_up_steps_per_s": late.pop("catch_up_steps_per_s"),
        "one_worker": one,
        "four_workers": four,
        "subscriber_never_reads": unread,
        "reader_always_reads": read,
        "catching_up": late,
        "unloaded": idle,
        "frames": frames,
        "worker_side": {kind: _step_cost(kind, quick=quick) for kind in ("float32", "float64")},
        "baseline": {
            "training_alone_steps_per_s": _alone(steps // 5),
            "sqlite3_rows_per_s": _plain_rows(steps // 10),
        },
    }


class _Bench:
    """Runs trainings in one data folder and watches what they cost."""

    def __init__(self, data_dir: DataDir) -> None:
        self.data_dir = data_dir
        self.peak: dict[str, int] = {}
        self.spent_s: dict[tuple[str, int], float] = {}

    def begin(self) -> None:
        """Forget what was seen before, but for the time that the processes had spent."""
        self.peak, self.spent_s = {}, {}
        self._look_at()
        self._before_s = dict(self.spent_s)

    def costs(self, steps: int) -> dict[str, float]:
        """Return peak memory and processor time of daemon and proxies since ``begin``."""
        found = {f"peak_{name}_mb": size / 1e6 for name, size in self.peak.items()}
        for name in PROCESSES:
            spent_s = sum(
                value - self._before_s.get(key, 0.0)
                for key, value in self.spent_s.items()
                if key[0] == name
            )
            found[f"{name}_cpu_us_a_step"] = spent_s / steps * 1e6
        return found

    def sustained(
        self, *, workers: int, steps: int, beside: Callable[[DataDir, str], list[str]] | None = None
    ) -> dict[str, Any]:
        """Train to the end; ``beside`` names another process to run meanwhile."""
        ensure_daemon(self.data_dir)
        self.begin()
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(SyncTrainerClient(ensure_daemon(self.data_dir)))
            runs = [client.submit_run(_spec(steps)).run_id for _ in range(workers)]
            if beside is not None:
                stack.enter_context(_running(beside(self.data_dir, runs[0])))
            ended = [self._wait(client, run_id) for run_id in runs]
        reports = [_report(self.data_dir.run(run_id)) for run_id in runs]
        for run_id in runs:
            _check(self.data_dir.run(run_id), steps)
        began = min(report["began_ns"] for report in reports)
        over = max(record.ended_ns for record in ended)
        last = max(_last_commit_ns(self.data_dir.run(run_id), over) for run_id in runs)
        costs = self.costs(workers * steps)
        worker_us = sum(r["cpu_s"] for r in reports) / (workers * steps) * 1e6
        spent_us = worker_us + sum(costs[f"{name}_cpu_us_a_step"] for name in PROCESSES)
        return {
            "committed_steps_per_s": workers * steps / (last - began) * 1e9,
            "two_idle_cores_carry_steps_per_s": 2e6 / spent_us,
            "steps": workers * steps,
            "worker_us_a_step": max(r["stepping_s"] / r["steps"] for r in reports) * 1e6,
            "worker_cpu_us_a_step": worker_us,
            **costs,
        }

    def catch_up(self, *, steps: int) -> dict[str, Any]:
        """The worker runs to its end while no daemon is there; then one is started."""
        with SyncTrainerClient(ensure_daemon(self.data_dir)) as client:
            run_id = client.submit_run(_spec(steps)).run_id
        run_dir = self.data_dir.run(run_id)
        os.kill(daemon_status(self.data_dir).pid, signal.SIGKILL)
        for process in _proxies(run_dir):
            process.kill()
        _wait_until(lambda: (read_json(run_dir.supervisor) or {}).get("ended_ns"))
        before = _committed(run_dir)
        address = ensure_daemon(self.data_dir)
        began = time.time_ns()
        self.begin()
        with SyncTrainerClient(address) as client:
            self._wait(client, run_id)
        took_s = (_last_commit_ns(run_dir, time.time_ns()) - began) / 1e9
        _check(run_dir, steps)
        return {
            "catch_up_steps_per_s": (steps - before) / took_s,
            "steps": steps - before,
            **self.costs(steps - before),
        }

    def latency(self, *, seconds: float) -> dict[str, Any]:
        """From a step to its acknowledgement in the proxy, of a training at a slow pace."""
        steps = int(LATENCY_RATE * seconds)
        with SyncTrainerClient(ensure_daemon(self.data_dir)) as client:
            run_id = client.submit_run(_spec(steps, "--rate", str(LATENCY_RATE))).run_id
            self._wait(client, run_id)
        report = read_json(self.data_dir.run(run_id).proxy) or {}
        return {"steps_per_s": LATENCY_RATE, **report["latency_ms"]}

    def frames(self, size: str, count: int) -> dict[str, Any]:
        """Real pictures, recorded at every step of a training at full speed."""
        pictures = self.data_dir.root / f"{size}.npy"
        shown = atari_frames(1000, *SIZES[size])
        np.save(pictures, shown)
        spec = _spec(count, "--pictures", str(pictures))
        spec.recording.frames = "every_step"
        with SyncTrainerClient(ensure_daemon(self.data_dir)) as client:
            client.submit_run(spec)
            record = self._wait(client, spec.run_id)
        run_dir = self.data_dir.run(spec.run_id)
        report = _report(run_dir)
        took_s = (_last_commit_ns(run_dir, record.ended_ns) - report["began_ns"]) / 1e9
        with RunReader(run_dir.store) as reader:
            packed = reader.query("SELECT count(*), sum(length(pixels)) FROM frames")[0]
            lossless = all(
                (reader.frame(0, n) == shown[(n + 1) % len(shown)]).all() for n in (0, count - 1)
            )
        if packed[0] != count:
            raise AssertionError(f"{packed[0]} of {count} frames are there")
        share = 100 * packed[1] / (shown[0].nbytes * count)
        return {
            "frames_per_s": count / took_s,
            "share_of_raw_percent": share,
            "lossless": bool(lossless),
        }

    def _wait(self, client: SyncTrainerClient, run_id: str) -> RunRecord:
        while True:
            record = client.get_run(run_id)
            if record.state.is_final:
                return record
            self._look_at()
            time.sleep(0.2)

    def _look_at(self) -> None:
        for log in self.data_dir.runs.glob("*/telemetry.sqlite-wal"):
            with contextlib.suppress(FileNotFoundError):
                self.peak["wal"] = max(self.peak.get("wal", 0), log.stat().st_size)
        for name, words in PROCESSES.items():
            for process in _processes(words, str(self.data_dir.root)):
                try:
                    size = process.memory_info().rss
                    spent = process.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                self.peak[name] = max(self.peak.get(name, 0), size)
                self.spent_s[name, process.pid] = spent.user + spent.system


_NEVER_READS = """
import asyncio, sys
from gym_gui.services.trainer.client import TrainerClient
async def view():
    async with TrainerClient(sys.argv[1]) as client:
        steps = client.stream_steps(sys.argv[2])
        await anext(steps)
        await asyncio.sleep(3600)
asyncio.run(view())
"""
_READS = """
import sys, time
from gym_gui.core.errors import StorageError
from gym_gui.telemetry.reader import RunReader
while True:
    try:
        with RunReader(sys.argv[1]) as reader:
            reader.returns_curve(); reader.steps(0, 0, 100); reader.episodes(limit=50)
    except StorageError:
        pass
    time.sleep(0.05)
"""


def _never_reading(data_dir: DataDir, run_id: str) -> list[str]:
    """A live subscriber that takes one message and no more."""
    return [sys.executable, "-c", _NEVER_READS, str(ensure_daemon(data_dir)), run_id]


def _reading(data_dir: DataDir, run_id: str) -> list[str]:
    """A reader of the run's file that asks twenty times a second."""
    return [sys.executable, "-c", _READS, str(data_dir.run(run_id).store)]


@contextmanager
def _running(words: list[str]) -> Iterator[None]:
    process = subprocess.Popen(words)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _step_cost(kind: str, *, quick: bool) -> dict[str, float]:
    """What one step costs in the worker, everything included."""
    script = WORKER.with_name("slowlane_step.py")
    words = [sys.executable, str(script), "50000" if quick else "200000", kind]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _data_dir() -> Iterator[DataDir]:
    root = Path(tempfile.mkdtemp(prefix="gym-gui-bench-"))
    try:
        yield DataDir(root / "data").create()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _spec(steps: int, *words: str) -> RunSpec:
    command = [sys.executable, str(WORKER), str(steps), *words]
    return RunSpec(new_run_id("bench"), "script", command, str(WORKER.parent))


def _processes(*words: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if all(word in line for word in words):
            yield process


def _proxies(run_dir: RunDir) -> list[psutil.Process]:
    return list(_processes("trainer_telemetry_proxy", str(run_dir.root)))


def _report(run_dir: RunDir) -> dict[str, Any]:
    return json.loads(run_dir.stdout.read_text().splitlines()[-1])


def _committed(run_dir: RunDir) -> int:
    if not run_dir.store.exists():
        return 0
    with RunReader(run_dir.store) as reader:
        return reader.totals()["steps"]


def _check(run_dir: RunDir, steps: int) -> None:
    """A rate of a run that has lost something is worth nothing."""
    found = _committed(run_dir)
    if found != steps:
        raise AssertionError(f"{run_dir.run_id} has {found} of {steps} steps")


def _last_commit_ns(run_dir: RunDir, fallback: int) -> int:
    """When the proxy heard of the last commit."""
    report = read_json(run_dir.proxy) or {}
    return report.get("acknowledged_ns") or fallback


def _wait_until(check: Any, *, timeout_s: float = 600.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark's worker did not end")
        time.sleep(0.05)


def _alone(steps: int) -> float:
    """The same training without anything of ours."""
    done = subprocess.run(
        [sys.executable, str(WORKER), str(steps)], capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout.splitlines()[-1])
    return report["steps"] / report["stepping_s"]


def _plain_rows(rows: int) -> float:
    """Rows of the same width, written by one process that has them at hand."""
    row = (1, 2, 0, 1.0, 0, 1_700_000_000_000_000_000, "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]")
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "rows.sqlite")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE steps(id INTEGER PRIMARY KEY,a,b,c,d,e,f,g)")
        began = time.perf_counter()
        for start in range(0, rows, 10_000):
            batch = ((n, *row) for n in range(start, min(start + 10_000, rows)))
            connection.executemany("INSERT INTO steps VALUES(?,?,?,?,?,?,?,?)", batch)
            connection.commit()
        took_s = time.perf_counter() - began
        connection.close()
    return rows / took_s
