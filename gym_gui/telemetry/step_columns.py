"""From the records of steps, in any of their forms, to columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import chain, groupby
from types import NoneType
from typing import Any, TypeAlias

import msgspec
import numpy as np

from gym_gui.core.errors import ProtocolError
from gym_gui.core.numbers import CODES, many_floats
from gym_gui.core.records import STEP_TERMINATED, STEP_TRUNCATED
from gym_gui.telemetry import spool_records as spool
from gym_gui.telemetry.batch import StepColumns
from gym_gui.telemetry.rows import INDEX_MASK, from_json

STEP_KINDS = frozenset({spool.Step, spool.VStep, spool.Packed})
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_EMPTY = {"agent": "", "proposed_action": None}  # what stands for nothing, in these columns


def step_columns(records: Sequence[Any]) -> StepColumns:
    """Return the steps of ``Step``, ``VStep`` and ``Packed`` records, in their order."""
    parts = [_COLUMNS[kind](list(group)) for kind, group in groupby(records, type)]
    if len(parts) == 1:
        return parts[0]
    joined = StepColumns()
    for name in (field.name for field in fields(StepColumns)):
        columns = [getattr(part, name) for part in parts]
        if name in _EMPTY:
            if not any(columns):
                continue
            columns = [
                column or [_EMPTY[name]] * len(part)
                for column, part in zip(columns, parts, strict=True)
            ]
        setattr(joined, name, list(chain.from_iterable(columns)))
    return joined


def check_packed(records: Sequence[spool.Packed]) -> None:
    """Raise ProtocolError where a packed number is out of its range."""
    for form, group in groupby(records, _form):
        places = _unpacked(list(group), form)["places"]
        if places.min() < 0 or places.max() > INDEX_MASK or places[:, 0].max() >= 1 << 31:
            raise ProtocolError("A packed step's stream, or its place, is out of range.")


def _packed_columns(records: Sequence[spool.Packed]) -> StepColumns:
    found = StepColumns(*([] for _ in range(9)))
    for form, group in groupby(records, _form):
        some = list(group)
        rows = _unpacked(some, form)
        stream, index, episode, step = rows["places"].T.tolist()
        columns = {"stream": stream, "index": index, "episode": episode, "step": step}
        columns |= {name: rows[name].tolist() for name in ("reward", "flags")}
        columns["time_ns"] = [record.time_ns for record in some for _ in range(record.count)]
        dtype, shape, action_dtype, action_shape = form
        columns["observation"] = _array_texts(rows["observation"], dtype, shape)
        if action_dtype is None:
            columns["action"] = rows["action"].tolist()
        else:
            texts = _array_texts(rows["action"], action_dtype, action_shape)
            columns["action"] = texts if action_shape else [_cell(text) for text in texts]
        for name, column in columns.items():
            getattr(found, name).extend(column)
    return found


_Form: TypeAlias = tuple[str, tuple[int, ...], str | None, tuple[int, ...]]


def _form(record: spool.Packed) -> _Form:
    action_shape = tuple(record.action_shape)
    return record.dtype, tuple(record.shape), record.action_dtype, action_shape


def _unpacked(records: Sequence[spool.Packed], form: _Form) -> np.ndarray:
    return np.frombuffer(b"".join([record.data for record in records]), _layout(form))


@lru_cache(256)
def _layout(form: _Form) -> np.dtype:
    """Return how numpy reads packed steps: see ``core.numbers.PACKED_STEP``."""
    dtype, shape, action_dtype, action_shape = form
    parts = [("places", "<i8", (4,)), ("reward", "<f8"), ("flags", "u1")]
    if action_dtype is None:
        parts.append(("action", "<i8"))
    else:
        parts.append(_floats("action", action_dtype, action_shape))
    return np.dtype([*parts, _floats("observation", dtype, shape)])


def _floats(name: str, dtype: str, shape: tuple[int, ...]) -> Any:
    return name, np.dtype(dtype).newbyteorder("<"), (math.prod(shape),)


def _array_texts(rows: np.ndarray, dtype: str, shape: tuple[int, ...]) -> list[str]:
    return many_floats(tuple(rows.ravel().tolist()), shape, CODES[dtype], len(rows))


def _vstep_columns(records: Sequence[spool.VStep]) -> StepColumns:
    has_agents = any(record.agents for record in records)
    found = StepColumns(*([] for _ in range(9)))
    for record in records:
        _add_vstep(found, record, has_agents)
    return found


def _add_vstep(columns: Any, record: spool.VStep, has_agents: bool) -> None:
    count = len(record.streams)
    columns.stream.extend(record.streams)
    columns.index.extend(record.index)
    columns.episode.extend(record.episode)
    columns.step.extend(record.step)
    columns.action.extend(_cells(record.action))
    columns.reward.extend(_numbers(record.reward))
    columns.flags.extend(_flags(record.terminated, record.truncated, record.flags))
    columns.time_ns.extend([record.time_ns] * count)
    columns.observation.extend(_texts(record.observation))
    if has_agents:
        columns.agent.extend(record.agents or [""] * count)


def number(value: float | str) -> float:
    """Return a number as it was written: NaN and infinities by their names."""
    return _NOT_FINITE[value] if isinstance(value, str) else value


def _numbers(values: list[Any]) -> list[float]:
    """Return floats; looks at single values only where one is a name."""
    if str in set(map(type, values)):
        return [number(value) for value in values]
    return values


def _cells(raws: Sequence[msgspec.Raw]) -> list[int | float | str | None]:
    """Return actions as a batch holds them: numbers as such, else the text as written."""
    try:
        values = _any.decode(b"[" + b",".join(raws) + b"]")
    except NOT_JSON:
        values = []
    kinds = set(map(type, values))
    if values and kinds <= _PLAIN and (kinds == {float} or _are_int64(values)):
        return values
    return [_cell(str(raw, "utf-8")) for raw in raws]  # type: ignore[arg-type]


_any = msgspec.json.Decoder()
_PLAIN = {int, float, NoneType}


def _are_int64(values: Sequence[int | float | None]) -> bool:
    whole = [value for value in values if type(value) is int]
    return not whole or (min(whole) >= -(1 << 63) and max(whole) < 1 << 63)


def _cell(text: str) -> int | float | str | None:
    if text.isdecimal() and len(text) < 19:
        return int(text)
    if text == "null":
        return None
    if text[0] in "-0123456789":
        value = from_json(text)
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
            return value
    return text


def _texts(raws: Sequence[msgspec.Raw]) -> list[str]:
    """Return JSON texts as they were written, without a line break between their parts."""
    texts = b"\n".join(raws).decode().split("\n") if raws else []
    if len(texts) != len(raws):
        return [bytes(raw).decode().replace("\n", " ") for raw in raws]
    return texts


def _flags(terminated: list[bool], truncated: list[bool], flags: list[int]) -> list[int]:
    ends = [
        STEP_TERMINATED * a | STEP_TRUNCATED * b for a, b in zip(terminated, truncated, strict=True)
    ]
    return [a | b for a, b in zip(ends, flags, strict=True)] if any(flags) else ends


def _step_columns(steps: list[spool.Step]) -> StepColumns:
    agents = [s.agent for s in steps]
    proposed = [s.proposed_action for s in steps]
    return StepColumns(
        stream=[s.stream for s in steps],
        index=[s.index for s in steps],
        episode=[s.episode for s in steps],
        step=[s.step for s in steps],
        action=_cells([s.action for s in steps]),
        reward=_numbers([s.reward for s in steps]),
        flags=_flags(
            [s.terminated for s in steps], [s.truncated for s in steps], [s.flags for s in steps]
        ),
        time_ns=[s.time_ns for s in steps],
        observation=_texts([s.observation for s in steps]),
        agent=agents if any(agents) else [],
        proposed_action=_cells(proposed) if any(p is not spool.NOTHING for p in proposed) else [],
    )


_COLUMNS: dict[type, Any] = {
    spool.Step: _step_columns,
    spool.VStep: _vstep_columns,
    spool.Packed: _packed_columns,
}
