"""The ``spade_bdi`` worker: AgentSpeak programs that act in a gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.services.workers.base import PROGRAMS
from gym_gui.services.workers.program import ProgramWorker, absolute


class SpadeBdiWorker(ProgramWorker):
    """Plays an ``.asl`` program, on agentspeak alone or on SPADE; records what it has in mind."""

    name = "spade_bdi"
    title = "SPADE-BDI"
    summary = "An AgentSpeak program: beliefs, goals and intentions of every step are recorded."
    tab_prefix = "SPADE-BDI-Live"
    program = "bdi.py"

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        known = {
            **values,
            "program": _program(values["program"]),
            "peers": [absolute(peer) for peer in values["peers"]],
            "world": absolute(values["world"]),
        }
        return super().command(known, python=python, run_dir=run_dir)

    def default_name(self, values: Mapping[str, Any]) -> str:
        return f"BDI {Path(values['program']).stem}"


def _program(name: str) -> str:
    ships = (PROGRAMS / "asl" / f"{name}.asl").is_file()
    return name if ships else absolute(name)
