"""The ``script`` worker: any program, of any language."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gym_gui.core.errors import ScriptNotFoundError, UsageError
from gym_gui.core.paths import RunDir
from gym_gui.services.workers.arguments import field_of, read_options
from gym_gui.services.workers.base import Worker
from gym_gui.services.workers.fields import Field, Kind
from gym_gui.services.workers.parameters import script_fields

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
    """Runs a script as it is: Python with the tap, or any program that prints the protocol.

    An argparse parser in it gives the form its fields; the script reads the same words as ever.
    """

    name = "script"
    title = "Script"
    summary = "Any training script or program, unmodified."
    tab_prefix = "Script-Live"
    takes_script = True
    accepts_unknown = True
    checkpoint_patterns = ("**/*.pt", "**/*.pth", "**/*.zip", "**/*.safetensors")

    def form(self, values: Mapping[str, Any]) -> list[Field]:
        script = values.get("script")
        own = script_fields(Path(script).expanduser().absolute()) if script else []
        return [SCRIPT_FIELD, *map(_offered, own), ARGS_FIELD]

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        script = script_path(values["script"])
        words = self.arguments({**values, "script": str(script)})
        return [*launcher_of(script, python), *words]

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values with the form's defaults, but none for what ``args`` says itself."""
        whole = super().complete(values)
        fields = self.form(values)
        for word in whole["args"]:
            field, _ = field_of(fields, word)
            if field is not None and field.name not in values:
                whole.pop(field.name, None)
        return whole

    def default_name(self, values: Mapping[str, Any]) -> str:
        return Path(values["script"]).stem

    def values(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return what the words say where every one of them is known; else they stay as they are.

        A script may have a grammar of its own (subcommands, abbreviations, options given twice):
        its words then reach it untouched and in their order.
        """
        words = list(arguments[1:])
        values = super().values(arguments[:1])
        said = read_options(self.form(values), words)
        if said is not None:
            return {**values, **said}
        return {**values, "args": words}


def _offered(field: Field) -> Field:
    """Return a script's field such that what nobody chose is never said for the script.

    A default that would not come back as itself (a list of numbers, an object) counts as unknown;
    what is missing, the script says better than we can.
    """
    try:
        kept = field.parse(field.default) == field.default
    except UsageError:
        kept = False
    default, optional = (field.default, field.optional) if kept else (None, True)
    return replace(field, required=False, default=default, optional=optional)


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
