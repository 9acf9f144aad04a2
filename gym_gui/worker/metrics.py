"""Scalars that a script hands to its own logger become metric records; its files are named."""

from __future__ import annotations

import functools
import numbers
import os
from types import ModuleType
from typing import Any

from gym_gui.worker.session import TapSession


def patch_summary_writer(session: TapSession, module: ModuleType) -> None:
    """Record what ``SummaryWriter.add_scalar`` takes (torch.utils.tensorboard, tensorboardX)."""
    cls = module.SummaryWriter
    original = cls.add_scalar
    if getattr(original, "_gym_gui", False):
        return

    @functools.wraps(original)
    def add_scalar(self: Any, tag: Any, scalar_value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            step = kwargs.get("global_step", args[0] if args else None)
            session.metric(str(tag), float(scalar_value), int(step or 0))
        except (TypeError, ValueError) as error:
            session.failed(f"The scalar {tag} is not recorded", error)
        except OSError as error:
            session.failed("Scalars are not recorded", error)
        return original(self, tag, scalar_value, *args, **kwargs)

    add_scalar._gym_gui = True  # type: ignore[attr-defined]
    cls.add_scalar = add_scalar
    _tell_folder(session, cls)


def _tell_folder(session: TapSession, cls: Any) -> None:
    """Write down where each ``SummaryWriter`` writes, once it is made."""
    original = cls.__init__

    @functools.wraps(original)
    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        try:
            path = os.path.abspath(str(self.logdir if hasattr(self, "logdir") else self.log_dir))
            session.event("logger", kind="tensorboard", path=path, pid=os.getpid())
        except Exception as error:  # noqa: BLE001 - the edge to the user's call
            session.failed("The place of TensorBoard's files is not known", error)

    cls.__init__ = begin


def patch_wandb(session: TapSession, module: ModuleType) -> None:
    """Record the numbers that ``wandb``'s ``Run.log`` takes."""
    cls = module.Run
    original = cls.log
    if getattr(original, "_gym_gui", False):
        return

    told: set[str] = set()

    @functools.wraps(original)
    def log(self: Any, data: Any, *args: Any, **kwargs: Any) -> Any:
        step = kwargs.get("step", args[0] if args else None)
        try:
            if self.id not in told:
                told.add(self.id)
                _tell_run(session, self)
            _record_numbers(session, data, step)
        except (TypeError, ValueError, OSError) as error:
            session.failed("Scalars are not recorded", error)
        return original(self, data, *args, **kwargs)

    log._gym_gui = True  # type: ignore[attr-defined]
    cls.log = log


def _tell_run(session: TapSession, run: Any) -> None:
    """Write down where a run of W&B keeps its files, and its page if it has one."""
    try:
        path = os.path.dirname(os.path.abspath(str(run.dir)))  # dir is …/files
        url = str(run.url or "")
    except Exception as error:  # noqa: BLE001 - the edge to a library that changes often
        session.failed("The place of W&B's files is not known", error)
        return
    session.event("logger", kind="wandb", path=path, url=url, pid=os.getpid())


def _record_numbers(session: TapSession, data: Any, step: Any) -> None:
    if step is None:
        step = data.get("global_step", 0)
    for name, value in data.items():
        is_scalar = isinstance(value, numbers.Real) or getattr(value, "size", None) == 1
        if is_scalar and not isinstance(value, bool):
            session.metric(str(name), float(value), int(step))
