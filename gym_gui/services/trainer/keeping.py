"""What a proxy leaves on disk: segments until their run was checked, bad lines up to a bound."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from gym_gui.core.paths import RunDir
from gym_gui.services.trainer.files import read_json
from gym_gui.worker.spool import ROOM_FILE, Room

SHORT_BYTES = 1 << 30  # a disk with less free room than that, or than a tenth of it, is short
REJECTED_BYTES = 16 << 20
LINE_KEPT = 4096


class Keeping:
    """Decides whether committed segments stay for a repair until the run's file was checked."""

    def __init__(self, run_dir: RunDir) -> None:
        self._root = run_dir.root
        recording = (read_json(run_dir.spec) or {}).get("recording") or {}
        self._is_bounded = bool(recording.get("spool_limit_bytes"))

    def keeps_segments(self) -> bool:
        """Tell whether there is room to; a spool with a limit of its own keeps nothing extra."""
        if self._is_bounded:
            return False
        usage = shutil.disk_usage(self._root)
        return usage.free > max(SHORT_BYTES, usage.total // 10)


@dataclass(frozen=True)
class Rooms:
    """What a run's spools say of room: the worst state, and the records dropped for want of it."""

    state: str = Room.OK
    dropped: int = 0


_WORSE = (Room.OK, Room.DROPPING, Room.WAITING, Room.STOPPED)


def rooms(run_dir: RunDir) -> Rooms:
    """Read what the run's spools say; see ``worker.spool.Room``."""
    found = [Room.read(path) for path in run_dir.spool.glob(f"*/{ROOM_FILE}")]
    states = {state for state, _ in found}
    worst = [state for state in _WORSE if state in states]
    return Rooms(worst[-1] if worst else Room.OK, sum(dropped for _, dropped in found))


def words_of_room(state: str, dropped: int) -> str:
    """Return what a spool's state means for its reader; nothing while there is room."""
    return {
        Room.WAITING: "There is no room for the recording: the run waits until there is.",
        Room.DROPPING: f"There is no room for the recording: {dropped:,} records are dropped"
        " so far, and the training goes on.",
        Room.STOPPED: f"Recording has stopped for want of room: {dropped:,} records are not kept,"
        " and the training goes on.",
    }.get(state, "")


class RejectedLines:
    """``rejected.jsonl``: bad lines with the reason, cut to ``LINE_KEPT`` bytes each."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)

    def add(self, channel: str, seq: int, line: bytes, reason: str) -> None:
        """Write one; beyond ``REJECTED_BYTES``, or on a full disk, it is only counted."""
        entry = {"channel": channel, "seq": seq, "reason": reason, "bytes": len(line)}
        text = json.dumps({**entry, "line": line[:LINE_KEPT].decode(errors="replace")}) + "\n"
        try:
            if os.fstat(self._file).st_size < REJECTED_BYTES:
                os.write(self._file, text.encode())
        except OSError:
            return  # its number reaches the daemon all the same

    def close(self) -> None:
        """Close the file. Twice is safe."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
