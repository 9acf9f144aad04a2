"""The daemon's runs: submitted, followed to their end, found again after a restart."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import psutil

from gym_gui import __version__
from gym_gui.core.errors import (
    DaemonError,
    GymGuiError,
    RunNotFoundError,
    StorageError,
    UsageError,
)
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import RunRecord, RunSpec, RunState
from gym_gui.fastlane import sweep
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.channel import PROTOCOL
from gym_gui.services.registry import RunRegistry
from gym_gui.services.telemetry import TelemetryService
from gym_gui.services.trainer.aftercare import Aftercare
from gym_gui.services.trainer.control import ControlDesk
from gym_gui.services.trainer.far_runs import FarRun, is_known, remember
from gym_gui.services.trainer.files import (
    is_locked,
    read_json,
    supervisor_lock,
    worker_has_ended,
)
from gym_gui.services.trainer.keeping import words_of_room
from gym_gui.services.trainer.launchers import (
    LOCAL,
    Job,
    Launcher,
    LauncherAddress,
    launcher_for,
    parse_launcher,
)
from gym_gui.services.trainer.launching import (
    keep_spec,
    need_room,
    prepare_folder,
)
from gym_gui.services.trainer.listener import Listener
from gym_gui.services.trainer.live_desk import LiveDesk
from gym_gui.services.trainer.outcome import outcome
from gym_gui.services.trainer.proxies import ProxyKeeper
from gym_gui.services.trainer.streams import TelemetryAsyncHub
from gym_gui.telemetry.batch import RecordBatch
from gym_gui.telemetry.db_sink import SinkReport, SinkState
from gym_gui.telemetry.storage import Totals
from gym_gui.worker.spool import Room

TICK_S = 0.05
POLL_S = 1.0  # between looks at a local run's supervisor
TOTALS_S = 0.5  # how often watchers and registry hear of running totals
STOP_S = 15.0  # how long writing what is queued may take
START_S = 20.0  # how long a supervisor may take to report


@dataclass
class _Live:
    """One run that is not over: its record, its processes, the task that follows it."""

    record: RunRecord
    run_dir: RunDir
    job: Job
    far: FarRun | None = None
    proxy: ProxyKeeper | None = None
    store_trouble: str = ""  # what keeps the store from being written
    room_trouble: str = ""  # what the spools say of room
    begun: float = field(default_factory=time.monotonic)
    task: asyncio.Task[None] | None = None
    saved: float = 0.0
    polled: float = 0.0
    new_env_id: str = ""  # heard from the script, not yet in the registry


class Watcher:
    """One caller of WatchRuns: which runs it has not heard of yet."""

    def __init__(self, run_ids: Sequence[str]) -> None:
        self.dirty = dict.fromkeys(run_ids)
        self.changed = asyncio.Event()
        self.urgent = asyncio.Event()
        self.urgent.set()
        self.changed.set()


class RunManager:
    """Lives in the daemon's event loop. ``start`` first, ``close`` last."""

    def __init__(self, data_dir: DataDir, telemetry: TelemetryService, address: str) -> None:
        self.data_dir = data_dir
        self.telemetry = telemetry
        self.address = address
        self.hub = TelemetryAsyncHub(telemetry, on_committed=self._committed)
        self._registry = RunRegistry(data_dir)
        self.live_desk = LiveDesk()
        self.listener: Listener | None = None
        self._control = ControlDesk(data_dir.ring_dir)
        self._launchers: dict[LauncherAddress, Launcher] = {}
        self._live: dict[str, _Live] = {}
        self._waiting: dict[str, RunRecord] = {}  # queued until others of their group have ended
        self._watchers: set[Watcher] = set()
        self._begun = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._aftercare = Aftercare(data_dir, self._registry, self._was_checked)

    async def start(self) -> None:
        """Take up again what was running when the last daemon ended."""
        await asyncio.to_thread(sweep, self.data_dir.ring_dir)
        for record in await asyncio.to_thread(self._registry.list):
            if record.state.is_final or record.spec.mode == "human":
                continue
            run_dir = self.data_dir.run(record.run_id)
            started = run_dir.supervisor.exists() or is_known(run_dir)
            if record.state is RunState.QUEUED and not started:
                self._waiting[record.run_id] = record
            else:
                with contextlib.suppress(GymGuiError, OSError):  # the run says why
                    await self._open(record, start=not started)
        await self._start_waiting()
        await asyncio.to_thread(self._aftercare.find)

    async def close(self, *, timeout_s: float = STOP_S) -> dict[str, SinkReport]:
        """Let go of all runs; their supervisors and workers go on.

        Returns what each one's writer has written, and left in the spool for the next daemon.
        """
        self._control.close()
        tasks = [live.task for live in self._live.values() if live.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for live in self._live.values():
            if live.proxy is not None:
                await asyncio.to_thread(live.proxy.close)
        reports = await asyncio.to_thread(self.telemetry.close, timeout_s=timeout_s)
        await asyncio.to_thread(self._aftercare.close)
        for live in self._live.values():
            await self._save(live)
        self.hub.close()
        await asyncio.to_thread(sweep, self.data_dir.ring_dir)  # of workers that were killed
        self._registry.close()
        return reports

    async def submit(
        self, spec: RunSpec, environment: Mapping[str, str] | None = None
    ) -> RunRecord:
        """Register and start a run. Raises UsageError when its id is taken or it cannot be.

        environment: the variables that a run of this machine gets instead of the daemon's.
        """
        if not spec.command:
            raise UsageError("The run has no command.", next_step="Name a script to run.")
        if not os.path.isdir(spec.cwd):
            raise UsageError(
                f"The folder {spec.cwd} does not exist.", next_step="Start the run from another."
            )
        far = not parse_launcher(spec.launcher).is_local
        spec.created_ns = spec.created_ns or time.time_ns()
        await asyncio.to_thread(need_room, self.data_dir)
        if far:
            await asyncio.to_thread(keep_spec, self.data_dir, spec)
        else:
            await asyncio.to_thread(prepare_folder, self.data_dir, spec, environment)
        state = RunState.QUEUED if spec.group_limit or far else RunState.STARTING
        record = await asyncio.to_thread(self._registry.add, spec, state=state)
        if spec.group_limit:
            self._waiting[spec.run_id] = record
            self._tell(record, urgent=True)
            await self._start_waiting()
        else:
            await self._open(record, start=True)
        return record

    def _must_wait(self, spec: RunSpec) -> bool:
        group = [live for live in self._live.values() if live.record.spec.group == spec.group]
        return len(group) >= spec.group_limit

    async def _start_waiting(self) -> None:
        """Start what waits, in the order of submission, as far as its group has room.

        From the check to ``_open``'s first line nothing else runs, so that no limit is overrun.
        """
        for run_id, record in list(self._waiting.items()):
            if self._must_wait(record.spec) or self._waiting.pop(run_id, None) is None:
                continue
            record.state = RunState.STARTING
            with contextlib.suppress(GymGuiError, OSError):  # its record says why it failed
                await self._open(record, start=True)

    async def _open(self, record: RunRecord, *, start: bool = False) -> _Live:
        run_dir = self.data_dir.run(record.run_id)
        loop = asyncio.get_running_loop()
        live = self._live[record.run_id] = _Live(record, run_dir, Job(record.spec, run_dir))

        def troubled(cause: str) -> None:  # called on the writer's thread
            loop.call_soon_threadsafe(self._troubled, live, cause)

        try:
            await asyncio.to_thread(
                self.telemetry.open_run,
                record.run_id,
                spec=record.spec,
                on_committed=self.hub.committing(record.run_id),
                on_trouble=troubled,
            )
            _take_totals(record, self.telemetry.totals(record.run_id))
            await self._launch(live, start=start)
        except (GymGuiError, OSError) as error:
            record.state, record.cause = RunState.FAILED, str(error)
            await self._close_run(live)
            raise
        live.task = asyncio.create_task(self._follow(live))
        self._changed(live, urgent=True)
        return live

    async def _launch(self, live: _Live, *, start: bool) -> None:
        """Start the run's processes where its spec says, or take up again what was started."""
        address = parse_launcher(live.record.spec.launcher)
        launcher = await self._launcher(address)
        if launcher.is_far:
            assert self.listener is not None
            towards = address.host
            endpoint = await self.listener.endpoint_of_run(live.record.run_id, towards=towards)
            live.job = replace(live.job, endpoint=endpoint)
            live.far = FarRun(launcher, live.job, address)
            if start:
                await live.far.submit()
                await asyncio.to_thread(remember, live.run_dir, address)
        elif start:
            launcher.submit(live.job)

    async def _launcher(self, address: LauncherAddress) -> Launcher:
        if address not in self._launchers:
            self._launchers[address] = await asyncio.to_thread(launcher_for, address)
        return self._launchers[address]

    async def list_runs(self) -> list[RunRecord]:
        """Return all runs, those that are going on with their newest totals."""
        records = await asyncio.to_thread(self._registry.list)
        return [
            self._live[record.run_id].record if record.run_id in self._live else record
            for record in records
        ]

    async def get(self, run_id: str) -> RunRecord:
        """Return one run. Raises RunNotFoundError."""
        live = self._live.get(run_id)
        return live.record if live else await asyncio.to_thread(self._registry.get, run_id)

    async def cancel(self, run_id: str) -> RunRecord:
        """Ask a run's worker to end; a run that is over stays as it is."""
        waiting = self._waiting.pop(run_id, None)
        if waiting is not None:
            waiting.state, waiting.ended_ns = RunState.CANCELLED, time.time_ns()
            values = {"state": waiting.state, "ended_ns": waiting.ended_ns}
            await asyncio.to_thread(self._registry.update, run_id, **values)
            self._tell(waiting, urgent=True)
            return waiting
        live = self._live.get(run_id)
        if live is None:
            return await self.get(run_id)
        if live.far is not None:
            await live.far.cancel()
        else:
            launcher = await self._launcher(parse_launcher(live.record.spec.launcher))
            launcher.stop(live.job)
        return live.record

    async def delete(self, run_id: str) -> None:
        """Delete a finished run for good. Raises UsageError while it is going on."""
        if run_id in self._live or run_id in self._waiting:
            raise UsageError(f"{run_id} is still going on.", next_step="Stop it first.")
        await asyncio.to_thread(self._registry.delete, run_id)

    async def control(
        self, run_id: str, *, paused: bool | None, max_steps_per_s: float | None
    ) -> None:
        """Pause or pace a run for a while (see ``ControlDesk.set``). Raises GymGuiError."""
        if (await self.get(run_id)).state.is_final:
            raise UsageError(f"{run_id} is over.", next_step="There is nothing to pause.")
        live = self._live.get(run_id)
        if live is None or live.far is None:
            self._control.set(run_id, paused=paused, max_steps_per_s=max_steps_per_s)
        elif not self.live_desk.pace(run_id, paused=paused, max_steps_per_s=max_steps_per_s):
            raise DaemonError(
                f"{run_id} cannot be paused or slowed now: its node does not listen.",
                next_step="Try it again in a moment.",
            )

    async def register_worker(self, hello: pb.WorkerHello) -> RunRecord:
        """Give a job on a cluster's node the run that it is to do. Raises GymGuiError."""
        return self._far_run(hello.run_id).record

    async def heartbeat(self, hello: pb.WorkerHello) -> RunRecord:
        """Take a job's report; the answer's state is cancelled where the worker shall end."""
        live = self._far_run(hello.run_id)
        assert live.far is not None
        await asyncio.to_thread(live.far.take, hello)
        if live.far.is_cancelled:
            return replace(live.record, state=RunState.CANCELLED)
        return live.record

    def _far_run(self, run_id: str) -> _Live:
        live = self._live.get(run_id)
        if live is None or live.far is None:
            raise RunNotFoundError(f"No cluster's run {run_id} is going on here.")
        return live

    def is_needed(self) -> bool:
        """Tell whether a run goes on, waits, is checked or watched, or others may call in."""
        listens = self.listener is not None and self.listener.is_open
        checks = not self._aftercare.is_idle
        return bool(self._live or self._waiting or self._watchers or listens or checks)

    def is_open(self, run_id: str) -> bool:
        return run_id in self._live

    def health(self) -> dict[str, Any]:
        """Return what the daemon is doing, with the counters of its queues."""
        return {
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "data_dir": str(self.data_dir.root),
            "uptime_s": time.monotonic() - self._begun,
            "memory_bytes": psutil.Process().memory_info().rss,
            "listener": self.listener.statistics() if self.listener else {},
            "live": self.live_desk.statistics(),
            "hub": {"waits": self.hub.waits, "duplicates": self.hub.duplicates},
            "subscribers": [asdict(found) for found in self.telemetry.bus.statistics()],
            "checks": {"done": self._aftercare.checked, "damaged": self._aftercare.damaged},
            "waiting": list(self._waiting),
            "runs": {run_id: self._health_of(run_id) for run_id in self.telemetry.open_runs()},
        }

    def _health_of(self, run_id: str) -> dict[str, Any]:
        found = self.telemetry.statistics(run_id)
        live = self._live.get(run_id)
        health: dict[str, Any] = {
            "sink": {**asdict(found.sink), "state": found.sink.state.value},
            "queue": asdict(found.queue),
        }
        if live is not None:
            health.update(state=live.record.state.value, steps=live.record.steps)
            health["trouble"] = live.record.trouble
            health["proxy"] = read_json(live.run_dir.proxy) or {}
            if live.proxy is not None:
                health["proxy"].update(starts=live.proxy.starts, adopted=live.proxy.adopted)
        return health

    # Following a run

    async def _follow(self, live: _Live) -> None:
        while not await self._look(live):
            await asyncio.sleep(TICK_S)
        await self._finish(live)

    async def _look(self, live: _Live) -> bool:
        """Bring state and processes up to date; True when the run is over and stored."""
        if live.far is not None:
            return await self._look_far(live, live.far)
        if time.monotonic() - live.polled > POLL_S:
            live.polled = time.monotonic()
            (await self._launcher(parse_launcher(LOCAL))).status(live.job)  # no zombie stays
        report = read_json(live.run_dir.supervisor)
        if report is None:
            waited = time.monotonic() - live.begun
            # On a full disk the report has to wait; its lock says that the supervisor is there.
            return waited > START_S and not is_locked(supervisor_lock(live.run_dir))
        if live.record.state in (RunState.QUEUED, RunState.STARTING):
            live.record.state = RunState.RUNNING
            live.record.started_ns = report["started_ns"]
            self._changed(live, urgent=True)
        await self._save_now_and_then(live)
        if report["ended_ns"] and live.room_trouble:
            live.room_trouble = ""  # the number of what was dropped stays
            self._tell_trouble(live)
        live.proxy = live.proxy or ProxyKeeper(live.run_dir, self.address)
        return live.proxy.is_done() or self._cannot_be_stored(live)

    def _cannot_be_stored(self, live: _Live) -> bool:
        """Whether the worker has ended and the run's file is damaged: no waiting will help."""
        if self.telemetry.statistics(live.record.run_id).sink.state is not SinkState.FAILED:
            return False
        return worker_has_ended(live.run_dir.supervisor)

    async def _look_far(self, live: _Live, far: FarRun) -> bool:
        over = await far.look(is_publishing=self.live_desk.has_proxy(live.record.run_id))
        if live.record.state in (RunState.QUEUED, RunState.STARTING):
            state = RunState.RUNNING if far.report else far.run_state
            if far.report:
                live.record.started_ns = far.report["started_ns"]
            if state is not live.record.state:
                live.record.state = state
                self._changed(live, urgent=True)
        await self._save_now_and_then(live)
        return over

    async def _finish(self, live: _Live) -> None:
        report = read_json(live.run_dir.supervisor)
        lost = live.far.problem if live.far else ""
        ended = await asyncio.to_thread(outcome, live.run_dir, report, lost=lost)
        if live.far is not None and live.far.is_cancelled:
            ended.state, ended.cause = RunState.CANCELLED, ""
        if live.far is None and self._cannot_be_stored(live):
            ended.state, ended.cause = RunState.FAILED, live.store_trouble
        again = self._retry_of(live, ended.state)
        if again is not None:
            ended.cause += f"; it is started again as {again.run_id}"
        live.record.state, live.record.cause = ended.state, ended.cause
        live.record.exit_code, live.record.signal = ended.exit_code, ended.signal
        live.record.ended_ns = ended.ended_ns
        await self._close_run(live)
        if again is not None:
            with contextlib.suppress(GymGuiError):  # that run says why
                await self.submit(again)

    def _retry_of(self, live: _Live, state: RunState) -> RunSpec | None:
        """Return the run to start in place of one that its cluster has lost."""
        far = live.far
        if far is None or state is not RunState.FAILED or not far.was_lost:
            return None
        if far.address.retries <= 0:
            return None
        from gym_gui.services.workers.spec import again

        launcher = str(replace(far.address, retries=far.address.retries - 1))
        tags = [*live.record.spec.tags, "retry"]
        return replace(again(live.record.spec), launcher=launcher, tags=tags)

    async def _close_run(self, live: _Live) -> None:
        run_id = live.record.run_id
        if live.proxy is not None:
            await asyncio.to_thread(live.proxy.close)
        await asyncio.to_thread(self.telemetry.close_run, run_id)
        self._control.give_back(run_id)
        await asyncio.to_thread(sweep, self.data_dir.ring_dir)  # a killed worker leaves its ring
        live.record.size_bytes = await asyncio.to_thread(self._registry.size_bytes, run_id)
        while not await self._save(live):  # a full disk; until then the run is not over
            await asyncio.sleep(1.0)
        del self._live[run_id]
        self.hub.forget_run(run_id)
        self._changed(live, urgent=True)
        self._aftercare.add(run_id)
        await self._start_waiting()

    def _was_checked(self, run_id: str, problem: str) -> None:
        """A finished run's file was read whole, on another thread; tell what is wrong with it."""
        if problem and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_damage, run_id, problem)

    def _tell_damage(self, run_id: str, problem: str) -> None:
        record = self._registry.get(run_id)
        record.trouble = f"Its file is damaged ({problem}): gym-gui repair {run_id}"
        self._tell(record, urgent=True)

    async def _save_now_and_then(self, live: _Live) -> None:
        if time.monotonic() - live.saved > 1.0:
            await self._save(live)

    async def _save(self, live: _Live) -> bool:
        """Write a run's record to the registry; False when that has to be tried again."""
        live.saved = time.monotonic()
        names = ("state", "started_ns", "ended_ns", "exit_code", "signal", "cause", "steps")
        names += ("episodes", "last_return", "best_return", "rejected", "dropped", "size_bytes")
        values = {name: getattr(live.record, name) for name in names}
        try:
            await asyncio.to_thread(self._registry.update, live.record.run_id, **values)
            if live.new_env_id:
                env_id, live.new_env_id = live.new_env_id, ""
                name = self._registry.name_environment
                await asyncio.to_thread(name, live.record.run_id, env_id)
        except RunNotFoundError:
            return True  # deleted by somebody else meanwhile
        except StorageError as error:
            self._troubled(live, str(error))
            return False
        return True

    def _committed(self, run_id: str, batches: list[RecordBatch], totals: Totals) -> None:
        live = self._live.get(run_id)
        if live is None:
            return
        record = live.record
        _take_totals(record, totals)
        urgent = False
        for batch in batches:
            for event in batch.events:
                urgent |= _apply_event(record, event.event)
                if event.event == "stream" and not record.spec.env_id:
                    record.spec.env_id = live.new_env_id = str(event.data.get("env_id") or "")
        self._changed(live, urgent=urgent)

    def _troubled(self, live: _Live, cause: str) -> None:
        """What keeps a run's recording waiting, told by its writer's thread; "" when it is over."""
        live.store_trouble = cause
        self._tell_trouble(live)

    def take_condition(self, run_id: str, room: str, dropped: int) -> None:
        """Take over what a run's spools say of room: the run may wait, drop, or record no more."""
        live = self._live.get(run_id)
        if live is None:
            return
        record = live.record
        record.dropped = max(record.dropped, dropped)
        live.room_trouble = words_of_room(room, record.dropped)
        if room == Room.WAITING and record.state is RunState.RUNNING:
            record.state = RunState.PAUSED
            self._changed(live, urgent=True)
        self._tell_trouble(live)

    def _tell_trouble(self, live: _Live) -> None:
        told = " ".join(filter(None, (live.room_trouble, live.store_trouble)))
        if live.record.trouble != told:
            live.record.trouble = told
            self._changed(live, urgent=True)

    def count_rejected(self, run_id: str, count: int) -> None:
        live = self._live.get(run_id)
        if live is not None:
            live.record.rejected += count

    # Watching

    async def watch(self) -> AsyncIterator[RunRecord]:
        """Yield every run as it is, then each that changes; totals at most every ``TOTALS_S``."""
        records = {record.run_id: record for record in await self.list_runs()}
        watcher = Watcher(list(records)[::-1])
        self._watchers.add(watcher)
        try:
            while True:
                await watcher.changed.wait()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(watcher.urgent.wait(), TOTALS_S)
                dirty, watcher.dirty = watcher.dirty, {}
                watcher.changed.clear()
                watcher.urgent.clear()
                for run_id, changed in dirty.items():
                    yield changed or records[run_id]
        finally:
            self._watchers.discard(watcher)

    def _changed(self, live: _Live, *, urgent: bool) -> None:
        self._tell(live.record, urgent=urgent)

    def _tell(self, record: RunRecord, *, urgent: bool) -> None:
        for watcher in self._watchers:
            watcher.dirty[record.run_id] = record
            watcher.changed.set()
            if urgent:
                watcher.urgent.set()


def _take_totals(record: RunRecord, totals: Totals) -> None:
    record.steps, record.episodes = totals.steps, totals.episodes
    record.last_return, record.best_return = totals.last_return, totals.best_return


def _apply_event(record: RunRecord, event: str) -> bool:
    """Take over what a ``run`` record says of the run; True when its state changed."""
    if event == "paused" and record.state is RunState.RUNNING:
        record.state = RunState.PAUSED
        return True
    elif event == "resumed" and record.state is RunState.PAUSED:
        record.state = RunState.RUNNING
        return True
    return False
