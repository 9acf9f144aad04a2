"""Sees every reset and step of one gymnasium environment.

``tap_env`` gives the very object that ``gymnasium.make`` returned a class of its own: a subclass
of its class with the same name that records around ``reset``, ``step`` and ``close``. Nothing is
put above it, so ``spec``, ``render_mode``, ``unwrapped``, ``isinstance``, ``str`` and all
attributes stay the script's own, and whatever the script wraps around it comes above.
"""

from __future__ import annotations

import struct
import time
from typing import Any, Optional

from gym_gui.core.interrupts import let_through
from gym_gui.core.numbers import PACKED_STEP, PACKED_STEP_AND_ACTION
from gym_gui.core.records import STEP_RESET, STEP_TERMINATED, STEP_TRUNCATED
from gym_gui.worker import describe, encode, state
from gym_gui.worker.session import TapSession
from gym_gui.worker.subclass import extend, is_referable, reference, tap_of

pack_step, pack_step_and_action = PACKED_STEP.pack, PACKED_STEP_AND_ACTION.pack


class EnvTap:
    """Counters and records of one stream: one environment instance in one process."""

    __slots__ = (
        *("session", "_env", "_base", "note", "vector", "group", "last_call", "result"),
        *("resets_next_step", "active", "inside", "running", "stream", "index", "episode", "step"),
        *("return_", "first_index", "start_ns", "last_reward", "_text", "kind", "action_kind"),
        *("described", "__weakref__"),
    )  # found faster by a training whose own work has emptied the caches

    def __init__(self, session: TapSession, env: Any, *, note: str = "") -> None:
        self.session = session
        self._env = reference(env)  # never held: the script's environments live as long as it says
        self._base = reference(getattr(env, "unwrapped", env))
        self.note = note
        self.vector: Optional[dict[str, Any]] = None
        self.group: Any = None  # of the vector environment that stepped it last
        self.last_call = -1  # the vector step that stepped it last
        self.result: Any = None  # of a step that the group has still to record
        self.resets_next_step = False  # stepped by a vector environment in another process
        self.active = True
        self.inside = False
        self.stream = -1  # declared at the first reset or step
        self.index = 0
        self.episode = -1
        self.step = 0
        self.return_ = 0.0
        self.first_index = 0
        self.start_ns = 0
        self.running = False
        self.last_reward = 0.0
        self._text = session.observation_text
        self.kind: Any = None  # what describes its observations, where they are arrays of floats
        self.action_kind: Any = None  # the same of its actions
        self.described = ""  # both, as a packed record has it
        session.own(self)

    @property
    def env(self) -> Any:
        """The environment as ``make`` returned it; None once the script has let it go."""
        return self._env()

    @property
    def base(self) -> Any:
        """The environment without its wrappers."""
        return self._base()

    def declare(self) -> None:
        """Announce the stream in this process's channel, once."""
        self.stream = self.session.new_stream()
        self.session.append("run", describe.stream_body(self))
        self.session.lane.add(self)

    def stepped(self, action: Any, result: Any) -> None:
        """Record one step. ``action``: what ``take`` gave before the step."""
        observation, reward, terminated, truncated, info = result
        now = time.time_ns()
        if not self.running:
            self._begin_unseen(now)
            self._look_at(observation)
        if reward.__class__ is not float:
            reward = encode.reward(reward)
        group = self.group
        if group is not None and not group.gathering:
            group = None
        step = None
        if self.kind is not None and (group is not None or self.kind.code == "d"):
            step = self._pack(group, action, reward, terminated, truncated, observation)
        if step is None:
            seen = self._text(observation)
            self._write_step(group, now, action, reward, terminated, truncated, seen)
        elif group is None:
            self.session.append("packed", encode.packed_steps(self.described, (step,), now))
        else:
            group.packed.append(step)
            self.last_call = group.calls
        self.return_ += reward
        self.last_reward = reward
        if self.session.record_frames:
            self.session.lane.record_frame(self)
        if terminated or truncated:
            self.end_episode(now, bool(terminated), bool(truncated), info)
        if group is None:
            lane = self.session.lane
            if not lane.last_ns <= now < lane.next_ns:
                lane.tick(now, (self,))

    def take(self, action: Any) -> Any:
        """Return what is kept of an action, before the step can change it.

        A whole number as it is, floats that are going to be packed as bytes, else JSON text.
        """
        if action.__class__ in encode.whole_numbers:
            return action
        if self.kind is not None:
            kind = self.action_kind
            if kind is not None and kind.fits(action):
                return action.tobytes()
            self.action_kind = encode.Floats.of(action)
            self.described = ""
        return encode.encode_action(action)

    def _pack(
        self, group: Any, action: Any, reward: float, terminated: Any, truncated: Any, seen: Any
    ) -> Optional[bytes]:
        """Return a step as ``core.numbers.PACKED_STEP`` says, None where it cannot be packed.

        Alone, only 64-bit floats are: their text costs the training most.
        """
        is_array = action.__class__ is bytes
        if is_array is (self.action_kind is None) or not self.kind.fits(seen):
            return None
        described = self.described or self._describe()
        if group is not None and group.described is not described and not group.takes(described):
            return None
        flags = (STEP_TERMINATED if terminated else 0) | (STEP_TRUNCATED if truncated else 0)
        numbers = (self.stream, self.index, self.episode, self.step, reward, flags)
        if is_array:
            packed = pack_step(*numbers) + action + seen.tobytes()
        else:
            try:
                packed = pack_step_and_action(*numbers, action) + seen.tobytes()
            except struct.error:  # no whole number of 64 bits
                return None
        self.index, self.step = self.index + 1, self.step + 1  # first: a signal may come between
        return packed

    def _describe(self) -> str:
        self.described = encode.describe_packed(self.kind, self.action_kind)
        return self.described

    def _look_at(self, observation: Any) -> None:
        """Take in what kind of observations an episode has."""
        self.kind = self._text.floats_of(observation)
        self.described = ""

    def _write_step(
        self,
        group: Any,
        now: int,
        action: Any,
        reward: float,
        terminated: Any,
        truncated: Any,
        seen: str,
    ) -> None:
        """Write the record of a step as text, or hand it to the vector environment's group."""
        if action.__class__ is bytes:
            action = self.action_kind.text(action)
        index, place = self.index, self.step
        self.index, self.step = index + 1, place + 1  # first: a signal may come in between
        if group is not None:
            row = (self.stream, index, self.episode, place, action, reward)
            group.rows.append((*row, terminated, truncated, seen))
            self.last_call = group.calls
            return
        written = repr(reward)
        if "n" in written:
            written = encode.number(reward)
        end = "true" if terminated else "false"
        cut = "true" if truncated else "false"
        self.session.append(
            "step",
            f'"stream":{self.stream},"index":{index},"episode":{self.episode},'
            f'"step":{place},"action":{action},"reward":{written},"terminated":{end},'
            f'"truncated":{cut},"observation":{seen},"time_ns":{now}',
        )

    def before_reset(self, seed: Optional[int]) -> Any:
        """Return what must be taken before the reset changes it."""
        self.catch_up()
        if self.stream < 0:
            self.declare()
        return state.before_reset(self.base, seed)

    def was_reset(self, kwargs: dict[str, Any], before: Any, observation: Any) -> None:
        """Record one reset: the episode before it, if still running, is broken off.

        kwargs: what the caller of ``reset`` gave; a vector environment's autoreset gives nothing.
        """
        now = time.time_ns()
        self._look_at(observation)
        asked = any(value is not None for value in kwargs.values())  # wrappers hand on None
        flags = f',"flags":{STEP_RESET}' if not asked and self._is_autoreset() else ""
        if self.running and self.step:
            self.end_episode(now, False, False, None)
        self._begin(now)
        after, snapshot = state.after_reset(self.base)
        rng = {"before": before, "after": after} if before or after else None
        kept = f'"{snapshot}"' if snapshot else "null"
        body = (
            f'"stream":{self.stream},"episode":{self.episode},"time_ns":{now},'
            f'"seed":{encode.compact(kwargs.get("seed"))},'
            f'"options":{encode.compact(kwargs.get("options"))},'
            f'"rng":{encode.compact(rng)},"snapshot":{kept},'
            f'"observation":{self._text(observation)}{flags}'
        )
        self._append("reset", body)
        if not self._is_gathered():
            self.session.lane.tick(now, (self,))

    def _is_autoreset(self) -> bool:
        """True for a reset that took the place of a step in a vector environment."""
        if self._is_gathered():
            return self.group.stepping and self.group.calls != self.last_call
        return self.resets_next_step and self.index > 0 and not self.running

    def closed(self) -> None:
        """The script closed the environment: its episode, if one runs, is broken off."""
        self.finish()
        if self.stream >= 0:
            self.session.lane.remove(self)

    def finish(self) -> None:
        """End a running episode as broken off."""
        self.catch_up()
        if self.running and self.step and self.stream >= 0:
            self.end_episode(time.time_ns(), False, False, None)
        self.running = False

    def catch_up(self) -> None:
        """Record the steps that the group of its vector environment still holds."""
        if self.group is not None:
            self.group.catch_up(self)

    def after_fork(self) -> None:
        """In a forked child: a stream of its own, which begins in the midst of an episode."""
        if self.stream >= 0 and self.running:
            self.note = "forked while its episode ran"
        self.stream = self.episode = -1
        self.index = 0
        self.running = False
        self.group = self.result = None

    def failed(self, error: BaseException) -> None:
        """Something of ours failed: this environment is left alone from here on."""
        let_through(error)
        self.active = False
        self.session.failed(f"Recording of {describe.env_id(self.env)} stopped", error)

    def _begin(self, now: int) -> None:
        self.episode += 1
        self.step = 0
        self.return_ = 0.0
        self.first_index = self.index
        self.start_ns = now
        self.running = True

    def _begin_unseen(self, now: int) -> None:
        """An episode began without a reset that we saw, inside an auto-resetting environment."""
        if self.stream < 0:
            self.declare()
        self._begin(now)
        self._append(
            "reset",
            f'"stream":{self.stream},"episode":{self.episode},"time_ns":{now},"seed":null,'
            f'"options":null,"rng":null,"snapshot":null,"observation":null,"unseen":true',
        )

    def end_episode(self, now: int, terminated: bool, truncated: bool, info: Any) -> None:
        """Record that the running episode is over; broken off where it is neither of the two."""
        self.running = False
        success = describe.success(info)
        extra = "" if success is None else f',"success":{encode.compact(success)}'
        body = (
            f'"stream":{self.stream},"episode":{self.episode},"length":{self.step},'
            f'"return":{encode.number(self.return_)},"terminated":{encode.compact(terminated)},'
            f'"truncated":{encode.compact(truncated)},"start_ns":{self.start_ns},'
            f'"time_ns":{now},"first_index":{self.first_index}{extra}'
        )
        if terminated or truncated:
            self.session.lane.finished_episode(self.return_)
        self._append("episode", body)

    def _append(self, kind: str, body: str) -> None:
        if self._is_gathered():
            self.group.add_later(kind, body)
        else:
            self.session.append(kind, body)

    def _is_gathered(self) -> bool:
        """True while a vector environment steps or resets this one."""
        return self.group is not None and self.group.gathering


