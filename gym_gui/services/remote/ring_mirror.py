"""A far run's live rings, written again on this machine: whoever looks at rings sees no difference.

What viewers here ask of such a ring (pictures, pause, pace) goes to the daemon that has the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import zstandard

from gym_gui.core.errors import FrameShapeError, GymGuiError, RingError
from gym_gui.fastlane import (
    Control,
    FastLaneConfig,
    FastLaneMetrics,
    FastLaneWriter,
    PixelFormat,
)
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.services.trainer.client import TrainerClient

ASK_S = 0.05  # between looks at what viewers here want
AGAIN_S = 1.0  # how often a pause or pace is said again; it holds for three seconds there
MAX_FRAME_BYTES = 64 << 20


class RingMirror:
    """One run's rings. ``run`` serves until it is cancelled or the connection ends."""

    def __init__(self, client: TrainerClient, run_id: str, ring_dir: Path) -> None:
        self._client = client
        self._run_id = run_id
        self._ring_dir = ring_dir
        self._writers: dict[str, FastLaneWriter] = {}
        self._taken: dict[str, int] = {}
        self._took = asyncio.Event()
        self._control = Control()
        self._said = 0.0
        self._decompressor = zstandard.ZstdDecompressor()
        self.refused = 0  # frames that were no frames

    async def run(self) -> None:
        """Follow the run's rings. Raises GymGuiError when the daemon goes."""
        call = self._client.live_frames()
        asking = asyncio.create_task(self._ask(call))
        try:
            async for frame in call:
                self._take(frame)
            await asking
        finally:
            self._keep_only(())  # first: what follows may be cancelled
            asking.cancel()
            call.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    # -- what comes -----------------------------------------------------------------------------

    def _take(self, frame: pb.LiveFrame) -> None:
        if not frame.stream:
            self._keep_only(frame.rings)
            for name in frame.rings:
                self._open(name)
            return
        self._taken[frame.stream] = self._taken.get(frame.stream, 0) + 1
        self._took.set()
        writer = self._writers.get(frame.stream)
        if writer is None:
            return
        try:
            self._publish(writer, frame)
        except (RingError, FrameShapeError, zstandard.ZstdError, KeyError, ValueError):
            self.refused += 1

    def _publish(self, writer: FastLaneWriter, frame: pb.LiveFrame) -> None:
        metrics = FastLaneMetrics(frame.last_reward, frame.rolling_return, frame.step_rate_hz)
        writer.set_hud(metrics, step=frame.step, episode=frame.episode)
        if not frame.pixels:
            writer.cannot_draw(frame.why_not)
            return
        config = FastLaneConfig(
            frame.width,
            frame.height,
            frame.channels,
            max(1, frame.tiles),
            max(1, frame.columns),
            max(1, frame.environments),
            frame.first,
        ).check()
        size = zstandard.frame_content_size(frame.pixels)
        if not 0 < size <= min(MAX_FRAME_BYTES, frame.row_stride * frame.height):
            raise FrameShapeError(f"A frame of {size} bytes cannot be shown.")
        pixels = self._decompressor.decompress(frame.pixels)
        if config != writer.config:
            writer.resize(config)
        writer.publish_rows(
            memoryview(pixels),
            frame.row_stride,
            metrics=metrics,
            step=frame.step,
            episode=frame.episode,
            pixel_format=PixelFormat[frame.format],
        )

    def _open(self, name: str) -> None:
        if name in self._writers:
            return
        with contextlib.suppress(RingError, OSError):
            # Its frames' size is known with the first one; until then viewers can ask for it.
            self._writers[name] = FastLaneWriter.create(
                self._run_id, FastLaneConfig(8, 8, 3), ring_dir=self._ring_dir, channel=name
            )

    def _keep_only(self, names: Any) -> None:
        for name in self._writers.keys() - set(names):
            self._writers.pop(name).close()

    # -- what viewers here want -----------------------------------------------------------------

    async def _ask(self, call: Any) -> None:
        asked: list[pb.RingDemand] | None = None
        while True:
            wanted = [self._demand(name, writer) for name, writer in self._writers.items()]
            if wanted != asked:
                asked = wanted
                await call.write(pb.FrameDemand(run_id=self._run_id, demands=wanted))
            await self._forward_control()
            self._took.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._took.wait(), ASK_S)

    def _demand(self, name: str, writer: FastLaneWriter) -> pb.RingDemand:
        demand = writer.demand()
        return pb.RingDemand(
            stream=name,
            wanted_hz=demand.wanted_hz,
            budget=demand.budget,
            view=demand.view,
            taken=self._taken.get(name, 0),
        )

    async def _forward_control(self) -> None:
        words = [writer.control() for writer in self._writers.values()]
        control = next((word for word in words if word != Control()), Control())
        now = time.monotonic()
        if control == self._control and (control == Control() or now - self._said < AGAIN_S):
            return
        self._control, self._said = control, now
        asked = control != Control()
        with contextlib.suppress(GymGuiError):  # no process of the run listens at this moment
            await self._client.control(
                self._run_id,
                paused=control.paused if asked else None,
                max_steps_per_s=control.max_steps_per_s if asked else None,
            )
