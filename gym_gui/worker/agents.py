"""Sees every turn of PettingZoo's environments: one stream, one row for each agent's step.

The classes are wrapped as they are defined (``__init_subclass__`` of PettingZoo's two base
classes), and only the innermost environment records: its wrappers and conversions pass through.
An agent of an AEC environment learns what its action brought when it is its turn again, so its
row is written then, with the reward that ``env.last()`` reports; what is still waiting at the end
is written at the end.
"""

from __future__ import annotations

import functools
import time
import weakref
from types import ModuleType
from typing import Any, Callable, Optional

from gym_gui.core.interrupts import let_through
from gym_gui.worker import encode
from gym_gui.worker.session import TapSession

_METHODS = ("step", "reset", "observe", "close")


class AgentsTap:
    """Counters and records of one multi-agent environment."""

    def __init__(self, session: TapSession, env: Any) -> None:
        self.session = session
        self.env = weakref.proxy(env)
        self.base = self.env
        self.note = "environments of several agents are not made again for replay"
        self.vector: Optional[dict[str, Any]] = None
        self.active = True
        self.inside = False
        self.stream = -1
        self.index = 0
        self.episode = -1
        self.step = 0
        self.return_ = 0.0
        self.last_reward = 0.0
        self.running = False
        self.seen: dict[Any, Any] = {}
        self.rewards: dict[Any, float] = {}  # the environment's own: since each agent's last turn
        self._waiting: dict[Any, str] = {}  # agent: its action's JSON text
        self._totals: dict[Any, list[float]] = {}  # agent: steps, return
        self._early: dict[Any, float] = {}
        self._first_index = 0
        self._start_ns = 0
        session.own(self)

    def was_reset(self, seed: Any, options: Any) -> None:
        """Begin an episode; one still running is broken off."""
        self.finish()
        if self.stream < 0:
            self._declare()
        now = time.time_ns()
        self.episode += 1
        self.step, self.return_, self.running = 0, 0.0, True
        self._first_index, self._start_ns = self.index, now
        self.seen, self._waiting, self._totals, self._early = {}, {}, {}, {}
        self.session.append(
            "reset",
            f'"stream":{self.stream},"episode":{self.episode},"time_ns":{now},'
            f'"seed":{encode.compact(seed)},"options":{encode.compact(options)},'
            '"rng":null,"snapshot":null,"observation":null',
        )
        self.session.lane.tick(now, (self,))

    def turn(self, agent: Any, action: Any, reward: float, over: tuple[bool, bool]) -> None:
        """An agent acts: what its action before brought is known now. None: it is over for it."""
        before = self._waiting.pop(agent, None)
        if before is not None:
            self._row(agent, before, reward, over, self.seen.get(agent))
        elif reward and action is not None:
            self._early[agent] = reward  # earned before its first turn: counts with that
        if action is None or any(over):
            self._end_agent(agent, over)
        else:
            self._waiting[agent] = encode.encode_action(action)

    def together(self, actions: dict[Any, str], result: Any) -> None:
        """All agents of a parallel environment have acted."""
        observations, rewards, terminated, truncated, _ = result
        for agent, action in actions.items():
            over = (bool(terminated.get(agent)), bool(truncated.get(agent)))
            reward = encode.reward(rewards.get(agent, 0.0))
            self._row(agent, action, reward, over, observations.get(agent))
            if any(over):
                self._end_agent(agent, over)
        self.session.lane.tick(time.time_ns(), (self,))

    def finish(self) -> None:
        """Write what waits, and end the agents that still play as broken off."""
        if not self.running:
            return
        for agent, action in list(self._waiting.items()):
            reward = float(self.rewards.get(agent, 0.0))
            self._row(agent, action, reward, (False, False), None)
        self._waiting = {}
        for agent in list(self._totals):
            self._end_agent(agent, (False, False))
        self.running = False

    def closed(self) -> None:
        """The script closed the environment."""
        self.finish()
        if self.stream >= 0:
            self.session.lane.remove(self)

    def after_fork(self) -> None:
        """In a forked child: a stream of its own from its next reset on."""
        self.stream, self.index, self.episode, self.running = -1, 0, -1, False

    def failed(self, error: BaseException) -> None:
        """Something of ours failed: this environment is left alone from here on."""
        let_through(error)
        self.active = False
        self.session.failed("Recording of a multi-agent environment stopped", error)

    def _declare(self) -> None:
        self.stream = self.session.new_stream()
        env = self.env
        agents = [str(agent) for agent in getattr(env, "possible_agents", ())]
        name = str(getattr(env, "metadata", {}).get("name", "")) or type(env).__name__
        fields = {
            "stream": self.stream,
            "env_id": name,
            "spec": "",
            "observation_space": "",
            "action_space": "",
            "agents": agents,
            "vector": None,
            "render_mode": getattr(env, "render_mode", None),
            "reproducible": False,
            "note": self.note,
        }
        text = ",".join(f'"{k}":{encode.compact(v)}' for k, v in fields.items())
        self.session.append("run", f'"time_ns":{time.time_ns()},"event":"stream",{text}')
        self.session.lane.add(self)

    def _row(
        self, agent: Any, action: str, reward: float, over: tuple[bool, bool], observation: Any
    ) -> None:
        now = time.time_ns()
        reward += self._early.pop(agent, 0.0)
        seen = "null" if observation is None else self.session.observation_text(observation)
        self.session.append(
            "step",
            f'"stream":{self.stream},"index":{self.index},"episode":{self.episode},'
            f'"step":{self.step},"action":{action},"reward":{encode.number(reward)},'
            f'"terminated":{encode.compact(over[0])},"truncated":{encode.compact(over[1])},'
            f'"observation":{seen},"time_ns":{now},"agent":{encode.text(str(agent))}',
        )
        self.index += 1
        self.step += 1
        self.last_reward = reward
        self.return_ += reward
        totals = self._totals.setdefault(agent, [0, 0.0])
        totals[0] += 1
        totals[1] += reward
        lane = self.session.lane
        if not lane.last_ns <= now < lane.next_ns:
            lane.tick(now, (self,))

    def _end_agent(self, agent: Any, over: tuple[bool, bool]) -> None:
        totals = self._totals.pop(agent, None)
        if totals is None:
            return
        self.session.append(
            "episode",
            f'"stream":{self.stream},"episode":{self.episode},"length":{int(totals[0])},'
            f'"return":{encode.number(totals[1])},"terminated":{encode.compact(over[0])},'
            f'"truncated":{encode.compact(over[1])},"start_ns":{self._start_ns},'
            f'"time_ns":{time.time_ns()},"first_index":{self._first_index},'
            f'"agent":{encode.text(str(agent))}',
        )
        if any(over):
            self.session.lane.finished_episode(totals[1])


