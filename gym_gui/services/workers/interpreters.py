"""Finding the Python interpreter that a user means."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from gym_gui.core.errors import UsageError


def resolve_python(chosen: str | Path | None = None) -> str:
    """Return the absolute path of an interpreter; this program's own for None.

    chosen: an interpreter, the folder of a virtual or conda environment, a command on PATH,
    or a conda environment's name. Links are kept: a virtual environment lives by its link.
    Raises UsageError when there is none.
    """
    if not chosen:
        return sys.executable
    text = os.path.expanduser(str(chosen))
    for candidate in _candidates(text):
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return os.path.abspath(candidate)
    raise UsageError(
        f"{chosen} is no Python interpreter, virtual environment or conda environment.",
        next_step="Give the path of its python, such as --python .venv/bin/python.",
    )


def _candidates(text: str) -> list[str]:
    found = [text, os.path.join(text, "bin", "python")]
    if os.sep not in text:
        on_path = shutil.which(text)
        found += [on_path] if on_path else []
        found += [os.path.join(folder, "bin", "python") for folder in _conda_folders(text)]
    return found


def _conda_folders(name: str) -> list[str]:
    """Return the folders of conda environments called ``name``, from conda's own list."""
    listed = Path.home() / ".conda" / "environments.txt"
    folders = listed.read_text().splitlines() if listed.is_file() else []
    root = os.environ.get("CONDA_EXE")
    if root:
        folders.append(str(Path(root).parents[1] / "envs" / name))
    return [folder for folder in folders if os.path.basename(folder) == name]
