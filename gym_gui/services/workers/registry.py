"""Workers by name. Built-in ones and installed plug-ins are found in the same way: entry points."""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points

from gym_gui.core.errors import UsageError
from gym_gui.services.workers.base import Worker

ENTRY_POINT_GROUP = "gym_gui.workers"

# The same table as in pyproject.toml, so that a checkout that is not installed has them too.
BUILT_IN = {
    "script": "gym_gui.services.workers.script:ScriptWorker",
    "cleanrl": "gym_gui.services.workers.cleanrl:CleanRlWorker",
    "sb3": "gym_gui.services.workers.sb3:Sb3Worker",
    "spade_bdi": "gym_gui.services.workers.spade_bdi:SpadeBdiWorker",
    "pettingzoo": "gym_gui.services.workers.pettingzoo:PettingZooWorker",
    "demo": "gym_gui.services.workers.demo:DemoWorker",
}


@functools.cache
def _found() -> dict[str, EntryPoint]:
    found = {name: EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in BUILT_IN.items()}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(entry.name, entry)
    return found


@functools.cache
def get_worker(name: str) -> Worker:
    """Return the worker of that name. Raises UsageError when there is none or it fails to load."""
    entry = _found().get(name)
    if entry is None:
        raise UsageError(
            f"There is no worker {name!r}.", next_step="Choose one of: " + ", ".join(_found()) + "."
        )
    try:
        worker = entry.load()()
    except Exception as error:  # a plug-in's code: whatever it raises must not end the program
        raise UsageError(
            f"The worker {name!r} ({entry.value}) cannot be loaded: {error}.",
            next_step="Repair or uninstall the package that registers it.",
        ) from error
    if not isinstance(worker, Worker):
        raise UsageError(
            f"{entry.value} is not a Worker.", next_step="See docs/adding-a-worker.md."
        )
    return worker


def workers() -> list[Worker]:
    """Return every worker that loads, built-in ones first."""
    loaded = []
    for name in _found():
        try:
            loaded.append(get_worker(name))
        except UsageError:
            if name in BUILT_IN:
                raise
    return loaded


def detect_worker(script: str) -> str:
    """Return the name of the worker that suits ``script``: cleanrl for its style, else script."""
    from gym_gui.services.workers.parameters import looks_like_cleanrl

    return "cleanrl" if looks_like_cleanrl(script) else "script"


def tab_name(worker: str, agent_id: str) -> str:
    """Return the live tab's name, such as ``CleanRL-Live-agent0``, also for unknown workers."""
    try:
        return get_worker(worker).tab_name(agent_id)
    except UsageError:
        return f"{worker.title()}-Live-{agent_id}"