_taps: weakref.WeakKeyDictionary[Any, AgentsTap] = weakref.WeakKeyDictionary()


def patch_module(session: TapSession, module: ModuleType) -> None:
    """Watch every environment class that will be derived from PettingZoo's base classes."""
    for name, around in (("AECEnv", _in_turns), ("ParallelEnv", _together)):
        _watch_subclasses(session, getattr(module, name), around)


def _watch_subclasses(session: TapSession, base: Any, around_step: Any) -> None:
    if "_gym_gui" in base.__dict__:
        return
    base._gym_gui = True
    original = base.__init_subclass__.__func__  # Generic's, which checks type parameters

    def init_subclass(cls: Any, **kwargs: Any) -> None:
        original(cls, **kwargs)
        for name in _METHODS:
            method = cls.__dict__.get(name)
            if callable(method) and not hasattr(method, "_gym_gui"):
                around = around_step if name == "step" else _AROUND[name]
                wrapped = functools.wraps(method)(around(session, method))
                wrapped._gym_gui = True  # type: ignore[attr-defined]
                setattr(cls, name, wrapped)

    base.__init_subclass__ = classmethod(init_subclass)


def _tap_for(session: TapSession, env: Any) -> Optional[AgentsTap]:
    """Return the innermost environment's tap, None for wrappers and within our own calls."""
    tap = _taps.get(env)
    if tap is None:
        if env.unwrapped is not env:
            return None
        tap = _taps[env] = AgentsTap(session, env)
        session.when_gone(env, tap.closed)
    return tap if tap.active and not tap.inside else None


def _guarded(tap: AgentsTap, function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
        tap.failed(error)
        return None


def _inside(tap: AgentsTap, method: Any, *args: Any, **kwargs: Any) -> Any:
    tap.inside = True
    try:
        return method(*args, **kwargs)
    finally:
        tap.inside = False


def _in_turns(session: TapSession, method: Any) -> Any:
    def step(self: Any, action: Any) -> Any:
        tap = _tap_for(session, self)
        if tap is None:
            return method(self, action)
        _guarded(tap, _take_turn, tap, self, action)
        return _inside(tap, method, self, action)

    return step


def _take_turn(tap: AgentsTap, env: Any, action: Any) -> None:
    agent = env.agent_selection
    tap.rewards = env._cumulative_rewards
    over = (bool(env.terminations.get(agent)), bool(env.truncations.get(agent)))
    tap.turn(agent, action, float(env._cumulative_rewards.get(agent, 0.0)), over)


def _together(session: TapSession, method: Any) -> Any:
    def step(self: Any, actions: Any) -> Any:
        tap = _tap_for(session, self)
        if tap is None:
            return method(self, actions)
        taken = _guarded(tap, _texts, actions)
        result = _inside(tap, method, self, actions)
        if taken is not None:
            _guarded(tap, tap.together, taken, result)
        return result

    return step


def _texts(actions: dict[Any, Any]) -> dict[Any, str]:
    return {agent: encode.encode_action(action) for agent, action in actions.items()}


def _reset(session: TapSession, method: Any) -> Any:
    def reset(self: Any, seed: Any = None, options: Any = None) -> Any:
        tap = _tap_for(session, self)
        if tap is None:
            return method(self, seed=seed, options=options)
        result = _inside(tap, method, self, seed=seed, options=options)
        _guarded(tap, tap.was_reset, seed, options)
        return result

    return reset


def _observe(session: TapSession, method: Any) -> Any:
    def observe(self: Any, agent: Any) -> Any:
        observation = method(self, agent)
        tap = _taps.get(self)
        if tap is not None:
            tap.seen[agent] = observation
        return observation

    return observe


def _close(session: TapSession, method: Any) -> Any:
    def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        tap = _taps.get(self)
        if tap is not None:
            _guarded(tap, tap.closed)
        return method(self, *args, **kwargs)

    return close


_AROUND = {"reset": _reset, "observe": _observe, "close": _close}
