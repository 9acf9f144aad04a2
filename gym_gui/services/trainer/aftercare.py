"""What is done with a run once it is over: its file is read whole, then its segments may go.

One run after the other, on a thread of the lowest priority: training comes first.
"""

from __future__ import annotations

import logging
import os
import queue
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress

from gym_gui.core.errors import GymGuiError, RunNotFoundError
from gym_gui.core.paths import DataDir
from gym_gui.services.registry import RunRegistry
from gym_gui.telemetry.repair import check
from gym_gui.telemetry.storage import StopAskedError

_LOWEST = 19
_log = logging.getLogger(__name__)


class Aftercare:
    """Checks runs that have ended. ``add`` from any thread; ``close`` leaves the rest for later.

    on_checked: called from its thread with the run's id and what is wrong with its file, "" when
    it is sound; its segments are deleted then, and kept for a repair otherwise.
    """

    def __init__(
        self, data_dir: DataDir, registry: RunRegistry, on_checked: Callable[[str, str], None]
    ) -> None:
        self.checked = self.damaged = 0
        self._data_dir = data_dir
        self._registry = registry
        self._on_checked = on_checked
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._busy = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aftercare", daemon=True)
        self._thread.start()

    def add(self, run_id: str) -> None:
        """Have a finished run's file checked."""
        self._waiting.put(run_id)

    def find(self) -> None:
        """Add what an earlier daemon had no time for: finished runs whose segments are there."""
        for record in self._registry.list():
            if record.state.is_final and self._has_segments(record.run_id):
                self.add(record.run_id)

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Break off. Twice is safe."""
        self._stop.set()
        self._waiting.put(None)
        self._thread.join(timeout_s)

    @property
    def is_idle(self) -> bool:
        return self._waiting.empty() and not self._busy.is_set()

    def _has_segments(self, run_id: str) -> bool:
        return any(self._data_dir.run(run_id).spool.glob("*/*.jsonl"))

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # a priority per thread is Linux's
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
        while not self._stop.is_set():
            run_id = self._waiting.get()
            if run_id is None:
                return
            self._busy.set()
            try:
                self._look_after(run_id)
            except (GymGuiError, OSError) as error:
                _log.warning("run %s could not be checked: %s", run_id, error)
            finally:
                self._busy.clear()

    def _look_after(self, run_id: str) -> None:
        run_dir = self._data_dir.run(run_id)
        if not run_dir.store.exists():
            return
        try:
            report = check(run_dir.store, stop=self._stop.is_set)
        except StopAskedError:
            return
        self.checked += 1
        if not report.is_sound:
            self.damaged += 1
            _log.error("run %s: its file is damaged: %s", run_id, report.problems[0])
            self._on_checked(run_id, report.problems[0])
            return
        shutil.rmtree(run_dir.spool, ignore_errors=True)
        with suppress(RunNotFoundError):
            self._registry.update(run_id, size_bytes=self._registry.size_bytes(run_id))
        self._on_checked(run_id, "")
