"""The window's link to the daemon: one thread that owns an asyncio client.

Everything that arrives is gathered and handed to the GUI thread every ``BATCH_MS`` by one queued
signal. What the GUI has not taken yet is bounded: newest first, and the rest is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6 import QtCore

from gym_gui.controllers.pulse import answers, feel_pulse
from gym_gui.core.errors import DaemonLostError, GymGuiError, RunNotFoundError, UsageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import EpisodeRecord, RunRecord, RunSpec
from gym_gui.services.remote.far_runs import FarRuns
from gym_gui.services.remote.sources import LocalSource, Source

if TYPE_CHECKING:  # they need gRPC, which the first paint does without
    from gym_gui.services.trainer.client import Live
    from gym_gui.telemetry.batch import RecordBatch, StepColumns

BATCH_MS = 30
RETRY_S = (0.3, 1.0, 2.0, 5.0)
LOST_S = 10.0  # within which a broken connection is noticed
LAST_WORDS_S = 2.0  # how long requests under way may take when the program ends
MAX_CHUNKS = 256  # of steps, per run, between two batches


class LinkState(enum.Enum):
    """How the window stands with the daemon."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    SILENT = "silent"  # the connection is there, and no answer comes
    LOST = "lost"


@dataclass
class LiveBatch:
    """What arrived of one run since the last batch.

    skipped: steps that were let go, here or by the daemon. skipped_others: episodes, and batches
    of other records.
    """

    run_id: str
    steps: deque[StepColumns] = field(default_factory=lambda: deque(maxlen=MAX_CHUNKS))
    episodes: list[EpisodeRecord] = field(default_factory=list)
    records: list[RecordBatch] = field(default_factory=list)
    skipped: int = 0
    skipped_others: int = 0

    def add_steps(self, live: Live[StepColumns]) -> None:
        if len(self.steps) == MAX_CHUNKS:
            self.skipped += len(self.steps[0])
        self.skipped += live.skipped
        self.steps.append(live.content)

    def add_episodes(self, live: Live[list[EpisodeRecord]]) -> None:
        self.skipped_others += live.skipped
        self.episodes += live.content
        over = len(self.episodes) - 64 * MAX_CHUNKS
        if over > 0:
            self.skipped_others += over
            del self.episodes[:over]

    def add_records(self, live: Live[RecordBatch]) -> None:
        self.skipped_others += live.skipped
        self.records.append(live.content)
        over = len(self.records) - MAX_CHUNKS
        if over > 0:
            self.skipped_others += over
            del self.records[:over]


