"""What measurements of the window share: the application, its event loop's delay, a writer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TICK_MS = 2.0


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
def writer(ring_dir: Path, run_id: str, *numbers: float) -> Iterator[None]:
    """Fill rings from another process; ``numbers``: see ``window_writer``."""
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


def spin(seconds: float, until: Callable[[], bool] = lambda: False) -> list[float]:
    """Run the event loop; return the delays in ms of a timer that wants to fire every 2 ms."""
    from PySide6 import QtCore

    loop, timer = QtCore.QEventLoop(), QtCore.QTimer()
    timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
    delays: list[float] = []
    begun = last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        delays.append(max(0.0, (now - last) * 1000 - TICK_MS))
        last = now
        if now - begun > seconds or until():
            loop.quit()

    timer.timeout.connect(tick)
    timer.start(int(TICK_MS))
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


def waits(delays: list[float]) -> dict[str, float]:
    """Return how long what happens at any moment, such as a key press, waits for the event loop.

    delays: those of ``spin``. A long delay keeps more moments waiting than a short one, so this
    is harder than the delays themselves: a moment within a gap of g ms waits 0 to g ms.
    """
    gaps = sorted(TICK_MS + delay for delay in delays)
    total, kept = sum(gaps), 0.0
    for place in range(len(gaps) - 1, -1, -1):  # P(wait > t) = sum(g - t, of gaps g > t) / total
        kept += gaps[place]
        below = gaps[place - 1] if place else 0.0
        if kept - (len(gaps) - place) * below > 0.01 * total:
            break
    limit = (kept - 0.01 * total) / (len(gaps) - place)
    return {"p99_of_a_wait_ms": limit}
