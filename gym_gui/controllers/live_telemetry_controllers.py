"""Hot data of the runs that are watched: what the link delivers, by run, with its ends."""

from __future__ import annotations

from PySide6 import QtCore

from gym_gui.controllers.trainer_link import LiveBatch, TrainerLink
from gym_gui.core.records import RunRecord, RunState


class LiveTelemetryController(QtCore.QObject):
    """Keeps the newest record of every run, and tells of starts, ends and live data."""

    run_started = QtCore.Signal(object)  # RunRecord: it was not running before
    run_changed = QtCore.Signal(object)  # RunRecord
    run_completed = QtCore.Signal(str, object)  # run id, RunRecord in a final state
    resumed = QtCore.Signal()  # connected again: live data of the time before was missed
    batch_ready = QtCore.Signal(object)  # LiveBatch of a run that is followed

    def __init__(self, link: TrainerLink, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._records: dict[str, RunRecord] = {}
        self._followers: dict[str, int] = {}
        link.runs_changed.connect(self._take_runs)
        link.runs_removed.connect(self._forget)
        link.resumed.connect(self.resumed)
        link.batches_ready.connect(self._take_batches)

    def record(self, run_id: str) -> RunRecord | None:
        """Return the newest record of a run, None when it is not known."""
        return self._records.get(run_id)

    def records(self) -> list[RunRecord]:
        return list(self._records.values())

    def training(self) -> list[RunRecord]:
        """Return the runs that are under way."""
        return [record for record in self._records.values() if not record.state.is_final]

    def follow(self, run_id: str) -> None:
        """Ask for the run's live data; each call needs its ``unfollow``."""
        self._followers[run_id] = self._followers.get(run_id, 0) + 1
        if self._followers[run_id] == 1:
            self._link.follow(run_id)

    def unfollow(self, run_id: str) -> None:
        left = self._followers.get(run_id, 0) - 1
        if left > 0:
            self._followers[run_id] = left
        elif self._followers.pop(run_id, None):
            self._link.unfollow(run_id)

    @QtCore.Slot(object)
    def _take_runs(self, records: list[RunRecord]) -> None:
        for record in records:
            before = self._records.get(record.run_id)
            self._records[record.run_id] = record
            self.run_changed.emit(record)
            if _is_under_way(record) and (before is None or before.state is RunState.QUEUED):
                self.run_started.emit(record)
            if record.state.is_final and before is not None and not before.state.is_final:
                self.run_completed.emit(record.run_id, record)

    @QtCore.Slot(object)
    def _forget(self, run_ids: list[str]) -> None:
        for run_id in run_ids:
            self._records.pop(run_id, None)

    @QtCore.Slot(object)
    def _take_batches(self, batches: list[LiveBatch]) -> None:
        for batch in batches:
            if batch.run_id in self._followers:
                self.batch_ready.emit(batch)


def _is_under_way(record: RunRecord) -> bool:
    return record.state in (RunState.STARTING, RunState.RUNNING, RunState.PAUSED)
