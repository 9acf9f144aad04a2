"""The form's memory: what was started last, and presets by name. One JSON file per data folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gym_gui.core.paths import DataDir

LAST = "last"
INTERPRETERS = 8  # remembered


class Presets:
    """Reads and writes ``presets.json``; a damaged file counts as empty and is kept aside."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir
        self._path = data_dir.root / "presets.json"

    def names(self) -> list[str]:
        return sorted(self._load().get("presets", {}))

    def get(self, name: str) -> dict[str, Any]:
        """Return the form's state that was saved under ``name``; empty when there is none."""
        return self._load().get("presets", {}).get(name, {})

    def put(self, name: str, state: dict[str, Any]) -> None:
        stored = self._load()
        stored.setdefault("presets", {})[name] = state
        self._save(stored)

    def delete(self, name: str) -> None:
        stored = self._load()
        if stored.get("presets", {}).pop(name, None) is not None:
            self._save(stored)

    def last(self) -> dict[str, Any]:
        """Return the state of the form when a run was last started from it."""
        return self._load().get(LAST, {})

    def remember(self, state: dict[str, Any]) -> None:
        """Keep what a run was started with, and its interpreter among the latest."""
        stored = self._load()
        recent = [state.get("python", ""), *stored.get("interpreters", [])]
        kept = [path for path in dict.fromkeys(recent) if path][:INTERPRETERS]
        self._save({**stored, LAST: state, "interpreters": kept})

    def interpreters(self) -> list[str]:
        """Return the interpreters used last, the latest first."""
        return list(self._load().get("interpreters", []))

    def _load(self) -> dict[str, Any]:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            self._set_aside()
            return {}
        return stored if isinstance(stored, dict) else {}

    def _set_aside(self) -> None:
        aside: Path = self._path.with_suffix(".damaged.json")
        if os.access(self._path.parent, os.W_OK):
            os.replace(self._path, aside)

    def _save(self, stored: dict[str, Any]) -> None:
        self._data_dir.create()
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(stored, indent=1, default=str), encoding="utf-8")
        os.replace(temporary, self._path)
