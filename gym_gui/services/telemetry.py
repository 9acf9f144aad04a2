"""The one entry for telemetry, of agents and humans alike: checks, numbers, publishes.

Each run that is being written has a store, written by one sink that listens on the shared bus.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gym_gui.core.errors import ProtocolError, RunNotFoundError
from gym_gui.core.paths import DataDir, private_dir
from gym_gui.core.records import EpisodeRecord, ResetRecord, RunSpec, StepRecord
from gym_gui.services.storage import StorageRecorderService
from gym_gui.telemetry.batch import RecordBatch
from gym_gui.telemetry.db_sink import SinkReport, SinkStats, TelemetryDBSink
from gym_gui.telemetry.rows import step_columns
from gym_gui.telemetry.run_bus import RunBus, SubscriptionStats
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore
from gym_gui.telemetry.storage import Totals

SessionRecord = StepRecord | EpisodeRecord | ResetRecord
Committed = Callable[[Sequence[RecordBatch], Totals], None]


@dataclass(slots=True)
class _OpenRun:
    store: TelemetrySQLiteStore
    sink: TelemetryDBSink
    marks: dict[str, int]


@dataclass(slots=True)
class RunStatistics:
    """Counters of one run's writer and of its queue."""

    sink: SinkStats
    queue: SubscriptionStats


class TelemetryService:
    """Opens runs for writing and takes their batches. Thread-safe; owns stores and sinks."""

    def __init__(self, data_dir: DataDir, *, bus: RunBus | None = None) -> None:
        self.data_dir = data_dir
        self.bus = bus or RunBus()
        self._lock = threading.Lock()
        self._runs: dict[str, _OpenRun] = {}

    def __enter__(self) -> TelemetryService:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open_run(
        self,
        run_id: str,
        *,
        spec: RunSpec | None = None,
        on_committed: Committed | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        """Open a run's store and start its writer; a run that is open stays as it is.

        Does I/O. Raises StorageError (StoreVersionError, StoreCorruptError, …).
        """
        with self._lock:
            if run_id in self._runs:
                return
            folder = self.data_dir.run(run_id)
            private_dir(folder.root)
            store = TelemetrySQLiteStore(folder.store)
            try:
                if spec is not None:
                    with store.atomic():
                        store.write_spec(spec)
                marks = store.high_waters()
            except BaseException:
                store.close()
                raise
            sink = TelemetryDBSink(
                self.bus,
                store,
                run_id=run_id,
                on_committed=_Marking(marks, on_committed),
                on_trouble=on_trouble,
            )
            self._runs[run_id] = _OpenRun(store, sink, marks)

    def publish(self, batch: RecordBatch, *, timeout_s: float | None = 0.0) -> bool:
        """Check and number a batch of an open run and give it to the bus; no I/O.

        False when the writer's queue has been full for ``timeout_s`` (see ``RunBus.publish``).
        Raises ProtocolError for content that cannot be, RunNotFoundError for a run not open.
        """
        run = self._run(batch.run_id)
        batch.check()
        batch.stream_ids = run.store.resolve_streams(batch.channel, batch.instances())
        return self.bus.publish(batch, timeout_s=timeout_s)

    def record(
        self,
        run_id: str,
        records: Sequence[SessionRecord],
        *,
        channel: str,
        first_seq: int,
        recorder: StorageRecorderService | None = None,
        timeout_s: float | None = 30.0,
    ) -> bool:
        """Take a human session's records, one sequence number each from ``first_seq`` on.

        They go to ``recorder``'s ring of episodes, if there is one, and to the run's store; False
        when the store's queue had no room in time (nothing was queued then: record them again).
        """
        if not records:
            return True
        done = self.publish(
            batch_of(records, run_id=run_id, channel=channel, first_seq=first_seq),
            timeout_s=timeout_s,
        )
        if done and recorder is not None:
            for record in records:
                recorder.record(record)
        return done

    def high_water(self, run_id: str, channel: str) -> int:
        """Return the last committed sequence number of a channel, 0 before the first; no I/O."""
        return self._run(run_id).marks.get(channel, 0)

    def totals(self, run_id: str) -> Totals:
        """Return what an open run's store holds, as of its last commit or a moment ahead."""
        return self._run(run_id).store.totals()

    def open_runs(self) -> list[str]:
        """Return the ids of all runs that are open."""
        with self._lock:
            return list(self._runs)

    def statistics(self, run_id: str) -> RunStatistics:
        """Return an open run's counters."""
        run = self._run(run_id)
        return RunStatistics(run.sink.statistics(), run.sink.queue)

    def flush(self, run_id: str, *, timeout_s: float = 30.0) -> bool:
        """Wait until all that a run has published is committed; False when it was not in time."""
        return self._run(run_id).sink.flush(timeout_s=timeout_s)

    def close_run(self, run_id: str, *, timeout_s: float = 30.0) -> SinkReport:
        """Write what is queued and close the run's store; a run not open reports nothing."""
        with self._lock:
            run = self._runs.pop(run_id, None)
        return run.sink.close(timeout_s=timeout_s) if run else SinkReport(0, 0)

    def close(self, *, timeout_s: float = 30.0) -> dict[str, SinkReport]:
        """Close every run. Twice is safe."""
        return {run_id: self.close_run(run_id, timeout_s=timeout_s) for run_id in self.open_runs()}

    def _run(self, run_id: str) -> _OpenRun:
        if not run_id:
            raise ProtocolError("A batch names no run.")
        run = self._runs.get(run_id)
        if run is None:
            raise RunNotFoundError(f"The run {run_id} is not open for writing.")
        return run


def batch_of(
    records: Sequence[SessionRecord], *, run_id: str, channel: str, first_seq: int
) -> RecordBatch:
    """Return records of a session as a batch; their ``stream`` is the channel's instance."""
    steps = [record for record in records if isinstance(record, StepRecord)]
    last_seq = first_seq + len(records) - 1
    batch = RecordBatch(channel, first_seq, last_seq, step_columns(steps), run_id=run_id)
    batch.episodes = [record for record in records if isinstance(record, EpisodeRecord)]
    batch.resets = [record for record in records if isinstance(record, ResetRecord)]
    return batch


class _Marking:
    """Keeps the committed marks at hand, then passes the word on."""

    def __init__(self, marks: dict[str, int], then: Committed | None) -> None:
        self._marks = marks
        self._then = then

    def __call__(self, batches: Sequence[RecordBatch], totals: Totals) -> None:
        for batch in batches:
            if batch.last_seq > self._marks.get(batch.channel, 0):
                self._marks[batch.channel] = batch.last_seq
        if self._then is not None:
            self._then(batches, totals)
