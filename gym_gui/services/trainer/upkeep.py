"""What the daemon does now and then: keep runs within limits, and end when nobody needs it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir
from gym_gui.services.registry import RunRegistry
from gym_gui.services.retention import Retention, apply_retention
from gym_gui.services.settings import Settings

RETENTION_S = 3600.0  # between two looks at the limits


class Idleness:
    """How long nobody has needed the daemon.

    limit_s: after so many seconds ``is_over`` says True; 0 never does.
    """

    def __init__(self, limit_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._since = clock()

    def is_over(self, *, needed: bool) -> bool:
        """Take one look; True when it has not been needed for the whole limit."""
        if needed:
            self._since = self._clock()
        return bool(self._limit_s) and self._clock() - self._since >= self._limit_s


async def keep_up(
    data_dir: DataDir,
    stopping: asyncio.Event,
    is_needed: Callable[[], bool],
    *,
    has_folder: Callable[[], bool],
    idle_s: float,
) -> None:
    """Look after the daemon until ``stopping``.

    That is set when nobody has needed it, or when its data folder was deleted or moved away: a
    daemon of no folder would only keep the next one from starting.
    """
    idleness = Idleness(idle_s)
    look_s = min(5.0, idle_s / 4) if idle_s else 5.0
    next_retention = 0.0
    while not stopping.is_set():
        if time.monotonic() >= next_retention:
            next_retention = time.monotonic() + RETENTION_S
            await asyncio.to_thread(_keep_within_limits, data_dir)
        if not has_folder():
            logging.warning("the data folder %s is not there any more", data_dir.root)
            stopping.set()
        if idleness.is_over(needed=is_needed()):
            logging.info("no run and no client for %g s", idle_s)
            stopping.set()
        try:
            await asyncio.wait_for(stopping.wait(), look_s)
        except TimeoutError:
            continue


def limits(settings: Settings) -> Retention:
    """Return the limits that the preferences set."""
    return Retention(
        max_days=settings["retention.keep_days"],
        max_bytes=int(settings["retention.max_gb"] * 1e9),
    )


def _keep_within_limits(data_dir: DataDir) -> None:
    """Put what is too much in the trash; it is deleted for good a week later."""
    wanted = limits(Settings.load(data_dir.settings))
    try:
        with RunRegistry(data_dir) as registry:
            for run_id in apply_retention(registry, wanted):
                logging.info("%s is in the trash: the limits in the preferences", run_id)
    except (GymGuiError, OSError) as error:
        logging.warning("the limits in the preferences cannot be kept: %s", error)
