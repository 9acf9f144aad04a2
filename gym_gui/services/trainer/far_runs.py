"""A run of a cluster as the daemon follows it: by what the launcher says and the job reports."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

from gym_gui.core.errors import LauncherError, ProtocolError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunState
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.services.trainer.files import write_json
from gym_gui.services.trainer.launchers import Job, JobState, Launcher, LauncherAddress

POLL_S = 1.0  # between questions to the launcher
DRAIN_S = 3.0  # a proxy that is on its way may still come
SILENCE_S = 120.0  # neither launcher nor job answers for so long: given up
STOP_S = 15.0  # after that, a job that was asked to end is ended
_SIGKILL = 9
_NUMBERS = ("supervisor_pid", "supervisor_ticks", "pid", "started_ns", "start_ticks", "ended_ns")


class FarRun:
    """Where the job stands. ``look`` is asked again and again until the run is over."""

    def __init__(self, launcher: Launcher, job: Job, address: LauncherAddress) -> None:
        self.launcher = launcher
        self.job = job
        self.address = address
        self.is_cancelled = False
        self.problem = ""  # why the launcher lost it
        self.report: dict[str, Any] | None = None
        self._state = JobState.PENDING
        self._asked = 0.0
        self._heard = time.monotonic()
        self._over_since = 0.0
        self._stop_at = 0.0

    @property
    def was_lost(self) -> bool:
        """Tell whether something else than the program's own doing ended it."""
        if self.is_cancelled:
            return False
        return (
            self.report is None
            or not self.report["ended_ns"]
            or (self.report["signal"] == _SIGKILL)
        )

    @property
    def run_state(self) -> RunState:
        """Return the state to show before the worker has reported."""
        return RunState.QUEUED if self._state is JobState.PENDING else RunState.STARTING

    async def submit(self) -> None:
        """Hand it to the launcher. Raises LauncherError."""
        await asyncio.to_thread(self.launcher.submit, self.job)

    async def cancel(self) -> None:
        """Ask the job to end its worker; one that does not answer is ended by the launcher."""
        self.is_cancelled = True
        self._stop_at = self._stop_at or time.monotonic() + STOP_S
        if self.report is None:
            await asyncio.to_thread(self.launcher.stop, self.job)

    async def look(self, *, is_publishing: bool) -> bool:
        """Tell whether the run is over and all that will come of it has come."""
        if self.report is not None and self.report["published"] and self.report["ended_ns"]:
            return True
        now = time.monotonic()
        if now - self._asked >= POLL_S:
            self._asked = now
            await self._ask()
        if self._state in (JobState.PENDING, JobState.RUNNING):
            return now - self._heard > SILENCE_S
        self._over_since = self._over_since or now
        return now - self._over_since > DRAIN_S and not is_publishing

    async def _ask(self) -> None:
        try:
            if self._stop_at and time.monotonic() > self._stop_at:
                await asyncio.to_thread(self.launcher.stop, self.job)
            found = await asyncio.to_thread(self.launcher.status, self.job)
        except LauncherError as error:
            self.problem = f"neither its node nor the launcher answers: {error.message}"
            return
        self._heard = time.monotonic()
        self._state = found.state
        self.is_cancelled |= found.state is JobState.STOPPED
        if found.state is JobState.LOST:
            self.problem = f"the job was lost: {_why(found.words)}"

    def take(self, hello: pb.WorkerHello) -> None:
        """Write down what the job reports. Raises ProtocolError for what cannot be."""
        self._heard = time.monotonic()
        run_dir = self.job.run_dir
        _put(run_dir.stdout, hello.stdout, hello.stdout_from)
        _put(run_dir.stderr, hello.stderr, hello.stderr_from)
        if hello.report_json:
            report = _report(hello.report_json)
            if report != self.report:
                write_json(run_dir.supervisor, report)
                self.report = report


def is_known(run_dir: RunDir) -> bool:
    """Tell whether a daemon before this one has handed the run to a launcher."""
    return (run_dir.root / "job.json").exists()


def remember(run_dir: RunDir, address: LauncherAddress) -> None:
    """Write down that the run was handed to a launcher."""
    write_json(run_dir.root / "job.json", {"launcher": str(address)})


def _report(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        report: dict[str, Any] = {name: float(found[name]) for name in _NUMBERS}
        for name in ("supervisor_pid", "pid", "started_ns", "ended_ns"):
            report[name] = int(found[name])
        for name in ("exit_code", "signal"):
            report[name] = None if found[name] is None else int(found[name])
        report["cancelled"] = bool(found["cancelled"])
        report["published"] = bool(found["published"])
    except (ValueError, TypeError, KeyError) as error:
        raise ProtocolError(f"That is no worker's report: {error!r}.") from error
    return report


def _put(path: Path, data: bytes, begin: int) -> None:
    """Write a piece of output where it belongs; one that came before changes nothing."""
    if not data:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if begin > os.fstat(descriptor).st_size:
            raise ProtocolError(f"A piece of {path.name} is missing before byte {begin}.")
        os.pwrite(descriptor, data, begin)
    finally:
        os.close(descriptor)


def _why(words: str) -> str:
    """Return a launcher's reason in one line: its first, and the last of the log that follows."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    if not lines:
        return "the launcher does not say why"
    reason = lines[0].partition(", last available logs")[0][:400].rstrip(".")
    return reason if len(lines) == 1 else f"{reason} ({lines[-1][:400].rstrip('.')})"
