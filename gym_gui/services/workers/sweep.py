"""Sweeps: one set of values becomes many, over seeds and over chosen settings."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from gym_gui.core.errors import UsageError
from gym_gui.core.records import RunSpec
from gym_gui.services.workers.base import Worker
from gym_gui.services.workers.spec import build_spec

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


def read_sweep(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each setting from ``seed=1-5``. Raises UsageError."""
    grid: dict[str, list[str]] = {}
    for text in texts:
        name, equals, items = text.partition("=")
        name = name.strip().lstrip("-")
        if not equals or not name or not parse_list(items):
            raise UsageError(f"{text!r} is no sweep.", next_step="Write it like seed=1-5.")
        grid[name] = parse_list(items)
    return grid


def write_sweep(grid: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the texts that ``read_sweep`` reads as ``grid``, ranges written short."""
    return [f"{name}={_short(items)}" for name, items in grid.items()]


def _short(items: Sequence[str]) -> str:
    whole = all(re.fullmatch(r"\d{1,9}", item) for item in items)
    first, last = (int(items[0]), int(items[-1])) if whole else (0, 0)
    if len(items) > 2 and list(items) == [str(number) for number in range(first, last + 1)]:
        return f"{first}-{last}"
    return ",".join(items)


def expand(
    worker: Worker, values: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]
) -> list[dict[str, Any]]:
    """Return one set of values for each combination of ``grid``'s settings, in order.

    A worker that passes unknown options on gets a setting it does not know as ``--name value``.
    Raises UsageError for a setting the worker does not have, and for more than LIMIT runs.
    """
    fields = {field.name: field for field in worker.form(values)}
    chosen: dict[str, list[Any]] = {}
    for name, items in grid.items():
        known = fields.get(name) or fields.get(name.replace("-", "_"))
        if not items:
            continue
        if known is not None:
            chosen[known.name] = [known.parse(item) for item in items]
        elif worker.accepts_unknown:
            chosen[name] = list(items)
        else:
            raise UsageError(
                f"{worker.title} has no setting {name!r} to sweep over.",
                next_step="Choose one of: " + ", ".join(fields) + ".",
            )
    combinations = itertools.islice(itertools.product(*chosen.values()), LIMIT + 1)
    runs = [_with(values, fields, dict(zip(chosen, one, strict=True))) for one in combinations]
    if len(runs) > LIMIT:
        raise UsageError(
            f"This sweep has more than {LIMIT} runs.", next_step="Sweep over fewer values."
        )
    return runs


def _with(
    values: Mapping[str, Any], fields: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    words = list(values.get("args") or [])
    for name, value in chosen.items():
        if name not in fields:
            words = set_option(words, f"--{name}", str(value))
    known = {name: value for name, value in chosen.items() if name in fields}
    return {**values, **known, **({"args": words} if words else {})}


def set_option(words: Sequence[str], option: str, value: str) -> list[str]:
    """Return ``words`` in which ``option`` has ``value``; it is added where it is not."""
    changed = list(words)
    for place, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if name.replace("_", "-") != option.replace("_", "-"):
            continue
        if equals:
            changed[place] = f"{name}={value}"
            return changed
        if place + 1 < len(words):
            changed[place + 1] = value
            return changed
    return [*changed, option, value]


def label(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return what tells one run of a sweep from the others, such as ``seed=3 gamma=0.9``."""
    return " ".join(f"{name}={values[name]}" for name in names if name in values)


def sweep_specs(
    worker: Worker, values: Mapping[str, Any], grid: Mapping[str, Sequence[str]], **options: Any
) -> list[RunSpec]:
    """Return the runs of a sweep, of one group and named by what tells them apart.

    options: keyword arguments of ``build_spec``, for all of them. Raises UsageError.
    """
    base = options.pop("name", "") or worker.default_name(worker.complete(values))
    group = options.pop("group", "") or time.strftime(f"{base} %Y-%m-%d %H:%M:%S")
    specs = []
    combinations = itertools.product(*grid.values())
    for one, combination in zip(expand(worker, values, grid), combinations, strict=True):
        told = label(dict(zip(grid, combination, strict=True)), list(grid))
        specs.append(build_spec(worker, one, name=f"{base} {told}", group=group, **options))
    return specs
