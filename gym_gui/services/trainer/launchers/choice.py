"""From a launcher's address to the launcher."""

from __future__ import annotations

from gym_gui.services.trainer.launchers.base import Launcher, LauncherAddress
from gym_gui.services.trainer.launchers.local import LocalLauncher


def launcher_for(address: LauncherAddress) -> Launcher:
    """Return a launcher for this place, not yet connected. Its libraries are imported now."""
    if address.is_local:
        return LocalLauncher()
    from gym_gui.services.trainer.launchers.ray_jobs import RayLauncher

    return RayLauncher(address)
