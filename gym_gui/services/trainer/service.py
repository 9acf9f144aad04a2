"""TrainerService: the daemon's side of the calls."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import grpc
from grpc import aio

from gym_gui.core.errors import GymGuiError, ProtocolError, RunNotFoundError
from gym_gui.core.records import RunSpec
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.channel import error_details
from gym_gui.rpc.codec import decode_batch, encode_batch, encode_run
from gym_gui.rpc.trainer_pb2_grpc import TrainerServiceServicer
from gym_gui.services.trainer.live_desk import LiveDesk
from gym_gui.services.trainer.runs import RunManager
from gym_gui.services.trainer.snapshot import copy_of
from gym_gui.services.trainer.streams import Publisher
from gym_gui.telemetry.batch import RecordBatch
from gym_gui.telemetry.run_bus import Kind, Policy, topic

Context = aio.ServicerContext


def _status(error: GymGuiError) -> grpc.StatusCode:
    if isinstance(error, RunNotFoundError):
        return grpc.StatusCode.NOT_FOUND
    if isinstance(error, ProtocolError):
        return grpc.StatusCode.INVALID_ARGUMENT
    return grpc.StatusCode.FAILED_PRECONDITION


def _spec(text: str) -> RunSpec:
    """Return the spec that a client sent. Raises ProtocolError where it is none."""
    try:
        spec = RunSpec.from_dict(json.loads(text))
        words = [*spec.command, spec.run_id, spec.worker, spec.cwd, *spec.env, *spec.env.values()]
    except (ValueError, TypeError, AttributeError) as error:
        raise ProtocolError(
            f"That is no run's specification: {error}.",
            next_step="Use the same version of gym-gui on both sides.",
        ) from error
    if not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ProtocolError("Command, folder and variables of a run are text.")
    return spec


def _environment(text: str) -> dict[str, str] | None:
    """Return the caller's variables. Raises ProtocolError where they are none."""
    if not text:
        return None
    try:
        found = json.loads(text)
        words = [*found, *found.values()]
    except (ValueError, TypeError, AttributeError) as error:
        raise ProtocolError(f"That is no set of variables: {error}.") from error
    if not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ProtocolError("The variables of a run are text.")
    return found


def _answers_errors(method: Callable[..., Any]) -> Callable[..., Any]:
    """Send errors of ours to the caller as what they are."""

    @functools.wraps(method)
    async def call(self: Any, request: Any, context: Context) -> Any:
        try:
            return await method(self, request, context)
        except GymGuiError as error:
            await context.abort(_status(error), error_details(error))

    return call


