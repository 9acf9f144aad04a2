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
    from gym_gui.worker import agents, made_by_hand, metrics, native, vector

    patches = {
        "gymnasium.core": made_by_hand.patch_wrapper,
        "gymnasium.envs.registration": _patch_registration,
        "gymnasium.vector.sync_vector_env": vector.patch_sync,
        "gymnasium.vector.async_vector_env": vector.patch_async,
        "pettingzoo.utils.env": agents.patch_module,
        "envpool.registration": native.patch_envpool,
        "torch.utils.tensorboard.writer": metrics.patch_summary_writer,
        "tensorboardX.writer": metrics.patch_summary_writer,
        "wandb.sdk.wandb_run": metrics.patch_wandb,
    }
    return {name: functools.partial(patch, _session) for name, patch in patches.items()}


def _patch_registration(session: Any, module: ModuleType) -> None:
    from gym_gui.worker import envtap, native

    _wrap_factory(session, module, "make", envtap.tap_env)
    if hasattr(module, "make_vec"):
        _wrap_factory(session, module, "make_vec", native.tap_vector)


def _wrap_factory(session: Any, module: ModuleType, name: str, tap: Callable[..., Any]) -> None:
    from gym_gui.worker.made_by_hand import within_make

    make = getattr(module, name)
    if getattr(make, "_gym_gui", False):
        return

    @functools.wraps(make)
    def tapped_make(*args: Any, **kwargs: Any) -> Any:
        with within_make():
            env = make(*args, **kwargs)
        try:
            tap(session, env)
        except Exception as error:  # noqa: BLE001 - the edge to the user's call
            session.failed("An environment is not watched", error)
        return env

    tapped_make._gym_gui = True  # type: ignore[attr-defined]
    for place in ("gymnasium.envs.registration", "gymnasium.envs", "gymnasium"):
        holder = sys.modules.get(place)
        if getattr(holder, name, None) is make:
            setattr(holder, name, tapped_make)
