"""Pause and pace for those who cannot reach a run's rings themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gym_gui.core.errors import DaemonError, RingError
from gym_gui.fastlane import FastLaneReader
from gym_gui.fastlane.liveness import rings

LEASE_S = 3.0  # a word holds so long; whoever wants it to go on says it again


class ControlDesk:
    """Holds the control leases of runs whose rings are in ``ring_dir``, in an event loop."""

    def __init__(self, ring_dir: Path) -> None:
        self._ring_dir = ring_dir
        self._held: dict[str, list[FastLaneReader]] = {}
        self._lapses: dict[str, asyncio.TimerHandle] = {}

    def set(self, run_id: str, *, paused: bool | None, max_steps_per_s: float | None) -> None:
        """Pause or pace every process of a run for ``LEASE_S``; None and None gives it back.

        Raises DaemonError when no process of the run listens.
        """
        readers: list[FastLaneReader] = []
        if paused is not None or max_steps_per_s is not None:
            readers = self._attach(run_id)
            for reader in readers:
                reader.set_control(bool(paused), max_steps_per_s or 0.0, LEASE_S)
        self.give_back(run_id)  # what was held before: the newer word stays
        if readers:
            loop = asyncio.get_running_loop()
            self._held[run_id] = readers
            self._lapses[run_id] = loop.call_later(LEASE_S, self.give_back, run_id)

    def give_back(self, run_id: str) -> None:
        """Let go of a run. Twice is safe."""
        timer = self._lapses.pop(run_id, None)
        if timer is not None:
            timer.cancel()
        for reader in self._held.pop(run_id, ()):
            reader.close()

    def close(self) -> None:
        for run_id in list(self._held):
            self.give_back(run_id)

    def _attach(self, run_id: str) -> list[FastLaneReader]:
        ring_dir = self._ring_dir
        found = []
        for channel in rings(run_id, ring_dir):
            try:
                found.append(FastLaneReader.attach(run_id, channel, ring_dir=ring_dir))
            except (RingError, FileNotFoundError):
                continue  # that process has just ended
        if not found:
            raise DaemonError(
                f"No process of {run_id} can be paused or slowed now.",
                next_step="It can while its script steps environments that the program sees.",
            )
        return found
