"""Which keys mean which action, kept for each environment in ``keys.json`` of the data folder.

A mapping is a list of ``[key names, action]``; the pair without keys is the action of doing
nothing. An action of several numbers may be partial: ``{"0": -1.0}`` sets only the first.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from gym_gui.core.errors import DataDirError
from gym_gui.core.paths import DataDir

Pairs = list[list[Any]]


def load_mapping(data_dir: DataDir, env_id: str) -> Pairs | None:
    """Return the mapping saved for ``env_id``, None where there is none or it is not readable."""
    found = _all(data_dir).get(env_id)
    return found if isinstance(found, list) else None


def save_mapping(data_dir: DataDir, env_id: str, pairs: Pairs | None) -> None:
    """Keep a mapping; None forgets it. Raises DataDirError when it cannot be written."""
    path = data_dir.create().root / "keys.json"
    found = _all(data_dir)
    found.pop(env_id, None)
    if pairs is not None:
        found[env_id] = pairs
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(found, file, indent=1)
        os.replace(file.name, path)
    except OSError as error:
        raise DataDirError(
            f"{path} cannot be written: {error.strerror}.", next_step="Free some room on its disk."
        ) from error


def _all(data_dir: DataDir) -> dict[str, Any]:
    try:
        found = json.loads((data_dir.root / "keys.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
