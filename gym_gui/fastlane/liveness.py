"""Which rings there are, and whether their writers live.

A writer holds an exclusive ``fcntl.lockf`` lock on the ring's sidecar for as long as it lives:
the kernel frees it with the process, and forked children do not inherit it. Such locks belong
to the process, so a process never opens the sidecar of a ring it writes itself (closing that
probe would free the lock): it asks its own table.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Dict, List, Tuple, Union

from gym_gui.core import descriptors
from gym_gui.core.errors import RingError
from gym_gui.core.ids import check_run_id
from gym_gui.core.interrupts import let_through
from gym_gui.core.paths import private_dir

RING, LOCK, TEMPORARY = ".ring", ".lock", ".ring-new"
_LOCK_PATIENCE_S = 2.0

_own: Dict[Tuple[int, str], int] = {}  # (pid, sidecar) -> descriptor


def run_ring_dir(run_id: str, ring_dir: Union[str, Path], *, create: bool = False) -> Path:
    """Return the private folder of one run's rings."""
    path = Path(ring_dir) / check_run_id(run_id)
    return private_dir(path) if create else path


def ring_path(run_id: str, channel: str, ring_dir: Union[str, Path]) -> Path:
    """Return the path of a ring. Raises RingError where ``channel`` is not a plain name."""
    if not channel or "/" in channel or channel.startswith("."):
        raise RingError(f"{channel!r} cannot name a ring.", next_step="Use letters and digits.")
    return run_ring_dir(run_id, ring_dir) / (channel + RING)


def rings(run_id: str, ring_dir: Union[str, Path]) -> List[str]:
    """Return the channels of the run's rings, oldest first."""
    found = []
    for path in _entries(run_ring_dir(run_id, ring_dir)):
        if path.suffix == RING:
            try:
                found.append((path.stat().st_mtime_ns, path.stem))
            except FileNotFoundError:
                pass  # it went away while we looked
    return [name for _, name in sorted(found)]


class WriterLock:
    """The sidecar's lock. ``close`` frees it and removes the sidecar."""

    def __init__(self, ring: Path) -> None:
        self.path = ring.with_suffix(LOCK)
        self._key = (os.getpid(), str(self.path))
        if self._key in _own:
            raise RingError(
                f"This process already writes the ring {ring.stem}.",
                next_step="Close that writer first.",
            )
        self._descriptor = _take(self.path)
        _own[self._key] = self._descriptor

    def close(self) -> None:
        if _own.get(self._key) != self._descriptor or os.getpid() != self._key[0]:
            return
        _unlink(self.path)
        del _own[self._key]
        descriptors.close(self._descriptor)


def _take(path: Path) -> int:
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = descriptors.move_up(os.open(str(path), flags, 0o600))
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == os.stat(str(path)).st_ino:
                return descriptor  # and not a file that a sweep has just removed
        except FileNotFoundError:
            pass  # removed by a sweep between open and lock: make a new one
        except OSError as error:
            let_through(error)
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise RingError(
                    f"Another process writes the ring {path.stem}.",
                    next_step="Give this writer a channel of its own.",
                ) from None
        os.close(descriptor)


def writer_is_alive(ring: Path) -> bool:
    """Tell whether some process, this one included, holds the ring's lock."""
    path = ring.with_suffix(LOCK)
    if (os.getpid(), str(path)) in _own:
        return True
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def sweep(ring_dir: Union[str, Path]) -> int:
    """Remove the rings whose writers are dead, and return how many there were."""
    removed = 0
    for folder in _entries(Path(ring_dir)):
        for path in _entries(folder):
            if path.suffix in (RING, TEMPORARY, LOCK) and not writer_is_alive(path):
                removed += path.suffix == RING
                _unlink(path)
        try:
            folder.rmdir()
        except OSError:
            pass  # rings of living writers are in it
    return removed


def _entries(folder: Path) -> List[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []  # gone, or not a folder


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        pass  # already removed by another sweep
