"""Workers that run a program which ships with gym-gui: its own options are the form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from gym_gui.core.paths import RunDir
from gym_gui.services.workers.base import PROGRAMS, Worker
from gym_gui.services.workers.fields import Field
from gym_gui.services.workers.parameters import script_fields


class ProgramWorker(Worker):
    """Base of the workers whose program is one of ours.

    program: file name under ``gym_gui/worker/programs``; its ``--output`` is the run's folder.
    """

    program: ClassVar[str] = ""

    def form(self, values: Mapping[str, Any]) -> list[Field]:
        return [field for field in self._fields() if field.name != "output"]

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        words = self.arguments(values)
        if any(field.name == "output" for field in self._fields()):
            words += ["--output", str(run_dir.root / "files")]
        return [python, str(PROGRAMS / self.program), *words]

    def _fields(self) -> list[Field]:
        return script_fields(PROGRAMS / self.program)


def absolute(path: str) -> str:
    """Return ``path`` absolute where one was given, so that the run's folder does not matter."""
    return str(Path(path).expanduser().absolute()) if path else ""
