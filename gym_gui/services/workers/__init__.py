"""Workers: what a run executes, and the form that asks for its settings.

Owns: the plug-in point (``Worker``, ``Field``), the registry by entry point, the built-in workers,
and ``build_spec`` which turns a worker and its values into a ``RunSpec``.
Knows nothing of Qt, of the daemon or of how a run is started.
"""

from gym_gui.services.workers.base import Worker
from gym_gui.services.workers.checkpoints import Checkpoint
from gym_gui.services.workers.fields import Field, Kind
from gym_gui.services.workers.interpreters import resolve_python
from gym_gui.services.workers.registry import (
    ENTRY_POINT_GROUP,
    detect_worker,
    get_worker,
    tab_name,
    workers,
)
from gym_gui.services.workers.spec import build_spec, command_line

__all__ = [
    "ENTRY_POINT_GROUP",
    "Checkpoint",
    "Field",
    "Kind",
    "Worker",
    "build_spec",
    "command_line",
    "detect_worker",
    "get_worker",
    "resolve_python",
    "tab_name",
    "workers",
]