class TrainerService(TrainerServiceServicer):
    """Translates calls; the runs and the hub do the work."""

    def __init__(self, runs: RunManager) -> None:
        self._runs = runs

    @_answers_errors
    async def SubmitRun(self, request: pb.SubmitRunRequest, context: Context) -> pb.Run:
        spec = _spec(request.spec_json)
        environment = _environment(request.environment_json)
        return encode_run(await self._runs.submit(spec, environment))

    @_answers_errors
    async def CancelRun(self, request: pb.RunRequest, context: Context) -> pb.Run:
        return encode_run(await self._runs.cancel(request.run_id))

    @_answers_errors
    async def DeleteRun(self, request: pb.RunRequest, context: Context) -> pb.Empty:
        await self._runs.delete(request.run_id)
        return pb.Empty()

    @_answers_errors
    async def ListRuns(self, request: pb.Empty, context: Context) -> pb.RunList:
        return pb.RunList(runs=[encode_run(record) for record in await self._runs.list_runs()])

    async def WatchRuns(self, request: pb.Empty, context: Context) -> AsyncIterator[pb.Run]:
        async for record in self._runs.watch():
            yield encode_run(record)

    @_answers_errors
    async def GetHealth(self, request: pb.Empty, context: Context) -> pb.Health:
        return pb.Health(json=json.dumps(self._runs.health(), default=str))

    @_answers_errors
    async def SetControl(self, request: pb.SetControlRequest, context: Context) -> pb.Empty:
        paused = request.paused if request.HasField("paused") else None
        pace = request.max_steps_per_s if request.HasField("max_steps_per_s") else None
        await self._runs.control(request.run_id, paused=paused, max_steps_per_s=pace)
        return pb.Empty()

    # Publishing

    async def PublishRunSteps(
        self, request_iterator: AsyncIterator[pb.Publication], context: Context
    ) -> AsyncIterator[pb.Acknowledgement]:
        publisher = Publisher()
        taking = asyncio.create_task(self._take(request_iterator, publisher))
        try:
            async for channel, committed in self._runs.hub.answers(publisher):
                yield pb.Acknowledgement(channel=channel, committed=committed)
            await taking
        except GymGuiError as error:
            await context.abort(_status(error), error_details(error))
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    PublishRunEpisodes = PublishRunSteps
    PublishRunRecords = PublishRunSteps

    async def _take(self, requests: AsyncIterator[pb.Publication], publisher: Publisher) -> None:
        hub = self._runs.hub
        try:
            async for request in requests:
                if request.HasField("hello"):
                    hub.greet(publisher, request.hello.run_id, request.hello.channel)
                    continue
                if request.HasField("condition"):
                    said = request.condition
                    self._runs.take_condition(said.run_id, said.room, said.dropped)
                    continue
                await hub.accept(publisher, decode_batch(request.batch))
                if request.batch.rejected:
                    self._runs.count_rejected(request.batch.run_id, request.batch.rejected)
        finally:
            publisher.finished = True
            publisher.changed.set()

    # Streaming to whoever watches

    async def StreamRunSteps(self, request: pb.RunRequest, context: Context):
        async for batch, skipped in self._stream(request, Kind.STEPS):
            yield encode_batch(_only(batch, "steps"), skipped=skipped)

    async def StreamRunEpisodes(self, request: pb.RunRequest, context: Context):
        async for batch, skipped in self._stream(request, Kind.EPISODES):
            yield encode_batch(_only(batch, "episodes"), skipped=skipped)

    async def StreamRunRecords(self, request: pb.RunRequest, context: Context):
        async for batch, skipped in self._stream(request, Kind.RECORDS):
            kept = _only(batch, "resets", "metrics", "logs", "events")
            yield encode_batch(kept, skipped=skipped)

    async def StreamRunFrames(
        self, request_iterator: AsyncIterator[pb.FrameDemand], context: Context
    ) -> AsyncIterator[pb.LiveFrame]:
        async with contextlib.aclosing(self._runs.live_desk.frames(request_iterator)) as frames:
            async for frame in frames:
                yield frame

    async def FetchRun(
        self, request: pb.FetchRequest, context: Context
    ) -> AsyncIterator[pb.FileChunk]:
        try:
            run_dir = self._runs.data_dir.run((await self._runs.get(request.run_id)).run_id)
            async with contextlib.aclosing(copy_of(run_dir, have=request.have)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except GymGuiError as error:
            await context.abort(_status(error), error_details(error))

    # A run's proxy, and the job around it on another machine

    @_answers_errors
    async def RegisterWorker(self, request: pb.WorkerHello, context: Context) -> pb.Run:
        return encode_run(await self._runs.register_worker(request))

    @_answers_errors
    async def Heartbeat(self, request: pb.WorkerHello, context: Context) -> pb.Run:
        return encode_run(await self._runs.heartbeat(request))

    async def ControlStream(
        self, request_iterator: AsyncIterator[pb.ControlReport], context: Context
    ) -> AsyncIterator[pb.Control]:
        first = await anext(request_iterator, None)
        if first is None:
            return
        desk, run_id = self._runs.live_desk, first.run_id
        taking = asyncio.create_task(_take_frames(request_iterator, desk, run_id))
        try:
            async with contextlib.aclosing(desk.words(run_id)) as words:
                async for word in words:
                    yield word
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def _stream(
        self, request: pb.RunRequest, kind: Kind, *, capacity: int = 64
    ) -> AsyncIterator[tuple[RecordBatch, int]]:
        """Yield batches, each with what was let go since the one before: steps, or batches."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:  # called on the publisher's thread
            loop.call_soon_threadsafe(ready.set)

        subscription = self._runs.telemetry.bus.subscribe(
            [topic(request.run_id, kind)],
            policy=Policy.NEWEST_FIRST,
            capacity=capacity,
            on_ready=wake,
        )
        told = 0
        with subscription:
            while True:
                await ready.wait()
                ready.clear()
                for batch in subscription.take(timeout_s=0):
                    statistics = subscription.statistics()
                    is_steps = kind is Kind.STEPS
                    lost = statistics.skipped_steps if is_steps else statistics.skipped
                    yield batch, lost - told
                    told = lost


async def _take_frames(
    reports: AsyncIterator[pb.ControlReport], desk: LiveDesk, run_id: str
) -> None:
    async for report in reports:
        desk.take(run_id, report.frame)


def _only(batch: RecordBatch, *kinds: str) -> RecordBatch:
    """Return the batch with some kinds of records only, streams numbered as in the store."""
    ids = batch.stream_ids
    kept = RecordBatch(batch.channel, batch.first_seq, batch.last_seq, run_id=batch.run_id)
    if "steps" in kinds:
        kept.steps = replace(batch.steps, stream=[ids[n] for n in batch.steps.stream])
    if "episodes" in kinds:
        kept.episodes = [replace(e, stream=ids[e.stream]) for e in batch.episodes]
    if "resets" in kinds:
        kept.resets = [replace(r, stream=ids[r.stream]) for r in batch.resets]
    if "frames" in kinds:
        kept.frames = [replace(f, instance=ids[f.instance]) for f in batch.frames]
    for name in ("metrics", "logs", "events"):
        if name in kinds:
            setattr(kept, name, getattr(batch, name))
    return kept
