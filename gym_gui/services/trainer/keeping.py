"""What a proxy leaves on disk: segments until their run was checked, bad lines up to a bound."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from gym_gui.core.paths import RunDir
from gym_gui.services.trainer.files import read_json

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
