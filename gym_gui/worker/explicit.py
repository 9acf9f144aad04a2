"""``gym_gui.watch``: for environments that nobody makes through ``gymnasium.make``."""

from __future__ import annotations

from typing import Any, TypeVar

from gym_gui.worker import bootstrap, envtap, made_by_hand, native

Env = TypeVar("Env")


def watch(env: Env) -> Env:
    """See ``gym_gui.watch``."""
    session = bootstrap.session()
    if session is None:
        return env
    try:
        _tap(session, env)
    except Exception as error:  # noqa: BLE001 - the edge to the user's call
        session.failed("An environment is not watched", error)
    return env


def _tap(session: Any, env: Any) -> None:
    if made_by_hand.innermost_tap(env) is not None or hasattr(env, "possible_agents"):
        return  # made by gymnasium.make, or PettingZoo's: seen already
    if hasattr(env, "num_envs"):
        native.tap_vector(session, env)
    else:
        envtap.tap_env(session, env)
