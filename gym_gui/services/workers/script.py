"""The ``script`` worker: any program, of any language."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gym_gui.core.errors import ScriptNotFoundError
from gym_gui.core.paths import RunDir
from gym_gui.services.workers.base import Field, Kind, Worker

SCRIPT_FIELD = Field("script", Kind.PATH, "", "the program to run", required=True, group="Script")
ARGS_FIELD = Field(
    "args", Kind.LIST, [], "further words, passed to the script as they are", group="Script"
)


def script_path(text: str) -> Path:
    """Return the script's absolute path. Raises ScriptNotFoundError."""
    if not text:
        raise ScriptNotFoundError(
            "No script was given.", next_step="Try `gym-gui run -- path/to/script.py`."
        )
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise ScriptNotFoundError(
            f"There is no script {text}.", next_step="Check the path of the script."
        )
    return path


class ScriptWorker(Worker):
    """Runs a script as it is: Python with the tap, or any program that prints the protocol."""

    name = "script"
    title = "Script"
    summary = "Any training script or program, unmodified."
    tab_prefix = "Script-Live"
    takes_script = True
    accepts_unknown = True
    checkpoint_patterns = ("**/*.pt", "**/*.pth", "**/*.zip", "**/*.safetensors")

    def form(self, values: Mapping[str, Any]) -> list[Field]:
        return [SCRIPT_FIELD, ARGS_FIELD]

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        script = script_path(values["script"])
        return [*launcher_of(script, python), str(script), *values["args"]]

    def default_name(self, values: Mapping[str, Any]) -> str:
        return Path(values["script"]).stem

    def values(self, arguments):
        """Return the script and its words, untouched: nothing in them is ours to interpret."""
        values = super().values(arguments[:1])
        return {**values, "args": list(arguments[1:])} if len(arguments) > 1 else values


def launcher_of(script: Path, python: str) -> list[str]:
    """Return what goes before the script: the interpreter for Python, nothing for a program.

    Raises ScriptNotFoundError for a file that is neither Python nor executable.
    """
    if script.suffix in (".py", ".pyw"):
        return [python]
    if os.access(script, os.X_OK):
        return []
    if script.suffix == ".sh":
        return ["/bin/sh"]
    raise ScriptNotFoundError(
        f"{script} is neither a Python script nor executable.",
        next_step=f"Make it executable: chmod +x {script}",
    )
