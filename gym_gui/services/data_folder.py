"""Where the runs are kept, as a preference: named in the settings file of the usual folder."""

from __future__ import annotations

import os
from pathlib import Path

from gym_gui.core.paths import DATA_DIR_VARIABLE, DataDir, private_dir, usual_data_dir
from gym_gui.services.settings import Settings

KEY = "data.folder"


def chosen_elsewhere(data_dir: DataDir) -> str:
    """Return why the preference has no say in this session, empty when it has."""
    if os.environ.get(DATA_DIR_VARIABLE):
        return f"Set by ${DATA_DIR_VARIABLE}."
    if data_dir.root != DataDir().root:
        return "Set by --data-dir."
    return ""


def use_folder(folder: Path, settings: Settings) -> None:
    """Let the next start use ``folder``; runs recorded so far stay where they are.

    settings: taken along, unless the folder has its own. Raises DataDirError when the folder
    cannot be used or the choice cannot be written; then nothing has changed.
    """
    target = DataDir(folder).create()
    if not target.settings.exists():
        Settings(target.settings, dict(settings.values), dict(settings.shortcuts)).save()
    home = Settings.load(private_dir(usual_data_dir()) / target.settings.name)
    home[KEY] = "" if target.root == usual_data_dir() else str(target.root)
    home.save()
