"""How a run ended, in plain words."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunState
from gym_gui.services.trainer.files import machine_went_down
from gym_gui.services.trainer.supervisor import NOT_STARTED

_TAIL_BYTES = 8192


@dataclass(slots=True)
class Outcome:
    """The end of a run. ``cause`` is empty unless it failed."""

    state: RunState
    cause: str = ""
    exit_code: int | None = None
    signal: int | None = None
    ended_ns: int = 0


def outcome(run_dir: RunDir, report: dict[str, Any] | None, *, lost: str = "") -> Outcome:
    """Return how the run ended, from its supervisor's report and the end of its stderr.

    lost: what its launcher said, for one whose supervisor could not report.
    """
    if lost and (report is None or not report["ended_ns"]):
        return Outcome(RunState.FAILED, lost, ended_ns=time.time_ns())
    if report is None:
        return Outcome(
            RunState.FAILED,
            "the recorder ended before the program was started",
            ended_ns=time.time_ns(),
        )
    code, number = report["exit_code"], report["signal"]
    ended_ns = report["ended_ns"] or time.time_ns()
    if report["cancelled"]:
        return Outcome(RunState.CANCELLED, "", code, number, ended_ns)
    if code == 0:
        return Outcome(RunState.FINISHED, "", code, number, ended_ns)
    words = _last_words(run_dir)
    if machine_went_down(report):
        cause = "the machine went down while it ran; at most the last second before is missing"
    elif not report["ended_ns"]:
        cause = "its supervisor was ended, so how the program ended is not known"
    elif number is not None:
        cause = f"the program was ended by the signal {_signal_name(number)}"
    elif code == NOT_STARTED and words.startswith("gym-gui: "):
        cause = words.removeprefix("gym-gui: ")
    else:
        cause = words or f"the program ended with the exit code {code} and said nothing"
    return Outcome(RunState.FAILED, cause, code, number, ended_ns)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _last_words(run_dir: RunDir) -> str:
    """Return the last line of stderr that stands at its beginning: an exception's own line."""
    try:
        with run_dir.stderr.open("rb") as file:
            file.seek(max(0, run_dir.stderr.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    outer = [line for line in lines if not line.startswith((" ", "\t"))]
    return (outer or lines or [""])[-1].strip()[:500]
