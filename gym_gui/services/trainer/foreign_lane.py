"""The live lane of a worker that prints its pictures: ``render_payload`` into a ring.

A payload is ``{"width", "height", "channels", "data"}`` with base64 of the rows from the top, or
``{"rgb"}`` with nested lists. Only the newest is looked at, and only while somebody watches.
"""

from __future__ import annotations

import binascii
import time
from collections import deque
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from gym_gui.core.errors import FrameShapeError, RingError
from gym_gui.fastlane import FastLaneConfig, FastLaneMetrics, FastLaneWriter

Side = Annotated[int, Meta(ge=1, le=1 << 14)]
Byte = Annotated[int, Meta(ge=0, le=255)]
_RATE_S = 0.5


class _Payload(msgspec.Struct):
    width: Side = 0
    height: Side = 0
    channels: Annotated[int, Meta(ge=1, le=4)] = 3
    data: str = ""
    rgb: list[list[list[Byte]]] = []


_payload = msgspec.json.Decoder(_Payload)


class ForeignLane:
    """One run's ring, written by its proxy. ``seen`` per record, ``show`` per look."""

    def __init__(self, run_id: str, ring_dir: str | Path, *, channel: str) -> None:
        self.refused = 0
        self.problem = ""
        self._is_told = False  # to viewers
        self._run_id, self._ring_dir, self._channel = run_id, ring_dir, channel
        self._writer: FastLaneWriter | None = None
        self._newest: tuple[Raw, int, int] | None = None
        self._returns: deque[float] = deque(maxlen=100)
        self._return = self._last_reward = self._rate_hz = 0.0
        self._at = (0, 0)  # step, episode
        self._steps = 0
        self._rate_from = (0, time.monotonic())

    def seen(
        self, *, reward: float, step: int, episode: int, ended: bool, payload: Raw | None
    ) -> None:
        """Take one step into the HUD; keep its picture if it is the newest."""
        self._steps += 1
        self._last_reward, self._at = reward, (step, episode)
        self._return += reward
        if ended:
            self._returns.append(self._return)
            self._return = 0.0
        if payload is not None:
            self._newest = (payload, step, episode)

    def show(self) -> None:
        """Publish the newest picture and the HUD, if a viewer wants them."""
        if self._newest is None:
            return
        try:
            writer = self._writer or self._open()
            if writer.demand().wanted_hz:
                self._publish(writer)
        except (RingError, FrameShapeError, msgspec.MsgspecError, binascii.Error) as error:
            self.refused += 1
            self.problem = str(error)
            self._newest = None
            if self._writer is not None:
                self._writer.cannot_draw(f"The worker's pictures cannot be shown: {error}")
                self._is_told = True

    def close(self) -> None:
        """Close the ring: viewers see that it is over. Twice is safe."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _open(self) -> FastLaneWriter:
        # The size of the first picture is not known before it is asked for.
        self._writer = FastLaneWriter.create(
            self._run_id, FastLaneConfig(8, 8, 3), ring_dir=self._ring_dir, channel=self._channel
        )
        return self._writer

    def _publish(self, writer: FastLaneWriter) -> None:
        assert self._newest is not None
        raw, step, episode = self._newest
        metrics = self._metrics()
        writer.set_hud(metrics, step=self._at[0], episode=self._at[1])
        if raw:
            config, pixels = _pixels(_payload.decode(raw))
            if config != writer.config:
                writer.resize(config)
            if self._is_told:
                writer.cannot_draw("")
                self._is_told = False
            writer.publish(pixels, metrics=metrics, step=step, episode=episode)
            self._newest = (Raw(), step, episode)  # shown; the HUD goes on

    def _metrics(self) -> FastLaneMetrics:
        now = time.monotonic()
        steps, since = self._rate_from
        if now - since >= _RATE_S:
            self._rate_hz = (self._steps - steps) / (now - since)
            self._rate_from = (self._steps, now)
        mean = sum(self._returns) / len(self._returns) if self._returns else self._return
        return FastLaneMetrics(self._last_reward, mean, self._rate_hz)


def _pixels(payload: _Payload) -> tuple[FastLaneConfig, bytes]:
    """Return shape and bytes. Raises FrameShapeError when they do not fit each other."""
    if payload.rgb:
        rows = payload.rgb
        shape = (len(rows), len(rows[0]), len(rows[0][0]) if rows[0] else 0)
        data = bytes(value for row in rows for cell in row for value in cell)
    else:
        shape = (payload.height, payload.width, payload.channels)
        data = binascii.a2b_base64(payload.data, strict_mode=True)
    config = FastLaneConfig(shape[1], shape[0], shape[2]).check()
    if len(data) != config.size:
        raise FrameShapeError(f"A picture of {shape} has {config.size} bytes, not {len(data)}.")
    return config, data