def tap_env(session: TapSession, env: Any, *, note: str = "") -> Optional[EnvTap]:
    """Record ``env`` from here on; return its tap, or None where its class cannot be extended."""
    known = tap_of(env)
    if known is not None:
        return known
    tap = EnvTap(session, env, note=note)

    def on_copy(copied: Any) -> None:
        tap_env(session, copied, note="a copy of another environment")

    try:
        extend(env, tap, _methods(tap, type(env)), on_copy)
    except TypeError as error:
        session.failed(f"{describe.env_id(env)} cannot be watched", error)
        return None
    if is_referable(env):
        session.when_gone(env, tap.closed)
    return tap


def _methods(tap: EnvTap, cls: Any) -> dict[str, Any]:
    base_step, base_reset, base_close = cls.step, cls.reset, cls.close

    def step(self: Any, action: Any, *args: Any, **kwargs: Any) -> Any:
        if tap.inside or not tap.active:
            return base_step(self, action, *args, **kwargs)
        group = tap.group
        if group is not None and group.taking:
            tap.inside = True
            try:
                tap.result = result = base_step(self, action)
            finally:
                tap.inside = False
            return result
        try:
            tap.catch_up()
            taken = tap.take(action)
        except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
            tap.failed(error)
            return base_step(self, action, *args, **kwargs)
        tap.inside = True
        try:
            result = base_step(self, action, *args, **kwargs)
        finally:
            tap.inside = False
        try:
            tap.stepped(taken, result)
        except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
            tap.failed(error)
        return result

    def reset(self: Any, *args: Any, **kwargs: Any) -> Any:
        if tap.inside or not tap.active:
            return base_reset(self, *args, **kwargs)
        try:
            before = tap.before_reset(kwargs.get("seed"))
        except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
            tap.failed(error)
            return base_reset(self, *args, **kwargs)
        tap.inside = True
        try:
            result = base_reset(self, *args, **kwargs)
        finally:
            tap.inside = False
        try:
            tap.was_reset(kwargs, before, result[0])
        except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
            tap.failed(error)
        return result

    def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            tap.closed()
        except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
            tap.failed(error)
        return base_close(self, *args, **kwargs)

    return {"step": step, "reset": reset, "close": close}
