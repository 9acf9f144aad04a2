"""Runs on this machine: each under a supervisor of its own, which outlives the daemon."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

from gym_gui.services.trainer.files import is_running, read_json
from gym_gui.services.trainer.launchers.base import Job, JobState, JobStatus, Launcher
from gym_gui.services.trainer.launching import start_supervisor


class LocalLauncher(Launcher):
    """Knows its runs by their files, so that a new daemon finds those of the one before."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def submit(self, job: Job) -> None:
        self._children[job.spec.run_id] = start_supervisor(job.run_dir)

    def status(self, job: Job) -> JobStatus:
        child = self._children.get(job.spec.run_id)
        if child is not None and child.poll() is not None:  # no zombie stays
            del self._children[job.spec.run_id]
        report = read_json(job.run_dir.supervisor)
        if report is None:
            return JobStatus(JobState.PENDING)
        if report["ended_ns"]:
            return JobStatus(JobState.STOPPED if report["cancelled"] else JobState.ENDED)
        return JobStatus(JobState.RUNNING if _lives(report) else JobState.LOST)

    def logs(self, job: Job) -> str:
        try:
            return (job.run_dir.root / "supervisor.log").read_text(errors="replace")[-8192:]
        except FileNotFoundError:
            return ""

    def stop(self, job: Job) -> None:
        report = read_json(job.run_dir.supervisor)
        child = self._children.get(job.spec.run_id)
        pid = report["supervisor_pid"] if report else child.pid if child else 0
        if pid and (report is None or is_running(pid, report["supervisor_ticks"])):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        elif report and is_running(report["pid"], report["start_ticks"]):
            os.killpg(report["pid"], signal.SIGTERM)


def _lives(report: dict[str, Any]) -> bool:
    return is_running(report["supervisor_pid"], report["supervisor_ticks"]) or (
        is_running(report["pid"], report["start_ticks"])
    )
