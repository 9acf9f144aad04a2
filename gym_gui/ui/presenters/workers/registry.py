"""Presenters by worker. A worker without one of its own gets the common one."""

from __future__ import annotations

from gym_gui.ui.presenters.workers.base import WorkerPresenter
from gym_gui.ui.presenters.workers.cleanrl_worker_presenter import CleanRlWorkerPresenter
from gym_gui.ui.presenters.workers.spade_bdi_worker_presenter import SpadeBdiWorkerPresenter


class WorkerPresenterRegistry:
    """Maps a worker's name to its presenter."""

    def __init__(self) -> None:
        self._presenters: dict[str, WorkerPresenter] = {}

    def register(self, presenter: WorkerPresenter) -> None:
        self._presenters[presenter.name] = presenter

    def get(self, worker: str) -> WorkerPresenter:
        """Return the worker's presenter, the common one where it has none."""
        return self._presenters.get(worker) or WorkerPresenter(worker)


def default_registry() -> WorkerPresenterRegistry:
    """Return a registry with the presenters that come with the program."""
    registry = WorkerPresenterRegistry()
    for presenter in (CleanRlWorkerPresenter(), SpadeBdiWorkerPresenter()):
        registry.register(presenter)
    return registry
