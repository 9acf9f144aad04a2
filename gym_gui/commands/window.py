"""Opens the desktop program, and says what to do where that is not possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gym_gui.commands.common import has_display
from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec


def open_window(
    data_dir: DataDir | Path | None, *, submit: RunSpec | None = None, **options: Any
) -> int:
    """Open the window, start the run ``submit`` in it if one is given, and return at its end."""
    if not has_display():
        raise GymGuiError(
            "There is no display here, so no window can be opened.",
            next_step="Train without one: gym-gui demo --headless, or gym-gui run --headless.",
        )
    from gym_gui.commands.libraries import INSTALL, MANAGERS, missing_libraries, packages

    missing = missing_libraries()
    if missing:
        line = f"{INSTALL[MANAGERS[0]]} {' '.join(packages(missing, MANAGERS[0]))}"
        raise GymGuiError(
            f"Qt needs libraries that are missing here: {', '.join(missing)}.",
            next_step=f"Install them, on Debian or Ubuntu with: sudo {line}",
        )
    from gym_gui.app import main  # pyright: ignore[reportAttributeAccessIssue]

    folder = data_dir if isinstance(data_dir, DataDir) else DataDir(data_dir)
    return main(folder.create(), submit=submit, **options)