class TrainerLink(QtCore.QObject):
    """Signals arrive on the thread that made this object. It reconnects by itself.

    Owner calls ``start`` once and ``stop`` at the end.
    """

    state_changed = QtCore.Signal(object, str)  # LinkState, words
    trouble_changed = QtCore.Signal(object)  # why there is no daemon to talk to; None: there is
    resumed = QtCore.Signal()  # connected again: what came meanwhile was missed
    runs_changed = QtCore.Signal(object)  # list[RunRecord]: new, or changed
    runs_removed = QtCore.Signal(object)  # list of run ids
    batches_ready = QtCore.Signal(object)  # list[LiveBatch]
    request_done = QtCore.Signal(str, object)  # what ("submit", "cancel", …), its answer
    request_failed = QtCore.Signal(str, object)  # what, the error
    request_ended = QtCore.Signal(str, str)  # what, run id: done, failed or withdrawn
    _gathered = QtCore.Signal()

    def __init__(
        self,
        data_dir: DataDir,
        parent: QtCore.QObject | None = None,
        *,
        source: Source | None = None,
    ) -> None:
        """source: the daemon to link with; default: that of ``data_dir``."""
        super().__init__(parent)
        self._data_dir = data_dir
        self._source = source or LocalSource(data_dir)
        self._far = FarRuns(data_dir, is_far=self.is_far)
        self._lock = threading.Lock()  # guards the two below
        self._runs: dict[str, RunRecord] = {}
        self._batches: dict[str, LiveBatch] = {}
        self._announced = False
        self._client: Any = None
        self._serving = asyncio.Event()  # cleared while there is no client
        self._try_now = asyncio.Event()
        self._known: set[str] = set()  # runs that the window was told of
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._asked: dict[tuple[str, str], asyncio.Task[None]] = {}  # by what, run id
        self._runner: asyncio.Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._gathered.connect(self._deliver, QtCore.Qt.ConnectionType.QueuedConnection)

    # -- GUI thread -----------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Name of the machine whose runs these are, empty for this one."""
        return self._source.name

    @property
    def is_far(self) -> bool:
        """Tell whether the runs are of another machine: their files are here only as copies."""
        return bool(self._source.name)

    def fetch(self, run_id: str) -> None:
        """Bring a far run's files here; ``request_done("fetch", run_id)`` follows."""

        async def fetch(client: Any) -> str:
            await self._far.fetch(client, run_id)
            return run_id

        self._ask("fetch", run_id, fetch)

    def start(self) -> None:
        """Start the thread, and with it the daemon when none runs."""
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._run, name="trainer-link", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread, once what was asked is answered. Runs and daemon go on. Twice is safe."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None:
            return
        self._stopping = True
        self._source.interrupt()
        try:
            self._loop.call_soon_threadsafe(lambda: self._spawn(self._wind_down()))
        except RuntimeError:
            pass  # its loop has ended by itself
        thread.join(timeout_s)

    async def _wind_down(self) -> None:
        if self._client is not None and self._asked:
            await asyncio.wait(self._asked.values(), timeout=LAST_WORDS_S)
        if self._main is not None:
            self._main.cancel()

    def retry_now(self) -> None:
        """Try to connect at once instead of after the pause."""
        self._on_loop(self._try_now.set)

    def restart_daemon(self) -> None:
        """End a daemon of this machine that cannot be talked to, and start another."""
        self._on_loop(lambda: self._spawn(self._restart()))

    async def _restart(self) -> None:
        restart = getattr(self._source, "restart", None)
        if restart is not None:
            with contextlib.suppress(GymGuiError):  # gone already, or the next attempt tells
                await asyncio.to_thread(restart)
        self._try_now.set()

    def submit(self, spec: RunSpec) -> None:
        """Start a run; ``request_done("submit", RunRecord)`` follows, or ``request_failed``."""
        ours = None if self.is_far else dict(os.environ)
        self._ask("submit", spec.run_id, lambda client: client.submit_run(spec, ours))

    def withdraw(self, run_id: str) -> None:
        """Take a ``submit`` back, whether or not it has reached the daemon."""

        def withdraw() -> None:
            task = self._asked.get(("submit", run_id))
            if task is not None:
                task.cancel()
                if self._client is not None:
                    self._spawn(self._cancel_quietly(run_id))

        self._on_loop(withdraw)

    async def _cancel_quietly(self, run_id: str) -> None:
        try:
            await self._client.cancel_run(run_id)
        except Exception:  # noqa: BLE001 - a thread's edge: what never began need not end
            return

    def cancel(self, run_id: str) -> None:
        self._ask("cancel", run_id, lambda client: client.cancel_run(run_id))

    def delete(self, run_id: str) -> None:
        """Delete a run and its folder; ``runs_removed`` follows."""

        async def delete(client: Any) -> str:
            await client.delete_run(run_id)
            await self._far.forget(run_id)
            self._known.discard(run_id)
            self.runs_removed.emit([run_id])
            return run_id

        self._ask("delete", run_id, delete)

    def follow(self, run_id: str) -> None:
        """Ask for the run's steps, episodes and records, in ``batches_ready``."""
        self._on_loop(lambda: self._follow(run_id))

    def unfollow(self, run_id: str) -> None:
        self._on_loop(lambda: self._unfollow(run_id))

    def _on_loop(self, function: Callable[[], object]) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(function)

    def _ask(self, what: str, run_id: str, call: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
        def ask() -> None:
            task = self._asked[what, run_id] = self._spawn(self._answer(what, run_id, call))
            task.add_done_callback(lambda _: self._forget_question(what, run_id))

        self._on_loop(ask)

    def _forget_question(self, what: str, run_id: str) -> None:
        self._asked.pop((what, run_id), None)
        self.request_ended.emit(what, run_id)

    @QtCore.Slot()
    def _deliver(self) -> None:
        with self._lock:
            runs, self._runs = self._runs, {}
            batches, self._batches = self._batches, {}
            self._announced = False
        if runs:
            self.runs_changed.emit(list(runs.values()))
        if batches:
            self.batches_ready.emit(list(batches.values()))

    # -- the link's own thread ------------------------------------------------------------------

    def _run(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        assert self._runner is not None
        with self._runner as runner:
            try:
                runner.run(self._live())
            except asyncio.CancelledError:
                pass  # stop() asked for it
            finally:
                self._source.close()

    async def _live(self) -> None:
        self._main = asyncio.get_running_loop().create_task(self._stay_connected())
        if not self._stopping:
            await self._main
        self._main.cancel()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _stay_connected(self) -> None:
        await self._show_registry()
        words = f"Connecting to {self.place}…" if self.is_far else "Starting the recorder…"
        self.state_changed.emit(LinkState.CONNECTING, words)
        attempt = 0
        while True:
            try:
                await self._connect()
            except Exception as error:  # noqa: BLE001 - a thread's edge: shown, then tried again
                self._tell_lost(error)
            if self._client is not None:
                self._client, attempt = None, 0
                self._serving.clear()
            with contextlib.suppress(TimeoutError):
                pause_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                await asyncio.wait_for(self._try_now.wait(), pause_s)
            self._try_now.clear()
            attempt += 1

    def _tell_lost(self, error: Exception) -> None:
        self.trouble_changed.emit(error)
        self.state_changed.emit(LinkState.LOST, f"{_first_line(error)} Trying again.")

    def _tell_connected(self) -> None:
        words = f"Connected to {self.place}" if self.is_far else "Recording"
        self.trouble_changed.emit(None)
        self.state_changed.emit(LinkState.CONNECTED, words)

    async def _tell_pulse(self, is_well: bool) -> None:
        if is_well:
            self._tell_connected()
            return
        error = await asyncio.to_thread(self._source.silence)
        self.trouble_changed.emit(error)
        self.state_changed.emit(LinkState.SILENT, _first_line(error))

    async def _show_registry(self) -> None:
        """Show the runs of earlier sessions before any daemon has answered."""
        from gym_gui.services.registry import RunRegistry

        def read() -> list[RunRecord]:
            with RunRegistry(self._data_dir) as registry:
                return list(registry.list())

        try:
            for record in await asyncio.to_thread(read):
                self._add_run(record)
        except Exception as error:  # noqa: BLE001 - a thread's edge: the daemon's list follows
            self.request_failed.emit("list", error)

    async def _connect(self) -> None:
        """Serve one connection to its end. Raises why it ended, or could not begin."""
        from gym_gui.services.trainer.client import TrainerClient

        address = await asyncio.to_thread(self._source.connect)
        try:
            async with TrainerClient(address) as client:
                if not await answers(client):
                    raise await asyncio.to_thread(self._source.silence)
                await self._serve(client)
            raise DaemonLostError("The daemon ended the connection.")
        except GymGuiError as error:
            raise self._source.explain(error) from error
        finally:
            await self._far.close()

    async def _serve(self, client: Any) -> None:
        gone = await self._far.open(client) or await self._gone(client)
        if gone:
            self._known.difference_update(gone)
            self.runs_removed.emit(gone)
        self._client = client
        self._serving.set()
        self._tell_connected()
        self.resumed.emit()
        for run_id in list(self._followed):
            self._unfollow(run_id)
            self._follow(run_id)
        pulse = self._spawn(feel_pulse(client, self._tell_pulse))
        try:
            async for record in client.watch_runs():
                self._far.note(record)
                self._add_run(record)
        finally:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)

    async def _gone(self, client: Any) -> list[str]:
        """Return the runs that were shown and are no more: deleted while nobody was there."""
        if self.is_far or not self._known:
            return []
        return list(self._known - {record.run_id for record in await client.list_runs()})

    async def _answer(
        self, what: str, run_id: str, call: Callable[[Any], Coroutine[Any, Any, Any]]
    ) -> None:
        try:
            self.request_done.emit(what, await self._call(what, run_id, call))
        except Exception as error:  # noqa: BLE001 - a thread's edge: the window shows it
            self.request_failed.emit(what, error)

    async def _call(
        self, what: str, run_id: str, call: Callable[[Any], Coroutine[Any, Any, Any]]
    ) -> Any:
        """Call as soon as there is a daemon; once more when the connection broke meanwhile.

        The one that broke may have done it all the same: then its effect is the answer.
        """
        lost = False
        while True:
            await self._serving.wait()
            client = self._client
            try:
                return await call(client)
            except DaemonLostError:
                if lost and self._client is client:
                    raise
                lost = True
                await self._until_gone(client)
            except UsageError:
                if lost and what == "submit":
                    return await client.get_run(run_id)
                raise
            except RunNotFoundError:
                if lost and what == "delete":
                    return run_id
                raise

    async def _until_gone(self, client: Any) -> None:
        """Wait until a broken connection is noticed by its streams too; not for ever."""
        for _ in range(int(LOST_S / 0.05)):
            if self._client is not client:
                return
            await asyncio.sleep(0.05)

    def _add_run(self, record: RunRecord) -> None:
        with self._lock:
            self._runs[record.run_id] = record
        self._known.add(record.run_id)
        self._announce()

    def _announce(self) -> None:
        with self._lock:
            if self._announced:
                return
            self._announced = True
        asyncio.get_running_loop().call_later(BATCH_MS / 1000, self._gathered.emit)

    # -- one run's live data --------------------------------------------------------------------

    def _follow(self, run_id: str) -> None:
        if run_id not in self._followed:
            self._followed[run_id] = self._spawn(self._follow_all(run_id))

    def _unfollow(self, run_id: str) -> None:
        task = self._followed.pop(run_id, None)
        if task is not None:
            task.cancel()

    async def _follow_all(self, run_id: str) -> None:
        await self._serving.wait()
        client = self._client
        parts = (
            (client.stream_steps, LiveBatch.add_steps),
            (client.stream_episodes, LiveBatch.add_episodes),
            (client.stream_records, LiveBatch.add_records),
        )
        try:
            await asyncio.gather(*(self._pump(run_id, open_(run_id), add) for open_, add in parts))
        except DaemonLostError:
            return  # the link reconnects, and then follows again
        except Exception as error:  # noqa: BLE001 - a thread's edge: the window shows it
            if self._client is client:
                self.request_failed.emit("follow", error)

    async def _pump(
        self, run_id: str, source: AsyncIterator[Any], add: Callable[[LiveBatch, Any], None]
    ) -> None:
        async for item in source:
            with self._lock:
                add(self._batches.setdefault(run_id, LiveBatch(run_id)), item)
            self._announce()


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    line = text[0] if text else type(error).__name__
    return line if line.endswith(".") else line + "."
