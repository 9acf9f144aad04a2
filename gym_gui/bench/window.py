"""The window's own costs: picture latency, the grid's load on the GUI thread, memory.

Measured in the software backend without a display, so it needs no GPU. The baseline of the
event-loop delay is the same idle window just before.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gym_gui.bench import window_load
from gym_gui.bench.gui_loop import prepare, quantiles, shared_memory, spin, writer

DISPLAY_MS = 16.7


def measure(*, quick: bool, only: str = "") -> dict[str, Any]:
    """Return the figures; ``quick`` takes seconds for each instead of minutes."""
    prepare()
    seconds = 5.0 if quick else 60.0
    with tempfile.TemporaryDirectory(dir=shared_memory()) as name:
        at = Path(name)
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "latency": lambda: latency(at, seconds),
            "grid": lambda: grid(at, seconds),
            "memory": lambda: memory(at, 2_000 if quick else 20_000),
            "load": lambda: window_load.load(20.0 if quick else 60.0),
            "runs table": lambda: table(5_000),
        }
        return {name: part() for name, part in parts.items() if name.startswith(only)}


def latency(ring_dir: Path, seconds: float) -> dict[str, Any]:
    """Return the time from ``publish`` in another process to ``frame_ready`` in this one."""
    from gym_gui.ui.fastlane_consumer import FastLaneConsumer, ViewConfig

    consumer = FastLaneConsumer()
    delays: list[float] = []

    def arrived(*_: object) -> None:
        assert consumer.frame is not None
        delays.append((time.monotonic_ns() - consumer.frame.monotonic_ns) / 1e6)

    consumer.frame_ready.connect(arrived)
    with writer(ring_dir, "latency", 210, 160, 1, 60):
        consumer.start("latency", ViewConfig(ring_dir))
        spin(30, until=lambda: consumer.frames > 10)
        delays.clear()
        spin(seconds)
        consumer.stop()
    return {
        "frames": len(delays),
        **quantiles(delays, "ms"),
        "one display interval_ms": DISPLAY_MS,
    }


def grid(ring_dir: Path, seconds: float) -> dict[str, Any]:
    """Return how late the event loop is while 64 tiles are shown live, and while nothing is."""
    from gym_gui.ui.widgets.fastlane_grid import FastLaneGrid

    with writer(ring_dir, "grid", 84, 84, 64, 30):
        grid = FastLaneGrid("grid", ring_dir=ring_dir)
        grid.resize(1280, 720)
        idle = spin(2.0)
        grid.show()
        spin(30, until=lambda: len(grid.tiles) == 64)
        before = sum(consumer.frames for consumer in grid.consumers.values())
        busy = spin(seconds)
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
    with writer(ring_dir, "memory", 210, 160, 1, 400):
        tab = FastLaneTab("memory", "agent0", ring_dir=ring_dir)
        tab.resize(640, 480)
        tab.show()
        spin(60, until=lambda: tab.consumer.frames > 300)
        before, count = process.memory_info().rss, tab.consumer.frames
        spin(600, until=lambda: tab.consumer.frames - count >= frames)
        grown = process.memory_info().rss - before
        tab.close()
    return {"frames": frames, "grown_MB": grown / 1e6}


def table(count: int) -> dict[str, Any]:
    """Return how long each key of a search keeps the GUI thread, with the table in view."""
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
