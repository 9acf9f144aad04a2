"""The one thread that writes a run's store: the bus's lossless subscriber.

It takes what is queued, writes it in one transaction, and only then tells whoever acknowledges.
A locked file or a full disk is tried again with growing pauses; until then nothing more is taken,
the queue fills, and the bus holds the publishers back.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gym_gui.core.errors import ProtocolError, StorageError, StoreBusyError, StoreSpaceError
from gym_gui.telemetry.batch import EventEntry, RecordBatch
from gym_gui.telemetry.run_bus import Policy, RunBus, topic
from gym_gui.telemetry.storage import TelemetryStore, Totals

BATCHES_A_COMMIT = 64
SWITCH_INTERVAL_S = 0.0005
"""What a process with a sink gives ``sys.setswitchinterval``: beside one busy thread the writer
then keeps half its speed; with the default of 5 ms it keeps a thirtieth."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0
_CLOSE_LOOK_S = 0.05
REFUSALS = (ProtocolError, TypeError, ValueError, OverflowError, KeyError, AttributeError)
"""What a batch of wrong content raises, whatever the store's state."""

_log = logging.getLogger(__name__)


class SinkState(enum.Enum):
    """What the writer is doing."""

    WRITING = "writing"
    RETRYING = "retrying"  # the store is locked or has no room; nothing is lost or acknowledged
    FAILED = "failed"  # the store is damaged; nothing more is taken
    CLOSED = "closed"


@dataclass(slots=True)
class SinkStats:
    """Counters since the sink began. ``error`` is the last trouble, "" when it is over."""

    state: SinkState = SinkState.WRITING
    commits: int = 0
    batches: int = 0
    steps: int = 0
    retries: int = 0
    refused: int = 0
    last_commit_ms: float = 0.0
    error: str = ""


@dataclass(slots=True)
class SinkReport:
    """How a sink ended: batches written in its life, and batches taken or queued but not."""

    written: int
    left: int
    error: str = ""


