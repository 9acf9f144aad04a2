"""Live frames and control of a run whose rings are out of reach: by its proxy and the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path

import pytest
from waiting import wait_until

from gym_gui.core.errors import DaemonNotRunningError, GymGuiError, RingError
from gym_gui.core.records import RunState
from gym_gui.fastlane import (
    FastLaneConfig,
    FastLaneMetrics,
    FastLaneReader,
    FastLaneState,
    FastLaneWriter,
    rings,
)
from gym_gui.fastlane.layout import VIEW_ALL, VIEW_ONE
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.services.remote.ring_mirror import RingMirror
from gym_gui.services.trainer.client import SyncTrainerClient, TrainerClient
from gym_gui.services.trainer.daemon import ensure_daemon, stop_daemon
from gym_gui.services.trainer.live_desk import IN_FLIGHT, LiveDesk
from gym_gui.services.workers.demo import demo_spec


class Mirroring:
    """A ``RingMirror`` on a thread of its own, as a window has one."""

    def __init__(self, address, run_id: str, ring_dir: Path) -> None:
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._arguments = (address, run_id, ring_dir)
        self._thread = threading.Thread(target=self._run, name="mirroring")

    def __enter__(self) -> Mirroring:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _run(self) -> None:
        with self._runner as runner, contextlib.suppress(asyncio.CancelledError):
            runner.run(self._mirror())

    async def _mirror(self) -> None:
        address, run_id, ring_dir = self._arguments
        async with TrainerClient(address) as client:
            self._task = asyncio.create_task(RingMirror(client, run_id, ring_dir).run())
            await self._task


@pytest.fixture
def training(data_dir):
    """A run that trains for as long as the test lasts, and a client of its daemon."""
    address = ensure_daemon(data_dir)
    spec = demo_spec(data_dir, steps=10_000_000, max_steps_per_s=500)
    with SyncTrainerClient(address) as client:
        client.submit_run(spec)
        wait_until(lambda: rings(spec.run_id, data_dir.ring_dir), what="the run's ring")
        yield address, spec.run_id, client
        client.cancel_run(spec.run_id)
        wait_until(lambda: client.get_run(spec.run_id).state.is_final)
    with contextlib.suppress(DaemonNotRunningError):
        stop_daemon(data_dir)


def _attach(run_id: str, ring_dir: Path, stream: str | None = None) -> FastLaneReader:
    def attach() -> FastLaneReader | None:
        with contextlib.suppress(RingError, OSError):
            return FastLaneReader.attach(run_id, stream, ring_dir=ring_dir)
        return None

    return wait_until(attach, what="the mirrored ring")


def _watch(run_id: str, ring_dir: Path, count: int) -> list:
    """Return so many frames of the mirrored ring, as a viewer takes them."""
    frames, reader = [], _attach(run_id, ring_dir)

    def look() -> bool:
        nonlocal reader
        reader.lease(60, 0.5, 1.0)
        state, frame = reader.latest_frame()
        if frame is not None:
            frames.append(frame)
        elif state is FastLaneState.REPLACED:
            reader.close()
            reader = _attach(run_id, ring_dir)
        return len(frames) >= count

    wait_until(look, what="frames")
    reader.close()
    return frames


def test_frames_come_on_demand_with_their_numbers_and_stop_with_it(training, tmp_path, data_dir):
    address, run_id, _client = training
    original = FastLaneReader.attach(run_id, ring_dir=data_dir.ring_dir)
    with original, Mirroring(address, run_id, tmp_path / "rings"):
        _attach(run_id, tmp_path / "rings").close()
        assert original.latest_frame() == (FastLaneState.IDLE, None)  # nobody watches: no render
        frames = _watch(run_id, tmp_path / "rings", 20)
        assert {(frame.width, frame.height) for frame in frames} == {(600, 400)}
        moments = [(frame.episode, frame.step) for frame in frames]
        assert moments == sorted(set(moments))
        assert {frame.metrics.last_reward for frame in frames} == {1.0}
        assert any(len(set(frame.data)) > 2 for frame in frames)

        def quiet() -> bool:
            while original.latest_frame()[1] is not None:
                pass
            time.sleep(0.5)
            return original.latest_frame()[1] is None

        wait_until(quiet, what="the end of rendering")
    assert rings(run_id, tmp_path / "rings") == []


def test_a_pause_travels_to_the_worker_and_ends_with_its_viewer(training, tmp_path):
    address, run_id, client = training
    with Mirroring(address, run_id, tmp_path / "rings"):
        reader = _attach(run_id, tmp_path / "rings")
        wait_until(lambda: client.get_run(run_id).steps > 0)

        def state() -> RunState:
            reader.set_control(True, 0.0, 2.0)
            return client.get_run(run_id).state

        wait_until(lambda: state() is RunState.PAUSED, what="the pause")
        reader.close()
        wait_until(lambda: client.get_run(run_id).state is RunState.RUNNING, what="the end of it")


def test_what_is_wanted_and_why_there_is_nothing_reach_the_other_end(training, tmp_path, data_dir):
    address, run_id, _client = training
    config = FastLaneConfig(8, 8, 3)
    options = {"ring_dir": data_dir.ring_dir, "channel": "own"}
    with (
        FastLaneWriter.create(run_id, config, **options) as writer,
        Mirroring(address, run_id, tmp_path / "rings"),
    ):
        reader = _attach(run_id, tmp_path / "rings", "own")
        for view in (VIEW_ONE + 3, VIEW_ALL):

            def is_wanted(view: int = view) -> bool:
                reader.lease(30, 0.5, 1.0, view)
                return writer.demand().view == view

            wait_until(is_wanted, what="the wish at the writer")
        writer.cannot_draw("Own-v0: it has no render mode rgb_array.")
        writer.set_hud(FastLaneMetrics(1.0, 2.0, 3.0))

        def told() -> str:
            reader.lease(30, 0.5, 1.0)
            return reader.cannot_draw()

        assert wait_until(told, what="the reason") == "Own-v0: it has no render mode rgb_array."
        assert reader.live_hud() == (1.0, 2.0, 3.0)
        writer.cannot_draw("")
        several = config._replace(environments=5, first=2)
        writer.resize(several)

        def mirrored() -> bool:
            nonlocal reader
            reader.lease(30, 0.5, 1.0)
            writer.publish(bytes(8 * 8 * 3))
            if reader.latest_frame()[0] is FastLaneState.REPLACED:
                reader.close()
                reader = _attach(run_id, tmp_path / "rings", "own")
            return (reader.environments, reader.first) == (5, 2)

        wait_until(mirrored, what="the number of environments")
        reader.close()


def test_the_desk_asks_for_what_every_viewer_sees() -> None:
    async def run() -> list[int]:
        desk, seen = LiveDesk(), []
        words = desk.words("run")
        first = anext(words)

        async def requests(view: int):
            one = pb.RingDemand(stream="1", wanted_hz=60, budget=1, view=view)
            yield pb.FrameDemand(run_id="run", demands=[one])
            await asyncio.sleep(60)

        await first
        viewers = []
        for view in (VIEW_ONE + 1, VIEW_ONE + 1, VIEW_ONE + 2):
            frames = desk.frames(requests(view))
            viewers.append((frames, asyncio.ensure_future(anext(frames))))
            seen.append((await anext(words)).watch.demands[0].view)
        for frames, coming in viewers:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            await frames.aclose()
        await words.aclose()
        return seen

    assert asyncio.run(run()) == [VIEW_ONE + 1, VIEW_ONE + 1, VIEW_ALL]


def test_a_slow_viewer_gets_the_newest_frame_and_never_a_queue() -> None:
    async def run() -> tuple[list[int], int]:
        desk, demands = LiveDesk(), asyncio.Queue()

        async def requests():
            while True:
                yield await demands.get()

        def demand(taken: int) -> None:
            one = pb.RingDemand(stream="1", wanted_hz=60, budget=1, taken=taken)
            demands.put_nowait(pb.FrameDemand(run_id="run", demands=[one]))

        demand(0)
        frames = desk.frames(requests())
        coming = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen = []
        for step in range(1, 101):
            desk.take("run", pb.LiveFrame(stream="1", step=step))
            for _ in range(5):
                await asyncio.sleep(0)
            if coming.done():
                seen.append(coming.result().step)
                coming = asyncio.ensure_future(anext(frames))
        demand(IN_FLIGHT)
        seen.append((await coming).step)
        skipped = desk.statistics()["skipped"]
        await frames.aclose()
        assert desk.statistics()["viewers"] == 0
        return seen, skipped

    seen, skipped = asyncio.run(run())
    assert seen == [1, 2, 100]
    assert skipped == 97


def test_a_run_that_nobody_knows_is_watched_in_vain_but_harmlessly(training) -> None:
    address, _run_id, client = training

    async def watch() -> None:
        async with TrainerClient(address) as far:
            frames = far.live_frames()
            await frames.write(pb.FrameDemand(run_id="../../etc", demands=[]))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(aiter(frames)), 0.5)
            frames.cancel()
            with pytest.raises(GymGuiError):
                async for _chunk in far.fetch_run("../../etc"):
                    pass

    asyncio.run(watch())
    wait_until(lambda: client.health()["live"]["viewers"] == 0)
