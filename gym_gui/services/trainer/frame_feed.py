"""The proxy's side of live frames and control, next to the rings.

Attaches to a ring only while somebody far away wants its pictures, renews the demand's lease
there, and sends the newest frame, compressed, when the daemon has taken the ones before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import zstandard

from gym_gui.core.errors import GymGuiError
from gym_gui.fastlane import FastLaneFrame, FastLaneMetrics, FastLaneReader, FastLaneState, rings
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.trainer_pb2_grpc import TrainerServiceStub
from gym_gui.services.trainer.control import ControlDesk

IN_FLIGHT = 2  # messages of one ring that the daemon has not taken yet
LOOK_S = 0.3  # between looks for rings; also how often a lease is renewed
LEASE_S = 1.0
HUD_AFTER_S = 0.5
FASTEST_S, SLOWEST_S = 0.004, 0.05  # between looks into the rings


class _Ring:
    """One ring that is watched: its reader, and what has been sent of it."""

    def __init__(self, reader: FastLaneReader) -> None:
        self.reader = reader
        self.frame_at = time.monotonic()
        self.told: tuple[FastLaneMetrics | None, str] = (None, "")


class FrameFeed:
    """Serves one run for as long as ``run`` is awaited; cancelling it lets go of the rings."""

    def __init__(self, run_id: str, ring_dir: Path, stub: TrainerServiceStub) -> None:
        self._run_id = run_id
        self._ring_dir = ring_dir
        self._call: Any = stub.ControlStream()
        self._control = ControlDesk(ring_dir)
        self._watch = pb.Watch()
        self._changed = asyncio.Event()
        self._rings: dict[str, _Ring] = {}
        self._sent: dict[str, int] = {}
        self._names: list[str] = []
        self._looked = 0.0
        self._compressor = zstandard.ZstdCompressor(level=1)

    async def run(self) -> None:
        """Listen and feed until the call ends or this is cancelled."""
        await self._call.write(pb.ControlReport(run_id=self._run_id))
        feeding = asyncio.create_task(self._feed())
        try:
            async for word in self._call:
                if word.HasField("watch"):
                    self._watch = word.watch
                    self._changed.set()
                else:
                    self._pace(word.pace)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            self._keep_only(())
            self._control.close()
            self._call.cancel()

    def _pace(self, pace: pb.Pace) -> None:
        paused = pace.paused if pace.HasField("paused") else None
        rate = pace.max_steps_per_s if pace.HasField("max_steps_per_s") else None
        try:
            self._control.set(self._run_id, paused=paused, max_steps_per_s=rate)
        except GymGuiError:
            return  # no ring at this moment; the word is said again while it is meant

    async def _feed(self) -> None:
        while True:
            if not self._watch.is_watched:
                self._keep_only(())
                self._names = []
                self._changed.clear()
                await self._changed.wait()
                continue
            await self._look_now_and_then()
            wanted = {one.stream: one for one in self._watch.demands if one.wanted_hz > 0}
            for stream, demand in wanted.items():
                await self._send_newest(stream, demand)
            fastest = max((one.wanted_hz for one in wanted.values()), default=0.0)
            pause_s = 0.5 / fastest if fastest else LOOK_S
            await asyncio.sleep(min(max(pause_s, FASTEST_S), SLOWEST_S))

    async def _look_now_and_then(self) -> None:
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        names = await asyncio.to_thread(rings, self._run_id, self._ring_dir)
        if names != self._names:
            self._names = names
            await self._call.write(
                pb.ControlReport(run_id=self._run_id, frame=pb.LiveFrame(rings=names))
            )
        wanted = {one.stream: one for one in self._watch.demands if one.wanted_hz > 0}
        self._keep_only(wanted)
        for stream, demand in wanted.items():
            ring = self._rings.get(stream) or self._attach(stream)
            if ring is not None:
                ring.reader.lease(demand.wanted_hz, demand.budget, LEASE_S, demand.view)

    def _attach(self, stream: str) -> _Ring | None:
        if stream not in self._names:
            return None  # a name from far away opens no file that is not a ring of this run
        try:
            reader = FastLaneReader.attach(self._run_id, stream, ring_dir=self._ring_dir)
        except (GymGuiError, OSError):
            return None  # it has just gone
        ring = self._rings[stream] = _Ring(reader)
        return ring

    def _keep_only(self, wanted: Iterable[str]) -> None:
        for stream in self._rings.keys() - set(wanted):
            self._rings.pop(stream).reader.close()

    async def _send_newest(self, stream: str, demand: pb.RingDemand) -> None:
        ring = self._rings.get(stream)
        if ring is None or self._sent.get(stream, 0) >= demand.taken + IN_FLIGHT:
            return
        state, frame = ring.reader.latest_frame()
        if frame is not None:
            ring.frame_at = time.monotonic()
            await self._send(stream, await asyncio.to_thread(self._packed, ring.reader, frame))
        elif state is FastLaneState.IDLE:
            await self._send_hud(stream, ring)
        else:
            self._rings.pop(stream).reader.close()  # looked for again with the next look

    async def _send_hud(self, stream: str, ring: _Ring) -> None:
        hud, why_not = ring.reader.live_hud(), ring.reader.cannot_draw()
        is_early = time.monotonic() - ring.frame_at < HUD_AFTER_S and why_not == ring.told[1]
        if hud is None or (hud, why_not) == ring.told or is_early:
            return
        ring.told = (hud, why_not)
        await self._send(stream, pb.LiveFrame(why_not=why_not, **hud._asdict()))

    async def _send(self, stream: str, frame: pb.LiveFrame) -> None:
        frame.stream = stream
        self._sent[stream] = self._sent.get(stream, 0) + 1
        await self._call.write(pb.ControlReport(run_id=self._run_id, frame=frame))

    def _packed(self, reader: FastLaneReader, frame: FastLaneFrame) -> pb.LiveFrame:
        return pb.LiveFrame(
            step=frame.step,
            episode=frame.episode,
            height=frame.height,
            width=frame.width,
            channels=frame.channels,
            row_stride=frame.row_stride,
            format=frame.pixel_format.name,
            tiles=reader.tiles,
            columns=reader.columns,
            environments=reader.environments,
            first=reader.first,
            pixels=self._compressor.compress(frame.data),
            **frame.metrics._asdict(),
        )
