"""Between records and rows: how each value lies in the file, and how it comes back.

Ids put the stream (or channel) above 40 bits of index (or sequence number).
Numbers that SQLite has no form for: NaN in a REAL column is NULL; an action or seed that is
neither a 64-bit integer nor a number is its JSON text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from gym_gui.core.records import (
    STEP_TERMINATED,
    STEP_TRUNCATED,
    EpisodeRecord,
    ResetRecord,
    StepRecord,
    StreamInfo,
)
from gym_gui.telemetry.batch import StepColumns

INDEX_BITS = 40
INDEX_MASK = (1 << INDEX_BITS) - 1
MAX_STREAM = (1 << 23) - 1
_INT64 = 1 << 63
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

_decode = msgspec.json.Decoder().decode


def row_id(stream: int, index: int) -> int:
    """Return the key of a stream's step, frame or reset, or of a channel's record."""
    return stream << INDEX_BITS | index


def finite_text(value: Any) -> Any:
    """Return ``value`` with each float that JSON has no form for as its name."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): finite_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_text(item) for item in value]
    return value


def to_json(value: Any) -> str:
    """Return any plain value as JSON text, exactly."""
    return json.dumps(finite_text(value), separators=(",", ":"), allow_nan=False)


def from_json(text: str | None) -> Any:
    """Return the value of a JSON text, names of non-finite numbers as the numbers."""
    if text is None or text == "":
        return None
    try:
        value = _decode(text)
    except msgspec.DecodeError:
        value = json.loads(text)  # integers beyond 64 bits and the like
    return _named_numbers(value) if "N" in text or "I" in text else value


def _named_numbers(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, list):
        return [_named_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _named_numbers(item) for key, item in value.items()}
    return value


def action_cell(action: Any) -> int | float | str | None:
    """Return an action as a batch and the file hold it."""
    if action is None:
        return None
    if type(action) is int and -_INT64 <= action < _INT64:
        return action
    if type(action) is float and math.isfinite(action):
        return action
    return to_json(action)


def action_value(cell: int | float | str | None) -> Any:
    """Return the action of a cell."""
    return from_json(cell) if isinstance(cell, str) else cell


def seed_cell(seed: int | None) -> int | str | None:
    """Return a seed as the file holds it: beyond 64 bits as decimal text."""
    return seed if seed is None or -_INT64 <= seed < _INT64 else str(seed)


def real(value: float | None) -> float:
    """Return a REAL cell as a float."""
    return math.nan if value is None else value


def success_cell(success: bool | None) -> int | None:
    """Return a success mark as the file holds it."""
    return None if success is None else int(success)


STEP_COLUMNS = "id,episode,step,action,reward,flags,time_ns,observation,agent,proposed_action"


def step_record(row: Sequence[Any]) -> StepRecord:
    """Return the step of a row of ``STEP_COLUMNS``."""
    key, episode, step, action, reward, flags, time_ns, observation, agent, proposed = row
    return StepRecord(
        stream=key >> INDEX_BITS,
        index=key & INDEX_MASK,
        episode=episode,
        step=step,
        action=from_json(action) if type(action) is str else action,
        reward=math.nan if reward is None else reward,
        terminated=bool(flags & STEP_TERMINATED),
        truncated=bool(flags & STEP_TRUNCATED),
        observation=from_json(observation),
        time_ns=time_ns,
        agent=agent or "",
        flags=flags,
        proposed_action=from_json(proposed) if type(proposed) is str else proposed,
    )


def step_columns(steps: Sequence[StepRecord]) -> StepColumns:
    """Return steps as a batch holds them."""
    return StepColumns(
        stream=[s.stream for s in steps],
        index=[s.index for s in steps],
        episode=[s.episode for s in steps],
        step=[s.step for s in steps],
        action=[action_cell(s.action) for s in steps],
        reward=[float(s.reward) for s in steps],
        flags=[
            s.flags | STEP_TERMINATED * s.terminated | STEP_TRUNCATED * s.truncated for s in steps
        ],
        time_ns=[s.time_ns for s in steps],
        observation=["" if s.observation is None else to_json(s.observation) for s in steps],
        agent=[s.agent for s in steps],
        proposed_action=[action_cell(s.proposed_action) for s in steps],
    )


EPISODE_COLUMNS = (
    "stream,episode,length,return,terminated,truncated,start_ns,end_ns,agent,success,first_index"
)


def episode_record(row: Sequence[Any]) -> EpisodeRecord:
    """Return the episode of a row of ``EPISODE_COLUMNS``."""
    success = row[9]
    return EpisodeRecord(
        row[0],
        row[1],
        row[2],
        real(row[3]),
        bool(row[4]),
        bool(row[5]),
        row[6],
        row[7],
        row[8],
        None if success is None else bool(success),
        row[10],
    )


RESET_COLUMNS = "id,seed,options,rng_state,snapshot,observation,time_ns"


def reset_record(row: Sequence[Any]) -> ResetRecord:
    """Return the reset of a row of ``RESET_COLUMNS``; its flags have a table of their own."""
    return ResetRecord(
        stream=row[0] >> INDEX_BITS,
        episode=row[0] & INDEX_MASK,
        seed=None if row[1] is None else int(row[1]),
        options=from_json(row[2]),
        rng_state=json.loads(row[3]) if row[3] else None,
        snapshot=row[4],
        observation=from_json(row[5]),
        time_ns=row[6],
    )


STREAM_COLUMNS = (
    "stream,channel,instance,env_id,spec_json,render_mode,observation_space,action_space,"
    "agents,reproducible,note"
)


def stream_info(row: Sequence[Any]) -> StreamInfo:
    """Return the environment instance of a row of ``STREAM_COLUMNS``."""
    names = STREAM_COLUMNS.split(",")
    values: dict[str, Any] = dict(zip(names, row, strict=True))
    values.update(agents=json.loads(row[8]), reproducible=bool(row[9]))
    return StreamInfo(**values)
