"""What a run's worker says and uses: the end of its output, processor and memory."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from gym_gui.core.paths import RunDir

FIRST_READ = 256 * 1024  # bytes of an old log that are shown; the file has them all
AT_ONCE = 256 * 1024  # bytes read in one go, so that a flood is shown in parts


class LogTail:
    """Reads what was appended to a text file since the last call. ``skipped`` counts bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped = 0
        self._offset = -1

    def read(self) -> str:
        """Return the new text; empty when there is none, or no file yet."""
        try:
            with open(self.path, "rb") as file:
                size = file.seek(0, 2)
                start = self._start(size)
                file.seek(start)
                new = file.read(AT_ONCE)
        except FileNotFoundError:
            return ""
        whole = new.rfind(b"\n") + 1 or len(new)
        self._offset = start + whole
        return new[:whole].decode("utf-8", "replace")

    def _start(self, size: int) -> int:
        if self._offset < 0 or size < self._offset:
            self.skipped += max(0, size - FIRST_READ)
            return max(0, size - FIRST_READ)
        if size - self._offset > 4 * AT_ONCE:
            self.skipped += size - self._offset - AT_ONCE
            return size - AT_ONCE
        return self._offset


@dataclass(frozen=True)
class Resources:
    """One sample of a worker and its children. cpu: cores in use; memory in bytes."""

    time_s: float
    cpu: float
    memory: int
    processes: int


class ResourceSampler:
    """Samples the processor and memory use of a run's worker. Not for the GUI thread."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._last: dict[int, float] = {}
        self._last_s = 0.0

    def sample(self) -> Resources | None:
        """Return the use since the last call; None when the worker is not running here."""
        worker = self._worker()
        if worker is None:
            self._last = {}
            return None
        now = time.monotonic()
        spent: dict[int, float] = {}
        memory = 0
        for process in [worker, *_children(worker)]:
            try:
                times = process.cpu_times()
                spent[process.pid] = times.user + times.system
                memory += process.memory_info().rss
            except psutil.Error:
                continue  # it ended meanwhile
        used = sum(value - self._last.get(pid, value) for pid, value in spent.items())
        elapsed = now - self._last_s if self._last else 0.0
        self._last, self._last_s = spent, now
        return Resources(time.time(), used / elapsed if elapsed else 0.0, memory, len(spent))

    def _worker(self) -> psutil.Process | None:
        try:
            told = json.loads(self._run_dir.supervisor.read_text())
            if told.get("ended_ns"):
                return None
            return psutil.Process(int(told["pid"]))
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            return None


def _children(worker: psutil.Process) -> list[psutil.Process]:
    try:
        return worker.children(recursive=True)
    except psutil.Error:
        return []
