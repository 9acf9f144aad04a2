"""The daemon's calls as seen from the window and the command line."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from grpc import aio

from gym_gui.core.errors import RunNotFoundError
from gym_gui.core.records import EpisodeRecord, RunRecord, RunSpec
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.channel import check_version, connect, error_from
from gym_gui.rpc.codec import decode_batch, decode_run, decode_steps
from gym_gui.rpc.endpoint import Endpoint
from gym_gui.rpc.trainer_pb2_grpc import TrainerServiceStub
from gym_gui.telemetry.batch import RecordBatch, StepColumns


def _raises_ours(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(*arguments: Any, **options: Any) -> Any:
        try:
            return await method(*arguments, **options)
        except aio.AioRpcError as error:
            raise error_from(error) from None

    return call


Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class Live(Generic[Content]):
    """New records of a run. skipped: what the daemon let go before them, for want of a reader.

    In steps of a stream of steps, in batches of the others.
    """

    content: Content
    skipped: int = 0


class TrainerClient:
    """Asynchronous; use it in the event loop where it was opened.

    All calls raise GymGuiError: what the daemon answered, or DaemonError when it is not there.
    """

    def __init__(self, address: Endpoint | str) -> None:
        self._address = address
        self._channel: aio.Channel | None = None

    async def __aenter__(self) -> TrainerClient:
        self._channel = await connect(self._address)
        self._stub = TrainerServiceStub(self._channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Twice is safe."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    @_raises_ours
    async def submit_run(
        self, spec: RunSpec, environment: Mapping[str, str] | None = None
    ) -> RunRecord:
        """Start a run, under the variables of ``environment`` and over them the spec's own.

        environment: the caller's, as a shell hands them on; None: the daemon's. It is not kept.
        """
        request = pb.SubmitRunRequest(spec_json=json.dumps(spec.to_dict()))
        if environment is not None:
            request.environment_json = json.dumps(dict(environment))
        return decode_run(await self._stub.SubmitRun(request))

    @_raises_ours
    async def cancel_run(self, run_id: str) -> RunRecord:
        """Ask a run to end; ``watch_runs`` tells when it has."""
        return decode_run(await self._stub.CancelRun(pb.RunRequest(run_id=run_id)))

    @_raises_ours
    async def delete_run(self, run_id: str) -> None:
        """Delete a finished run and its files for good."""
        await self._stub.DeleteRun(pb.RunRequest(run_id=run_id))

    @_raises_ours
    async def list_runs(self) -> list[RunRecord]:
        return [decode_run(run) for run in (await self._stub.ListRuns(pb.Empty())).runs]

    async def get_run(self, run_id: str) -> RunRecord:
        """Return one run as it is now. Raises RunNotFoundError."""
        for record in await self.list_runs():
            if record.run_id == run_id:
                return record
        raise RunNotFoundError(
            f"No run is called {run_id}.", next_step="Run `gym-gui runs` to see them all."
        )

    @_raises_ours
    async def control(
        self, run_id: str, *, paused: bool | None = None, max_steps_per_s: float | None = None
    ) -> None:
        """Pause or pace a run for three seconds: say it again to go on. No word gives it back.

        So a run never stays paused by a program that has died.
        """
        request = pb.SetControlRequest(
            run_id=run_id, paused=paused, max_steps_per_s=max_steps_per_s
        )
        await self._stub.SetControl(request)

    @_raises_ours
    async def health(self) -> dict[str, Any]:
        """Return what the daemon is doing, with the counters of its queues.

        Raises DaemonVersionError where it speaks another version of the protocol.
        """
        found = json.loads((await self._stub.GetHealth(pb.Empty())).json)
        check_version(found)
        return found

    async def watch_runs(self) -> AsyncIterator[RunRecord]:
        """Yield every run as it is, then each that changes."""
        async with contextlib.aclosing(self._watch(self._stub.WatchRuns(pb.Empty()))) as answers:
            async for run in answers:
                yield decode_run(run)

    async def stream_steps(self, run_id: str) -> AsyncIterator[Live[StepColumns]]:
        """Yield new steps; what comes too fast is skipped, and counted."""
        async with contextlib.aclosing(self._stream("StreamRunSteps", run_id)) as batches:
            async for batch in batches:
                yield Live(decode_steps(batch.steps), batch.skipped)

    async def stream_episodes(self, run_id: str) -> AsyncIterator[Live[list[EpisodeRecord]]]:
        """Yield episodes as they end."""
        async with contextlib.aclosing(self._stream("StreamRunEpisodes", run_id)) as batches:
            async for batch in batches:
                yield Live(decode_batch(batch).episodes, batch.skipped)

    async def stream_records(self, run_id: str) -> AsyncIterator[Live[RecordBatch]]:
        """Yield resets, metrics, logs and events as they come."""
        async with contextlib.aclosing(self._stream("StreamRunRecords", run_id)) as batches:
            async for batch in batches:
                yield Live(decode_batch(batch), batch.skipped)

    def live_frames(self) -> LiveFrames:
        """Open a call for a run's live frames: write what is wanted, iterate over what comes."""
        return LiveFrames(self._stub.StreamRunFrames())

    async def fetch_run(self, run_id: str, *, have: str = "") -> AsyncIterator[pb.FileChunk]:
        """Yield a consistent copy of the run's files, unless ``have`` is its mark already."""
        request = pb.FetchRequest(run_id=run_id, have=have)
        async with contextlib.aclosing(self._watch(self._stub.FetchRun(request))) as chunks:
            async for chunk in chunks:
                yield chunk

    def _stream(self, call: str, run_id: str) -> AsyncGenerator[Any, None]:
        return self._watch(getattr(self._stub, call)(pb.RunRequest(run_id=run_id)))

    async def _watch(self, answers: Any) -> AsyncGenerator[Any, None]:
        try:
            async for answer in answers:
                yield answer
        except aio.AioRpcError as error:
            raise error_from(error) from None
        finally:
            answers.cancel()


