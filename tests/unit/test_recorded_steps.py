"""What the tap writes of an environment's steps reads back as what was stepped, in every form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from gym_gui.telemetry.batch import StepColumns
from gym_gui.telemetry.spool_decoder import SpoolDecoder
from gym_gui.worker.envtap import tap_env
from gym_gui.worker.session import TapSession
from gym_gui.worker.vector import VectorGroup

F4, F8 = np.float32, np.float64


class Listed(gym.Env[Any, Any]):
    """Gives the observations of a list, one a step, the same array written over each time."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gym.spaces.Discrete(9)

    def __init__(self, seen: list[Any]) -> None:
        self._seen = seen
        self._at = -1

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._seen[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._at += 1
        if isinstance(action, np.ndarray) and action.shape:
            action *= 0  # an environment may do so: what was given is what counts
        return self._seen[self._at], self._at / 3, False, self._at == len(self._seen) - 1, {}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TapSession]:
    found = TapSession({"run_id": "r", "spool_dir": str(tmp_path / "spool"), "live": "off"})
    yield found
    found.end()


def recorded(session: TapSession, spool: Path) -> tuple[StepColumns, set[str]]:
    """Return the recorded steps, and the forms of record they came in."""
    session.end()
    (segment,) = spool.glob("*/*.jsonl")
    data = segment.read_bytes()
    decoded = SpoolDecoder("c").decode(data)
    assert decoded.rejected == []
    assert decoded.batch is not None
    forms = {json.loads(line)["type"] for line in data.splitlines()}
    return decoded.batch.steps, forms & {"step", "vstep", "packed"}


ACTIONS = [
    3, np.int64(4), np.array([0.1, -0.0], F4), np.array([0.5, np.nan], F4), np.array([1.5, 2], F8),
    5, np.float32(0.1), np.array(0.25, F4), 1 << 70, True, [1, 2], np.array([7, 8]), 6,
]  # fmt: skip
SEEN = {
    "32-bit": [np.array([n, -0.1], F4) for n in range(13)],
    "64-bit": [np.array([n / 3, np.inf]) for n in range(13)],
    "of changing kind": [np.full(1 + n % 3, n, (F4, F8)[n % 2]) for n in range(13)],
    "whole numbers": list(range(13)),
}


def as_json(value: Any) -> Any:
    """Return a value as JSON holds it, in the digits of its own type."""
    if isinstance(value, np.ndarray):
        return [as_json(part) for part in value] if value.shape else as_json(value[()])
    if isinstance(value, (float, np.floating)):
        names = {np.inf: "Infinity", -np.inf: "-Infinity"}
        return "NaN" if np.isnan(value) else names.get(float(value), value)
    return value.item() if isinstance(value, np.generic) else value


def same(read: Any, meant: Any) -> bool:
    """Compare as the type of what was meant does: 0.1 written for a 32-bit float is that float."""
    if isinstance(meant, list):
        return len(read) == len(meant) and all(map(same, read, meant))
    if isinstance(meant, np.floating):
        return type(meant)(read).tobytes() == meant.tobytes()
    return read == meant


@pytest.mark.parametrize("gathered", [False, True], ids=["alone", "in a vector"])
@pytest.mark.parametrize("kind", SEEN)
def test_steps_read_back_as_they_were(session, tmp_path, kind: str, gathered: bool):
    env = Listed(SEEN[kind])
    tap = tap_env(session, env)
    group = VectorGroup(session, [tap], 1, holds=False)
    env.reset(seed=1)
    given = [a.copy() if isinstance(a, np.ndarray) else a for a in ACTIONS]
    for action in ACTIONS:
        if gathered:
            group.begin(None, stepping=True)
        env.step(action)
        if gathered:
            group.commit()
    steps, forms = recorded(session, tmp_path / "spool")
    actions = [json.loads(a) if isinstance(a, str) else a for a in steps.action]
    assert all(map(same, actions, map(as_json, given))), actions
    assert all(map(same, map(json.loads, steps.observation), map(as_json, SEEN[kind])))
    assert list(steps.reward) == [n / 3 for n in range(13)]
    assert list(steps.index) == list(steps.step) == list(range(13))
    assert list(steps.flags) == [0] * 12 + [2]
    assert ("packed" in forms) == (kind == "64-bit" or (gathered and kind != "whole numbers"))
