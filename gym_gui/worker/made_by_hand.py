"""Environments that a script makes by calling their class, not through ``gymnasium.make``.

They are seen once the script hands them on: to a wrapper, or to a vector environment.
"""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Iterator

from gym_gui.worker import envtap
from gym_gui.worker.session import TapSession
from gym_gui.worker.subclass import tap_of


class _Making(threading.local):
    """Whether this thread is within ``gymnasium.make``, whose own wrappers come below our tap."""

    depth = 0


_making = _Making()


@contextmanager
def within_make() -> Iterator[None]:
    """Leave alone what ``make`` puts together: its result is tapped as a whole."""
    _making.depth += 1
    try:
        yield
    finally:
        _making.depth -= 1


def innermost_tap(env: Any) -> Any:
    """Return the tap in a chain of wrappers, or None."""
    while env is not None:
        tap = tap_of(env)
        if tap is not None:
            return tap
        env = getattr(env, "env", None)
    return None


def tap_part(session: TapSession, env: Any) -> Any:
    """Return the tap of an environment, which gets one if it has none.

    None for one that cannot have one, and for the face of a game of many agents: that is seen.
    """
    known = innermost_tap(env)
    if known is not None or hasattr(getattr(env, "unwrapped", env), "possible_agents"):
        return known
    return envtap.tap_env(session, env)


def patch_wrapper(session: TapSession, module: ModuleType) -> None:
    """Tap each environment that gets its first wrapper from the script."""
    wrapper, environment = module.Wrapper, module.Env
    original = wrapper.__init__
    if getattr(original, "_gym_gui", False):
        return

    @functools.wraps(original)
    def begin(self: Any, env: Any, *args: Any, **kwargs: Any) -> None:
        if not _making.depth and isinstance(env, environment):
            try:
                if not hasattr(env, "num_envs"):
                    tap_part(session, env)
            except Exception as error:  # noqa: BLE001 - the edge to the user's call
                session.failed("An environment is not watched", error)
        original(self, env, *args, **kwargs)

    begin._gym_gui = True  # type: ignore[attr-defined]
    wrapper.__init__ = begin
