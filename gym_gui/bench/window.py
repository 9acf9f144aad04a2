"""The window's own costs: picture latency, the grid's load on the GUI thread, memory.

Measured in the software backend without a display, so it needs no GPU. The baseline of the
event-loop delay is the same idle window just before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DISPLAY_MS = 16.7


def measure(*, quick: bool) -> dict[str, Any]:
    """Return the figures; ``quick`` takes seconds for each instead of minutes."""
    prepare()
    seconds = 5.0 if quick else 60.0
    with tempfile.TemporaryDirectory(dir=shared_memory()) as at:
        return {
            "latency": latency(Path(at), seconds),
            "grid": grid(Path(at), seconds),
            "memory": memory(Path(at), 2_000 if quick else 20_000),
            "runs table": _table(5_000),
        }


def prepare() -> None:
    """Make the application, in the software backend and without a display unless told one."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["QT_QUICK_BACKEND"] = "software"
    from gym_gui.app import make_application

    make_application()


def shared_memory() -> str | None:
    """Return the folder to put rings in, None for the default one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextmanager
def _writer(ring_dir: Path, run_id: str, *numbers: float) -> Iterator[None]:
    words = [str(ring_dir), run_id, *(f"{number:g}" for number in numbers)]
    child = subprocess.Popen(
        [sys.executable, "-m", "gym_gui.bench.window_writer", *words], stdin=subprocess.PIPE
    )
    try:
        yield
    finally:
        assert child.stdin is not None
        child.stdin.close()
        child.wait(timeout=30)


def _spin(seconds: float, until: Callable[[], bool] = lambda: False) -> list[float]:
    """Run the event loop; return the delays in ms of a timer that wants to fire every 2 ms."""
    from PySide6 import QtCore

    loop, timer = QtCore.QEventLoop(), QtCore.QTimer()
    timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
    delays: list[float] = []
    begun = last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        delays.append(max(0.0, (now - last) * 1000 - 2.0))
        last = now
        if now - begun > seconds or until():
            loop.quit()

    timer.timeout.connect(tick)
    timer.start(2)
    loop.exec()
    timer.stop()
    return delays


def quantiles(values: list[float], unit: str) -> dict[str, float]:
    """Return median, 99th percentile and worst, their names ending in ``unit``."""
    ordered = sorted(values)
    if not ordered:
        return {}
    at = {"median": 0.5, "p99": 0.99}
    found = {f"{name}_{unit}": ordered[int(share * len(ordered))] for name, share in at.items()}
    return {**found, f"worst_{unit}": ordered[-1]}


def latency(ring_dir: Path, seconds: float) -> dict[str, Any]:
    """Return the time from ``publish`` in another process to ``frame_ready`` in this one."""
    from gym_gui.ui.fastlane_consumer import FastLaneConsumer, ViewConfig

    consumer = FastLaneConsumer()
    delays: list[float] = []

    def arrived(*_: object) -> None:
        assert consumer.frame is not None
        delays.append((time.monotonic_ns() - consumer.frame.monotonic_ns) / 1e6)

    consumer.frame_ready.connect(arrived)
    with _writer(ring_dir, "latency", 210, 160, 1, 60):
        consumer.start("latency", ViewConfig(ring_dir))
        _spin(30, until=lambda: consumer.frames > 10)
        delays.clear()
        _spin(seconds)
        consumer.stop()
    return {
        "frames": len(delays),
        **quantiles(delays, "ms"),
        "one display interval_ms": DISPLAY_MS,
    }


def grid(ring_dir: Path, seconds: float) -> dict[str, Any]:
    """Return how late the event loop is while 64 tiles are shown live, and while nothing is."""
    from gym_gui.ui.widgets.fastlane_grid import FastLaneGrid

    with _writer(ring_dir, "grid", 84, 84, 64, 30):
        grid = FastLaneGrid("grid", ring_dir=ring_dir)
        grid.resize(1280, 720)
        idle = _spin(2.0)
        grid.show()
        _spin(30, until=lambda: len(grid.tiles) == 64)
        before = sum(consumer.frames for consumer in grid.consumers.values())
        busy = _spin(seconds)
        shown = sum(consumer.frames for consumer in grid.consumers.values()) - before
        grid.close()
    return {
        "tiles": 64,
        "pictures_per_s": shown / seconds,
        "event-loop delay": quantiles(busy, "ms"),
        "event-loop delay, idle": quantiles(idle, "ms"),
    }


def memory(ring_dir: Path, frames: int) -> dict[str, Any]:
    """Return how much this process grows while a tab shows ``frames`` frames."""
    import psutil

    from gym_gui.ui.widgets.fastlane_tab import FastLaneTab

    process = psutil.Process()
    with _writer(ring_dir, "memory", 210, 160, 1, 400):
        tab = FastLaneTab("memory", "agent0", ring_dir=ring_dir)
        tab.resize(640, 480)
        tab.show()
        _spin(60, until=lambda: tab.consumer.frames > 300)
        before, count = process.memory_info().rss, tab.consumer.frames
        _spin(600, until=lambda: tab.consumer.frames - count >= frames)
        grown = process.memory_info().rss - before
        tab.close()
    return {"frames": frames, "grown_MB": grown / 1e6}


def _table(count: int) -> dict[str, Any]:
    from gym_gui.core.records import RunRecord, RunSpec, RunState
    from gym_gui.ui.runs_model import RunsModel

    def run(number: int) -> RunRecord:
        spec = RunSpec(f"run-{number}", "script", [], "/", name=f"experiment {number}")
        return RunRecord(spec.run_id, spec, RunState.FINISHED, created_ns=number)

    model = RunsModel()
    model.update(run(number) for number in range(count))
    times = []
    for text in ("e", "ex", "exp", "experiment 4", "experiment 49", ""):
        begun = time.perf_counter()
        model.set_filter(text)
        times.append((time.perf_counter() - begun) * 1000)
    return {"runs": count, "filter as you type": quantiles(times, "ms")}
