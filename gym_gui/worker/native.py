"""Vector environments that step many copies inside themselves (gymnasium's own, EnvPool).

Their single environments cannot be seen: what the vector gives is recorded, one stream for each
row. A row that only resets (the step after an episode's end) is a ``reset`` record, not a step.
"""

from __future__ import annotations

import functools
import time
import weakref
from types import ModuleType
from typing import Any

from gym_gui.core.interrupts import let_through
from gym_gui.core.records import STEP_RESET
from gym_gui.worker import describe, encode
from gym_gui.worker.session import TapSession
from gym_gui.worker.subclass import extend, is_referable, tap_of

NOTE = "a native vector environment: recorded is what the vector gives, row by row"


class Row:
    """One stream of a native vector: its counters and what ``describe`` asks of a tap."""

    def __init__(self, owner: NativeTap, position: int) -> None:
        self.env = owner.env
        self.note = NOTE
        self.vector = {"id": owner.id, "index": position, "size": owner.size}
        self.stream = owner.session.new_stream()
        self.index = self.step = self.first_index = self.start_ns = 0
        self.episode = -1
        self.return_ = 0.0
        self.running = False


class NativeTap:
    """Records one native vector environment."""

    def __init__(self, session: TapSession, env: Any) -> None:
        self.session = session
        self.env = self.base = weakref.proxy(env) if is_referable(env) else env
        self.active = True
        self.inside = False
        self.size = _size(env)
        self.id = session.new_vector()
        self.calls = self.env_steps = self.autoresets = 0
        self.same_step = "same" in str(getattr(env, "metadata", {}).get("autoreset_mode")).lower()
        self._rows: list[Row] = []
        self._reported = self._told = 0
        session.own(self)

    def was_reset(self, seed: Any, options: Any, observations: Any, ids: Any) -> None:
        """Record a reset of all rows, or of those in ``ids``."""
        now = time.time_ns()
        self._declare()
        for position, number in enumerate(range(self.size) if ids is None else ids):
            row = self._rows[int(number)]
            if row.running and row.step:
                self._end(row, now, False, False)
            own_seed = seed[position] if isinstance(seed, (list, tuple)) else seed
            self._begin(row, now, own_seed, options, _take(observations, position), "")

    def stepped(self, actions: Any, result: Any, ids: Any) -> None:
        """Record one vector step; actions and results are batched."""
        observations, rewards, terminations, truncations = result[:4]
        now = time.time_ns()
        self._declare()
        self.calls += 1
        steps: list[tuple[Any, ...]] = []  # as ``encode.vector_step`` takes them
        ended = []
        for position, number in enumerate(range(self.size) if ids is None else ids):
            row = self._rows[int(number)]
            seen = _take(observations, position)
            if not row.running:
                self.autoresets += not self.same_step
                flags = "" if self.same_step else f',"flags":{STEP_RESET}'
                self._begin(row, now, None, None, None if self.same_step else seen, flags)
                if not self.same_step:
                    continue
            end, cut = bool(terminations[position]), bool(truncations[position])
            reward = encode.reward(rewards[position])
            action = encode.encode_action(_take(actions, position))
            place = (row.stream, row.index, row.episode, row.step)
            steps.append((*place, action, reward, end, cut, self.session.observation_text(seen)))
            row.index += 1
            row.step += 1
            row.return_ += reward
            if end or cut:
                ended.append((row, end, cut))
        if steps:
            self.env_steps += len(steps)
            self.session.append("vstep", encode.vector_step(steps, now))
        for row, end, cut in ended:
            self._end(row, now, end, cut)
        self._report(now)

    def finish(self) -> None:
        """Break off running episodes and report the totals."""
        for row in self._rows:
            if row.running and row.step:
                self._end(row, time.time_ns(), False, False)
        if self.calls:
            self._report(1 << 62)

    def after_fork(self) -> None:
        self._rows = []
        self.calls = self._told = self.env_steps = self.autoresets = 0

    def failed(self, error: BaseException) -> None:
        """Something of ours failed: this vector is left alone from here on."""
        let_through(error)
        self.active = False
        self.session.failed(f"Recording of {describe.env_id(self.env)} stopped", error)

    def _declare(self) -> None:
        if not self._rows:
            self._rows = [Row(self, position) for position in range(self.size)]
            for row in self._rows:
                self.session.append("run", describe.stream_body(row))

    def _begin(
        self, row: Row, now: int, seed: Any, options: Any, observation: Any, flags: str
    ) -> None:
        row.episode += 1
        row.step = 0
        row.return_ = 0.0
        row.first_index = row.index
        row.start_ns = now
        row.running = True
        seen = "null" if observation is None else self.session.observation_text(observation)
        self.session.append(
            "reset",
            f'"stream":{row.stream},"episode":{row.episode},"time_ns":{now},'
            f'"seed":{encode.compact(seed)},"options":{encode.compact(options)},'
            f'"rng":null,"snapshot":null,"observation":{seen}{flags}',
        )

    def _end(self, row: Row, now: int, terminated: bool, truncated: bool) -> None:
        row.running = False
        if terminated or truncated:
            self.session.lane.finished_episode(row.return_)
        self.session.append(
            "episode",
            f'"stream":{row.stream},"episode":{row.episode},"length":{row.step},'
            f'"return":{encode.number(row.return_)},"terminated":{encode.compact(terminated)},'
            f'"truncated":{encode.compact(truncated)},"start_ns":{row.start_ns},'
            f'"time_ns":{now},"first_index":{row.first_index}',
        )

    def _report(self, now: int) -> None:
        if now - self._reported < 1_000_000_000 or self.calls == self._told:
            return
        self._reported, self._told = now, self.calls
        self.session.event(
            "vector_totals",
            vector=self.id,
            size=self.size,
            global_step=self.calls * self.size,
            env_steps=self.env_steps,
            autoresets=self.autoresets,
        )


