"""What any store of a run can do: the one seam behind which SQLite stands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from gym_gui.core.records import RunSpec
from gym_gui.telemetry.batch import RecordBatch


class StopAskedError(Exception):
    """A long look at a file was broken off because its caller wished so."""


@dataclass(slots=True)
class Totals:
    """What is committed of a run. Returns are None until an episode has ended."""

    steps: int = 0
    episodes: int = 0
    resets: int = 0
    autoresets: int = 0  # of these: in the place of a step of a vector environment
    metrics: int = 0
    logs: int = 0
    frames: int = 0
    events: int = 0
    last_return: float | None = None
    best_return: float | None = None


class TelemetryStore(Protocol):
    """Where one run's records are kept. One writer at a time; used from one thread.

    ``write`` only inside ``atomic()``; when its block ends without an error everything written in
    it is durable, otherwise nothing is. Errors are those of ``core.errors.StorageError``:
    ``StoreBusyError`` and ``StoreSpaceError`` may be tried again, the others not.
    """

    def atomic(self) -> AbstractContextManager[None]: ...

    def write(self, batch: RecordBatch) -> None: ...

    def write_spec(self, spec: RunSpec) -> None: ...

    def high_water(self, channel: str) -> int:
        """Return the last committed sequence number of ``channel``, 0 before the first."""
        ...

    def resolve_streams(self, channel: str, instances: Sequence[int]) -> dict[int, int]:
        """Return the run's stream number of each instance. Safe from any thread."""
        ...

    def totals(self) -> Totals: ...

    def close(self) -> None: ...
