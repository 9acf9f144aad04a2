"""Small JSON files that processes of one run leave for each other: whole or not there."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from gym_gui.core.paths import RunDir


def write_json(path: Path, value: Any) -> None:
    """Write a file of mode 0600 in one go: a reader sees the old content or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the file's content, or None while there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def worker_has_ended(report_path: Path) -> bool:
    """Tell whether a run's worker is over, by its supervisor's report and by both processes."""
    report = read_json(report_path)
    if report is None:
        return False
    if report["ended_ns"]:
        return True
    return not is_running(report["supervisor_pid"], report["supervisor_ticks"]) and (
        not is_running(report["pid"], report["start_ticks"])
    )


def supervisor_lock(run_dir: RunDir) -> Path:
    """Return the file that a run's supervisor holds locked as long as it lives."""
    return run_dir.root / "supervisor.lock"


def is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock on a file, as a run's supervisor does."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def boot_id() -> str:
    """Return what names this boot of the machine, "" where the system has no such name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def machine_went_down(report: dict[str, Any] | None) -> bool:
    """Tell from a supervisor's report that the machine stopped while its worker ran."""
    if not report or report["ended_ns"] or not report.get("boot"):
        return False
    return report["boot"] != boot_id()


def start_ticks(pid: int) -> float:
    """Return when a process was started, as psutil tells it; 0 when there is none."""
    import psutil  # the window reads these files too, and does not wait for it to start

    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def is_running(pid: int, ticks: float) -> bool:
    """Tell whether this very process still runs; a reused pid or a zombie does not count."""
    import psutil

    try:
        process = psutil.Process(pid)
        return (
            abs(process.create_time() - ticks) < 0.05 and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False
