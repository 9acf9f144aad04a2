"""Which runs may go: by number, by age, by size. What is pinned by the tag ``keep`` stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gym_gui.core.clock import Clock
from gym_gui.core.records import RunRecord
from gym_gui.services.registry import RunRegistry

KEEP_TAG = "keep"
TRASH_S = 7 * 86_400.0  # what lies in the trash that long is deleted for good


@dataclass(frozen=True, slots=True)
class Retention:
    """Limits; 0 is no limit. ``max_bytes`` is of all runs together."""

    max_runs: int = 0
    max_days: float = 0.0
    max_bytes: int = 0


def surplus(
    runs: Iterable[RunRecord], sizes: dict[str, int], limits: Retention, *, now_ns: int
) -> list[RunRecord]:
    """Return the runs that are too many, oldest first. Runs under way and kept ones never are."""
    newest_first = sorted(runs, key=lambda run: run.created_ns, reverse=True)
    found, size = [], 0
    for number, run in enumerate(newest_first, 1):
        size += sizes.get(run.run_id, 0)
        too_many = bool(limits.max_runs) and number > limits.max_runs
        too_old = bool(limits.max_days) and now_ns - run.created_ns > limits.max_days * 86_400e9
        too_big = bool(limits.max_bytes) and size > limits.max_bytes
        free = run.state.is_final and KEEP_TAG not in run.spec.tags
        if free and (too_many or too_old or too_big):
            found.append(run)
    return found[::-1]


def apply_retention(
    registry: RunRegistry, limits: Retention, *, clock: Clock | None = None
) -> list[str]:
    """Put what is too much in the trash, and empty it of what has lain there for a week.

    Where the size is limited the trash is emptied at once: it would take the room that is wanted.
    Returns the ids that were put there; ``RunRegistry.restore`` takes them out again.
    """
    runs = registry.list()
    sizes = {run.run_id: registry.size_bytes(run.run_id) for run in runs if limits.max_bytes}
    now_ns = (clock or Clock()).wall_ns()
    put = registry.trash(run.run_id for run in surplus(runs, sizes, limits, now_ns=now_ns))
    registry.empty_trash(older_than_s=0.0 if limits.max_bytes else TRASH_S)
    return put
