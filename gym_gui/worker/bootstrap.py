"""Starts the tap in this process and hangs it on the libraries that a script may import."""

from __future__ import annotations

import functools
import os
import sys
from types import ModuleType
from typing import Any, Callable, Optional

from gym_gui.core.paths import TAP_VARIABLE
from gym_gui.worker.hooks import PostImportFinder

_session: Any = None


def activate() -> None:
    """Install the import hooks if this process belongs to a run. Twice is safe."""
    global _session
    path = os.environ.get(TAP_VARIABLE)
    if not path or _session is not None:
        return
    from gym_gui.worker.session import TapSession

    _session = TapSession.from_file(path)
    PostImportFinder(_patches(), _hook_failed).install()


def session() -> Optional[Any]:
    """Return this process's TapSession, or None outside a run."""
    return _session


def _hook_failed(error: BaseException) -> None:
    _session.failed("A library could not be watched", error)


def _patches() -> dict[str, Callable[[ModuleType], None]]:
    from gym_gui.worker import vector

    return {
        "gymnasium.envs.registration": _patch_registration,
        "gymnasium.vector.sync_vector_env": functools.partial(vector.patch_sync, _session),
    }


def _patch_registration(module: ModuleType) -> None:
    make = module.make
    if getattr(make, "_gym_gui", False):
        return

    @functools.wraps(make)
    def tapped_make(*args: Any, **kwargs: Any) -> Any:
        env = make(*args, **kwargs)
        from gym_gui.worker.envtap import tap_env

        try:
            tap_env(_session, env)
        except Exception as error:  # noqa: BLE001 - the edge to the user's call
            _session.failed("An environment is not watched", error)
        return env

    tapped_make._gym_gui = True  # type: ignore[attr-defined]
    _replace(make, tapped_make, ("gymnasium.envs.registration", "gymnasium.envs", "gymnasium"))


def _replace(old: Any, new: Any, modules: tuple[str, ...]) -> None:
    for name in modules:
        module = sys.modules.get(name)
        if getattr(module, old.__name__, None) is old:
            setattr(module, old.__name__, new)
