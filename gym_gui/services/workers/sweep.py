"""Sweeps: one set of values becomes many, over seeds and over chosen settings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gym_gui.core.errors import UsageError
from gym_gui.services.workers.base import Worker

LIMIT = 1000  # runs of one sweep: more is taken for a slip of the finger

_RANGE = re.compile(r"(-?\d+)\s*(?:-|\.\.)\s*(-?\d+)\Z")


def parse_list(text: str) -> list[str]:
    """Return the items of ``1, 2, 5-8``: commas between items, whole-number ranges spelled out."""
    items: list[str] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = _RANGE.match(part)
        if found is None:
            items.append(part)
            continue
        first, last = int(found[1]), int(found[2])
        if not 0 <= last - first < LIMIT:
            raise UsageError(f"{part!r} is no range.", next_step="Write it like 1-5.")
        items += [str(number) for number in range(first, last + 1)]
    return items


def expand(
    worker: Worker, values: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]
) -> list[dict[str, Any]]:
    """Return one set of values for each combination of ``grid``'s settings, in order.

    Raises UsageError for a setting the worker does not have, and for more than LIMIT runs.
    """
    fields = {field.name: field for field in worker.form(values)}
    chosen: dict[str, list[Any]] = {}
    for name, items in grid.items():
        if name not in fields:
            raise UsageError(
                f"{worker.title} has no setting {name!r} to sweep over.",
                next_step="Choose one of: " + ", ".join(fields) + ".",
            )
        if items:
            chosen[name] = [fields[name].parse(item) for item in items]
    runs = [
        {**values, **dict(zip(chosen, combination, strict=True))}
        for combination in itertools.islice(itertools.product(*chosen.values()), LIMIT + 1)
    ]
    if len(runs) > LIMIT:
        raise UsageError(
            f"This sweep has more than {LIMIT} runs.", next_step="Sweep over fewer values."
        )
    return runs


def label(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return what tells one run of a sweep from the others, such as ``seed=3 gamma=0.9``."""
    return " ".join(f"{name}={values[name]}" for name in names if name in values)