class LiveFrames:
    """One call for live frames. Raises GymGuiError; ``cancel`` ends it, and with it the demand."""

    def __init__(self, call: Any) -> None:
        self._call = call

    @_raises_ours
    async def write(self, demand: pb.FrameDemand) -> None:
        await self._call.write(demand)

    async def __aiter__(self) -> AsyncIterator[pb.LiveFrame]:
        try:
            async for frame in self._call:
                yield frame
        except aio.AioRpcError as error:
            raise error_from(error) from None

    def cancel(self) -> None:
        self._call.cancel()


class SyncTrainerClient:
    """``TrainerClient``'s single calls for code without an event loop: each runs to its answer."""

    def __init__(self, address: Endpoint | str) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = TrainerClient(address)

    def __enter__(self) -> SyncTrainerClient:
        self._wait(self._client.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connection and loop. Twice is safe."""
        if not self._loop.is_closed():
            self._wait(self._client.close())
            self._loop.close()

    def submit_run(self, spec: RunSpec, environment: Mapping[str, str] | None = None) -> RunRecord:
        return self._wait(self._client.submit_run(spec, environment))

    def cancel_run(self, run_id: str) -> RunRecord:
        return self._wait(self._client.cancel_run(run_id))

    def delete_run(self, run_id: str) -> None:
        self._wait(self._client.delete_run(run_id))

    def list_runs(self) -> list[RunRecord]:
        return self._wait(self._client.list_runs())

    def get_run(self, run_id: str) -> RunRecord:
        return self._wait(self._client.get_run(run_id))

    def control(
        self, run_id: str, *, paused: bool | None = None, max_steps_per_s: float | None = None
    ) -> None:
        self._wait(self._client.control(run_id, paused=paused, max_steps_per_s=max_steps_per_s))

    def health(self) -> dict[str, Any]:
        return self._wait(self._client.health())

    def _wait(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(call)
