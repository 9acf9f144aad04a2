"""The tabs of a CleanRL run: ``CleanRL-Live-{agent_id}``."""

from __future__ import annotations

from gym_gui.ui.presenters.workers.base import WorkerPresenter


class CleanRlWorkerPresenter(WorkerPresenter):
    """A single-file script has one agent, whatever the number of its environments."""

    worker = "cleanrl"
