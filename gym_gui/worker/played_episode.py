"""One episode of a human session as it is played: how it began, and the steps that stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class PlayedEpisode:
    """reset, steps: fields of the records. first_index: the stream's steps before this episode."""

    reset: dict[str, Any]
    first_index: int
    steps: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False

    @property
    def return_(self) -> float:
        return sum(step["reward"] for step in self.steps)

    def without_last(self) -> PlayedEpisode:
        """Return the episode one step earlier, going on."""
        return PlayedEpisode(self.reset, self.first_index, self.steps[:-1])
