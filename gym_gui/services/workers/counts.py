"""How the script's own count of steps and that of its environments' steps belong together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class VectorCounts:
    """Sums up the vector environments of a run, from its ``vector_totals`` events and resets."""

    def __init__(self, vector_steps: int = 0, autoresets: int = 0) -> None:
        self._before = vector_steps  # read from the file, when the events' owners are not known
        self._latest: dict[str, int] = {}
        self.autoresets = autoresets

    @property
    def vector_steps(self) -> int:
        """Steps as the script counts them, with its vector environments."""
        return max(self._before, sum(self._latest.values()))

    def add(self, events: Iterable[Any], resets: Iterable[Any]) -> None:
        """Take what a batch of live records says."""
        from gym_gui.core.records import STEP_RESET

        for entry in events:
            if entry.event == "vector_totals":
                self._latest[str(entry.data.get("vector"))] = int(entry.data.get("global_step", 0))
        self.autoresets += sum(bool(reset.flags & STEP_RESET) for reset in resets)

    def __str__(self) -> str:
        return vector_note(self.vector_steps, self.autoresets)


def vector_note(vector_steps: int, autoresets: int) -> str:
    """Return how the script's count differs from the environments'; empty where it does not."""
    if not autoresets or not vector_steps:
        return ""
    return f"the script counts {vector_steps:,}, with {autoresets:,} autoresets"
