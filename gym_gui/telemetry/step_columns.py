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

STEP_KINDS = frozenset({spool.Step, spool.VStep, spool.Packed, spool.VPacked})
PACKED_KINDS = frozenset({spool.Packed, spool.VPacked})
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_EMPTY = {"agent": "", "proposed_action": None}  # what stands for nothing, in these columns


def step_columns(records: Sequence[Any]) -> StepColumns:
    """Return the steps of records of steps, of whatever kind, in their order."""
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


def check_packed(records: Sequence[spool.Packed | spool.VPacked]) -> None:
    """Raise ProtocolError where a packed number is out of its range."""
    whole = [record for record in records if isinstance(record, spool.VPacked)]
    if any(_vector_steps(record)["time"].min() < 0 for record in whole):
        raise ProtocolError("A packed vector step's time is out of range.")
    for form, group in groupby([r for r in records if isinstance(r, spool.Packed)], _form):
        places = _unpacked(list(group), form)["places"]
        if places.min() < 0 or places.max() > INDEX_MASK or places[:, 0].max() >= 1 << 31:
            raise ProtocolError("A packed step's stream, or its place, is out of range.")


def _packed_columns(records: Sequence[spool.Packed]) -> StepColumns:
    found = StepColumns(*([] for _ in range(9)))
    for form, group in groupby(records, _form):
        some = list(group)
        rows = _unpacked(some, form)
        times = [record.time_ns for record in some for _ in range(record.count)]
        _extend(found, form, rows["places"], times, rows)
    return found


def _vpacked_columns(records: Sequence[spool.VPacked]) -> StepColumns:
    found = StepColumns(*([] for _ in range(9)))
    for record in records:
        steps = _vector_steps(record)
        places = (
            np.array(record.places)[None, :, :] + _ONWARD * np.arange(len(steps))[:, None, None]
        )
        times = np.repeat(steps["time"], len(record.places)).tolist()
        columns = {name: _rows_of(steps[name]) for name in _VECTOR_FIELDS}
        _extend(found, _form(record), places.reshape(-1, 4), times, columns)
    return found


_ONWARD = np.array([0, 1, 0, 1])  # from a step's place to the next one's
_VECTOR_FIELDS = ("action", "reward", "flags", "observation")


def _rows_of(column: np.ndarray) -> np.ndarray:
    """Return the vector steps' parts one after another."""
    return column.reshape(-1, *column.shape[2:])


def _extend(found: Any, form: _Form, places: np.ndarray, times: list[int], rows: Any) -> None:
    """Append packed steps. rows: their reward, flags, action and observation, by name."""
    dtype, shape, action_dtype, action_shape = form
    for name, column in zip(("stream", "index", "episode", "step"), places.T.tolist(), strict=True):
        getattr(found, name).extend(column)
    found.reward.extend(rows["reward"].tolist())
    found.flags.extend(rows["flags"].tolist())
    found.time_ns.extend(times)
    found.observation.extend(_array_texts(rows["observation"], dtype, shape))
    if action_dtype is None:
        found.action.extend(rows["action"].tolist())
    else:
        texts = _array_texts(rows["action"], action_dtype, action_shape)
        found.action.extend(texts if action_shape else [_cell(text) for text in texts])


_Form: TypeAlias = tuple[str, tuple[int, ...], str | None, tuple[int, ...]]


def _form(record: spool.Packed | spool.VPacked) -> _Form:
    action_shape = tuple(record.action_shape)
    return record.dtype, tuple(record.shape), record.action_dtype, action_shape


def _unpacked(records: Sequence[spool.Packed], form: _Form) -> np.ndarray:
    return np.frombuffer(b"".join([record.data for record in records]), _layout(form))


def _vector_steps(record: spool.VPacked) -> np.ndarray:
    return np.frombuffer(record.data, _vector_layout(_form(record), len(record.places)))


@lru_cache(256)
def _layout(form: _Form) -> np.dtype:
    """Return how numpy reads packed steps: see ``core.numbers.PACKED_STEP``."""
    numbers = [("places", "<i8", (4,)), ("reward", "<f8"), ("flags", "u1")]
    return np.dtype([*numbers, *_arrays(form)])


@lru_cache(256)
def _vector_layout(form: _Form, parts: int) -> np.dtype:
    """Return how numpy reads packed vector steps."""
    fields = [("flags", np.dtype("u1"), ()), *_arrays(form), ("reward", np.dtype("<f8"), ())]
    by_name = {name: (name, dtype, (parts, *shape)) for name, dtype, shape in fields}
    order = ("flags", "action", "reward", "observation")
    return np.dtype([("time", "<i8"), *(by_name[name] for name in order)])


def _arrays(form: _Form) -> list[tuple[str, np.dtype, tuple[int, ...]]]:
    """Return the fields of a step's action and observation; arrays are flat."""
    dtype, shape, action_dtype, action_shape = form
    action = ("action", np.dtype("<i8"), ())
    if action_dtype is not None:
        action = ("action", _little(action_dtype), (math.prod(action_shape),))
    return [action, ("observation", _little(dtype), (math.prod(shape),))]


def _little(dtype: str) -> np.dtype:
    return np.dtype(dtype).newbyteorder("<")


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
    spool.VPacked: _vpacked_columns,
}
