"""Has a spool reach the disk once a second, so that a power cut costs the last second at most.

Runs in the supervisor, which is there as long as the worker is, whatever else has died.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gym_gui.core.paths import RunDir

SYNC_S = 1.0


class SpoolSync:
    """Syncs what has grown since the last look. ``start``, then ``close``."""

    def __init__(self, run_dir: RunDir, *, every_s: float = SYNC_S) -> None:
        self.synced_files = 0
        self._run_dir = run_dir
        self._every_s = every_s
        self._sizes: dict[Path, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool sync", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Sync once more and end. Twice is safe."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Sync every file that has grown, and the folder of each new one."""
        files = self._files()
        self._sizes = {path: self._sizes[path] for path in files if path in self._sizes}
        grown = [path for path in files if self._has_grown(path)]
        for folder in {path.parent for path in grown if path not in self._sizes}:
            _sync(folder, os.fsync)
        for path in grown:
            with suppress(FileNotFoundError):  # committed and deleted meanwhile
                size = path.stat().st_size
                _sync(path, os.fdatasync)
                self._sizes[path] = size
                self.synced_files += 1

    def _files(self) -> list[Path]:
        found = [self._run_dir.stdout]
        with suppress(FileNotFoundError):
            for channel in os.scandir(self._run_dir.spool):
                if channel.is_dir():
                    with suppress(FileNotFoundError):
                        found += [Path(entry.path) for entry in os.scandir(channel.path)]
        return found

    def _has_grown(self, path: Path) -> bool:
        with suppress(FileNotFoundError):
            return path.stat().st_size != self._sizes.get(path, 0)
        return False

    def _run(self) -> None:
        while True:
            stopped = self._stop.wait(self._every_s)
            with suppress(OSError):  # a full or failing disk: the next look tries again
                self.look()
            if stopped:
                return


def _sync(path: Path, sync: Callable[[int], None]) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