def _size(env: Any) -> int:
    size = getattr(env, "num_envs", None)
    if size is None:
        size = env.config["num_envs"]
    return int(size)


def _take(batch: Any, position: int) -> Any:
    """Return one row of a batch: arrays by index, dicts and tuples part by part."""
    if isinstance(batch, dict):
        return {key: _take(value, position) for key, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_take(value, position) for value in batch)
    return batch[position]


def tap_vector(session: TapSession, env: Any) -> None:
    """Record ``env`` if it is a native vector; parts that can be seen singly record themselves."""
    base = getattr(env, "unwrapped", env)
    if tap_of(env) is not None or hasattr(base, "env_fns"):
        return
    tap = NativeTap(session, env)
    try:
        extend(env, tap, _methods(tap, type(env)), lambda copied: tap_vector(session, copied))
    except TypeError as error:
        tap.failed(error)
        return
    if is_referable(env):
        session.when_gone(env, tap.finish)


def _methods(tap: NativeTap, cls: Any) -> dict[str, Any]:
    base_step, base_reset = cls.step, cls.reset

    def step(self: Any, actions: Any, *args: Any, **kwargs: Any) -> Any:
        outer = not tap.inside
        tap.inside = True
        try:
            result = base_step(self, actions, *args, **kwargs)
        finally:
            tap.inside = not outer
        if outer and tap.active:
            try:
                tap.stepped(actions, result, kwargs.get("env_id", args[0] if args else None))
            except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
                tap.failed(error)
        return result

    def reset(self: Any, *args: Any, **kwargs: Any) -> Any:
        outer = not tap.inside
        tap.inside = True
        try:
            result = base_reset(self, *args, **kwargs)
        finally:
            tap.inside = not outer
        if outer and tap.active:
            try:
                ids = args[0] if args else kwargs.get("env_id")
                tap.was_reset(kwargs.get("seed"), kwargs.get("options"), result[0], ids)
            except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
                tap.failed(error)
        return result

    return {"step": step, "reset": reset}


def patch_envpool(session: TapSession, module: ModuleType) -> None:
    """Record the vectors that ``envpool.make`` and its variants return."""
    registry = type(module.registry)
    original = registry.make
    if getattr(original, "_gym_gui", False):
        return

    @functools.wraps(original)
    def make(self: Any, *args: Any, **kwargs: Any) -> Any:
        env = original(self, *args, **kwargs)
        try:
            tap_vector(session, env)
        except Exception as error:  # noqa: BLE001 - the edge to the user's call
            session.failed("An EnvPool vector is not watched", error)
        return env

    make._gym_gui = True  # type: ignore[attr-defined]
    registry.make = make
