"""What a proxy has got done, written to ``proxy.json`` once a second for whoever asks."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path

from gym_gui.core.paths import RunDir
from gym_gui.services.trainer.files import start_ticks, write_json

WRITE_S = 1.0
BUSY_EXIT = 75  # of a proxy: another one serves the run
KEPT = 4096  # of the newest latencies


class Progress:
    """Counts acknowledged batches and how long they took, from their oldest step on."""

    def __init__(self, path: Path) -> None:
        self.done = False  # all is committed and the worker has ended
        self._path = path
        self._ticks = start_ticks(os.getpid())
        self._latencies_ms: deque[float] = deque(maxlen=KEPT)
        self._batches = 0
        self._acknowledged_ns = 0
        self._written = 0.0

    def acknowledged(self, oldest_ns: int) -> None:
        """One batch is committed; ``oldest_ns`` is its oldest step's time, 0 for none."""
        self._batches += 1
        self._acknowledged_ns = time.time_ns()
        if oldest_ns:
            self._latencies_ms.append((self._acknowledged_ns - oldest_ns) / 1e6)

    def write_now_and_then(self) -> bool:
        """Write when it is time to; tell whether it was."""
        due = time.monotonic() - self._written >= WRITE_S
        if due:
            self.write()
        return due

    def write(self) -> None:
        """Write the file; a full disk does not matter here."""
        self._written = time.monotonic()
        ordered = sorted(self._latencies_ms)
        marks = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        last = len(ordered) - 1
        latency = {name: ordered[round(share * last)] for name, share in marks.items() if ordered}
        content = {
            "pid": os.getpid(),
            "ticks": self._ticks,
            "done": self.done,
            "time_ns": time.time_ns(),
            "batches": self._batches,
            "acknowledged_ns": self._acknowledged_ns,
            "latency_ms": latency,
        }
        try:
            write_json(self._path, content)
        except OSError:
            return  # no room: the next one tries again


def proxy_lock(run_dir: RunDir) -> Path:
    """Return the file that a run's proxy holds locked, and touches as long as it is well."""
    return run_dir.root / "proxy.lock"


def beat(run_dir: RunDir) -> None:
    """Say that the proxy is well; also on a full disk."""
    os.utime(proxy_lock(run_dir))


def beat_of(run_dir: RunDir) -> int:
    """Return when the proxy was well last (Unix ns), 0 for never."""
    try:
        return proxy_lock(run_dir).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