class TelemetryDBSink:
    """Writes every batch of one run (``run_id``, or ``*``) from ``bus`` into ``store``.

    on_committed: called from the writer's thread after each transaction with its batches and the
    run's totals: what it is told is durable. on_trouble: called with the cause when writing begins
    to be retried or fails for good, and with "" when it works again.
    The sink uses the store from its own thread only and closes it.
    """

    def __init__(
        self,
        bus: RunBus,
        store: TelemetryStore,
        *,
        run_id: str = "*",
        capacity: int = 4 * BATCHES_A_COMMIT,
        on_committed: Callable[[Sequence[RecordBatch], Totals], None] | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._on_committed = on_committed
        self._on_trouble = on_trouble
        self._stats = SinkStats()
        self._stop = threading.Event()
        self._settled = threading.Condition()
        self._outstanding = 0  # batches taken and neither written nor refused
        self._subscription = bus.subscribe(
            [topic(run_id)], policy=Policy.LOSSLESS, capacity=capacity
        )
        self._thread = threading.Thread(target=self._run, name=f"sink {run_id}", daemon=True)
        self._thread.start()

    def __enter__(self) -> TelemetryDBSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def statistics(self) -> SinkStats:
        """Return the counters as they are now."""
        return replace(self._stats)

    @property
    def queue(self):
        """The counters of the sink's queue."""
        return self._subscription.statistics()

    def flush(self, *, timeout_s: float = 30.0) -> bool:
        """Wait until all that was published before is written; False when it was not in time."""
        with self._settled:
            self._settled.wait_for(self._is_settled, timeout_s)
            return self._is_settled(written=True)

    def close(self, *, timeout_s: float = 30.0) -> SinkReport:
        """Take no more, write what is queued, stop after ``timeout_s`` at most. Twice is safe.

        While the store has no room or is locked, nothing is waited for: what is left was not
        acknowledged, so it is still in the spool.
        """
        self._subscription.close()
        deadline = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._thread.join(_CLOSE_LOOK_S)
            if self._stats.state is SinkState.RETRYING:
                break
        self._stop.set()
        self._thread.join(timeout_s)
        left = self._subscription.statistics().depth + self._outstanding
        return SinkReport(self._stats.batches, left, self._stats.error)

    def _is_settled(self, *, written: bool = False) -> bool:
        over = not self._outstanding and not self._subscription.statistics().depth
        if written:
            return over
        return over or self._stats.state in (SinkState.FAILED, SinkState.CLOSED)

    def _run(self) -> None:
        try:
            while self._take_and_write():
                pass
        except StorageError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - the edge of the writer's thread
            _log.exception("the writer of run %s ended", self._run_id)
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._close_store()
            with self._settled:
                if self._stats.state is not SinkState.FAILED:
                    self._stats.state = SinkState.CLOSED
                self._settled.notify_all()

    def _take_and_write(self) -> bool:
        with self._settled:
            self._outstanding = 0
            self._settled.notify_all()
        batches = self._subscription.take(BATCHES_A_COMMIT)
        self._outstanding = len(batches)
        if not batches:
            return False  # closed and drained
        return self._write(batches)

    def _write(self, batches: list[RecordBatch]) -> bool:
        """Write until it is done; False when asked to stop before."""
        pause_s = _FIRST_PAUSE_S
        refused: Exception | None = None
        while True:
            try:
                if refused is not None:
                    batches, refused = self._isolate(batches, refused), None
                self._commit(batches)
                return True
            except (StoreBusyError, StoreSpaceError) as error:
                self._retrying(str(error))
            except REFUSALS as error:
                refused = error
                continue
            if self._stop.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _commit(self, batches: list[RecordBatch]) -> None:
        began = time.perf_counter()
        with self._store.atomic():
            for batch in batches:
                self._store.write(batch)
        stats = self._stats
        stats.last_commit_ms = (time.perf_counter() - began) * 1e3
        stats.commits += 1
        stats.batches += len(batches)
        stats.steps += sum(len(batch.steps) for batch in batches)
        if stats.state is SinkState.RETRYING:
            stats.state, stats.error = SinkState.WRITING, ""
            self._tell("")
        if self._on_committed is not None:
            self._on_committed(batches, self._store.totals())

    def _isolate(self, batches: list[RecordBatch], error: Exception) -> list[RecordBatch]:
        """Find what cannot be written and put a note of its loss in its place."""
        if len(batches) > 1:
            sound = [batch if self._can_be_written(batch) else _lost(batch) for batch in batches]
        else:
            sound = [_lost(batches[0], str(error))]
        changed = sum(a is not b for a, b in zip(batches, sound, strict=True))
        self._stats.refused += changed
        _log.error("run %s: %d batches refused: %s", self._run_id, changed, error)
        return sound

    def _can_be_written(self, batch: RecordBatch) -> bool:
        try:
            with self._store.atomic():
                self._store.write(batch)
        except REFUSALS:
            return False
        return True

    def _retrying(self, cause: str) -> None:
        self._stats.retries += 1
        if self._stats.state is not SinkState.RETRYING:
            self._stats.state, self._stats.error = SinkState.RETRYING, cause
            _log.warning("run %s: %s", self._run_id, cause)
            self._tell(cause)

    def _fail(self, cause: str) -> None:
        self._stats.state, self._stats.error = SinkState.FAILED, cause
        self._tell(cause)

    def _tell(self, cause: str) -> None:
        if self._on_trouble is not None:
            self._on_trouble(cause)

    def _close_store(self) -> None:
        try:
            self._store.close()
        except StorageError as error:
            self._stats.error = str(error)


def _lost(batch: RecordBatch, cause: str = "its content is not valid") -> RecordBatch:
    message = f"Records {batch.first_seq} to {batch.last_seq} could not be kept: {cause}"
    note = EventEntry(batch.first_seq, "warning", {"message": message})
    return RecordBatch(
        batch.channel, batch.first_seq, batch.last_seq, events=[note], run_id=batch.run_id
    )
