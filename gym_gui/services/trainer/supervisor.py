"""The worker's parent: starts it, forwards a cancel, and writes down how it ended.

    python -m gym_gui.services.trainer.supervisor RUN_DIR [--lifeline]

Reads ``run.json`` and ``launch.json`` (the worker's environment variables), writes
``supervisor.json`` when the worker has started and when it has ended. It needs nobody: daemon,
proxy and window may die and come back meanwhile. Has the spool reach the disk once a second.
Started a second time for the same run, by a daemon that does not know of the first, it does
nothing. With a lifeline it ends the worker when its own standard input ends: on a cluster nothing
may outlive its job. SIGTERM asks the worker's process group to end, and ends it after a grace.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec
from gym_gui.services.trainer.durability import SpoolSync
from gym_gui.services.trainer.files import (
    boot_id,
    read_json,
    start_ticks,
    supervisor_lock,
    write_json,
)

GRACE_S = 5.0
_ROOM_LOOK_S = 0.5
NOT_STARTED = 127  # as a shell says it


class Supervisor:
    """One worker's life. ``run`` returns when it is over and written down."""

    def __init__(
        self, run_dir: RunDir, *, grace_s: float = GRACE_S, lifeline: bool = False
    ) -> None:
        self.run_dir = run_dir
        self.grace_s = grace_s
        self._lifeline = lifeline
        self._cancelled = False
        self._unsaved = False
        self._worker: subprocess.Popen[bytes] | None = None
        self._report: dict[str, Any] = {
            "supervisor_pid": os.getpid(),
            "supervisor_ticks": start_ticks(os.getpid()),
            "pid": 0,
            "started_ns": time.time_ns(),
            "start_ticks": 0.0,
            "ended_ns": 0,
            "exit_code": None,
            "signal": None,
            "cancelled": False,
            "boot": boot_id(),
        }

    def run(self) -> None:
        """Start the worker, wait for its end, and report both."""
        signal.signal(signal.SIGTERM, self._cancel)
        signal.signal(signal.SIGINT, _not_for_us)
        try:
            self._worker = self._start()
        except OSError as error:
            with self.run_dir.stderr.open("a") as file:
                file.write(f"gym-gui: the program could not be started: {error}\n")
            self._ended(NOT_STARTED)
            return
        pid = self._worker.pid
        self._report.update(pid=pid, start_ticks=start_ticks(pid))
        self._save()
        with contextlib.suppress(OSError):
            self.run_dir.launch.unlink()  # what the script's variables say is nobody else's
        if self._cancelled:
            self._cancel()
        sync = SpoolSync(self.run_dir)
        sync.start()
        code = self._wait()
        sync.close()
        self._ended(code)

    def _start(self) -> subprocess.Popen[bytes]:
        content = read_json(self.run_dir.spec)
        assert content is not None, f"{self.run_dir.spec} is missing"
        spec = RunSpec.from_dict(content)
        launch = read_json(self.run_dir.launch) or {}
        variables = launch.get("environment") or dict(os.environ)
        with _append(self.run_dir.stdout) as out, _append(self.run_dir.stderr) as err:
            return subprocess.Popen(
                spec.command,
                cwd=spec.cwd,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def _wait(self) -> int:
        assert self._worker is not None
        deadline: float | None = None
        while True:
            try:
                return self._worker.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                if self._unsaved:
                    self._save()
                if self._lifeline and _has_ended(sys.stdin.fileno()):
                    self._lifeline = False
                    self._cancel()
                if not self._cancelled:
                    continue
                deadline = deadline or time.monotonic() + self.grace_s
                if time.monotonic() > deadline:
                    self._signal_group(signal.SIGKILL)

    def _cancel(self, *_: object) -> None:
        self._cancelled = True
        if self._worker is not None:
            self._signal_group(signal.SIGTERM)
            self._signal_group(signal.SIGCONT)

    def _signal_group(self, number: signal.Signals) -> None:
        assert self._worker is not None
        try:
            os.killpg(self._worker.pid, number)
        except ProcessLookupError:
            return  # it has just ended

    def _ended(self, code: int) -> None:
        if self._worker is not None:
            self._signal_group(signal.SIGTERM)  # children that it may have left behind
        self._report.update(
            ended_ns=time.time_ns(),
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            cancelled=self._cancelled,
        )
        self._save()
        while self._unsaved and self.run_dir.root.exists():
            time.sleep(_ROOM_LOOK_S)
            self._save()

    def _save(self) -> None:
        """Write the report; on a full disk it is tried again until there is room."""
        try:
            write_json(self.run_dir.supervisor, self._report)
            self._unsaved = False
        except OSError:
            self._unsaved = True


def _not_for_us(*_: object) -> None:
    """Ignore an interrupt here. To be told to ignore it, as by ``SIG_IGN``, would be inherited."""


def _has_ended(pipe: int) -> bool:
    """Tell whether whoever held the other end is gone; nothing is ever written to it."""
    return bool(select.select([pipe], [], [], 0)[0])


def _append(path: Path):
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def main() -> None:
    """Entry point of the process."""
    run_dir = RunDir(sys.argv[1])
    lock = os.open(supervisor_lock(run_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if not run_dir.supervisor.exists():
        Supervisor(run_dir, lifeline="--lifeline" in sys.argv[2:]).run()


if __name__ == "__main__":
    main()
