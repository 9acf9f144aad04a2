"""TrainerService: the daemon's side of the calls."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import grpc
from grpc import aio

from gym_gui.core.errors import GymGuiError, RunNotFoundError
from gym_gui.core.records import RunSpec
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.channel import error_details
from gym_gui.rpc.codec import decode_batch, encode_batch, encode_run
from gym_gui.rpc.trainer_pb2_grpc import TrainerServiceServicer
from gym_gui.services.trainer.runs import RunManager
from gym_gui.services.trainer.streams import Publisher
from gym_gui.telemetry.batch import RecordBatch
from gym_gui.telemetry.run_bus import Kind, Policy, topic

Context = aio.ServicerContext


def _status(error: GymGuiError) -> grpc.StatusCode:
    if isinstance(error, RunNotFoundError):
        return grpc.StatusCode.NOT_FOUND
    return grpc.StatusCode.FAILED_PRECONDITION


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
        spec = RunSpec.from_dict(json.loads(request.spec_json))
        return encode_run(await self._runs.submit(spec))

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
                await hub.accept(publisher, decode_batch(request.batch))
                if request.batch.rejected:
                    self._runs.count_rejected(request.batch.run_id, request.batch.rejected)
        finally:
            publisher.finished = True
            publisher.changed.set()

    # Streaming to whoever watches

    async def StreamRunSteps(self, request: pb.RunRequest, context: Context):
        async for batch in self._stream(request, Kind.STEPS, context):
            yield encode_batch(_only(batch, "steps"))

    async def StreamRunEpisodes(self, request: pb.RunRequest, context: Context):
        async for batch in self._stream(request, Kind.EPISODES, context):
            yield encode_batch(_only(batch, "episodes"))

    async def StreamRunRecords(self, request: pb.RunRequest, context: Context):
        async for batch in self._stream(request, Kind.RECORDS, context):
            yield encode_batch(_only(batch, "resets", "metrics", "logs", "events"))

    async def StreamRunFrames(self, request: pb.RunRequest, context: Context):
        async for batch in self._stream(request, Kind.FRAMES, context, capacity=1):
            newest = _only(batch, "frames")
            newest.frames = newest.frames[-1:]
            yield encode_batch(newest)

    async def _stream(
        self, request: pb.RunRequest, kind: Kind, context: Context, *, capacity: int = 64
    ) -> AsyncIterator[RecordBatch]:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:  # called on the publisher's thread
            loop.call_soon_threadsafe(ready.set)

        subscription = self._runs.telemetry.bus.subscribe(
            [topic(request.run_id, kind)],
            policy=Policy.NEWEST_FIRST,
            capacity=capacity,
            on_ready=wake,
        )
        with subscription:
            while True:
                await ready.wait()
                ready.clear()
                for batch in subscription.take(timeout_s=0):
                    yield batch


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
