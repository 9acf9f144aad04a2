"""What goes into a ring and what comes out of it."""

from __future__ import annotations

import enum
from typing import NamedTuple, Union

from gym_gui.core.errors import FrameShapeError
from gym_gui.fastlane.layout import FORMAT_OF_CHANNELS, MAX_SIDE, VIEW_DEFAULT, PixelFormat

Buffer = Union[bytes, bytearray, memoryview]


class FastLaneConfig(NamedTuple):
    """Shape of a ring's frames: ``width`` x ``height`` pixels of ``channels`` bytes (1, 3, 4).

    tiles, columns: how many environments the picture shows, side by side in so many columns.
    environments: how many the process could show. first: number of the one in the first tile.
    """

    width: int
    height: int
    channels: int = 3
    tiles: int = 1
    columns: int = 1
    environments: int = 1
    first: int = 0

    @property
    def size(self) -> int:
        """Bytes of one frame."""
        return self.width * self.height * self.channels

    def check(self) -> FastLaneConfig:
        """Return self, or raise FrameShapeError."""
        sides = 0 < self.width <= MAX_SIDE and 0 < self.height <= MAX_SIDE
        if not sides or self.channels not in FORMAT_OF_CHANNELS:
            raise FrameShapeError(
                f"A frame of {self.height} x {self.width} x {self.channels} cannot be shown.",
                next_step="Frames are (height, width) or (height, width, 1, 3 or 4) of uint8.",
            )
        return self


class FastLaneMetrics(NamedTuple):
    """The HUD's numbers. rolling_return: mean of the latest episodes' returns."""

    last_reward: float = 0.0
    rolling_return: float = 0.0
    step_rate_hz: float = 0.0


class FastLaneFrame(NamedTuple):
    """One whole frame, its pixels copied out of the ring.

    data: ``height`` rows of ``row_stride`` bytes. number: counts the ring's frames from 1.
    """

    data: bytes
    width: int
    height: int
    channels: int
    metrics: FastLaneMetrics
    number: int
    step: int
    episode: int
    pixel_format: PixelFormat
    row_stride: int
    monotonic_ns: int


class FastLaneState(enum.Enum):
    """What a look at the ring found."""

    FRAME = "frame"
    IDLE = "idle"  # nothing newer
    REPLACED = "replaced"  # the writer went on in a new file: attach again
    CLOSED = "closed"
    LOST = "lost"  # the writer died


class Demand(NamedTuple):
    """What the viewers together ask for; ``wanted_hz`` 0 is nothing at all.

    view: which environments, as ``layout.VIEW_…``; all where viewers ask for different ones.
    """

    wanted_hz: float = 0.0
    budget: float = 0.0
    view: int = VIEW_DEFAULT


class Control(NamedTuple):
    """What the user asks of the training; the default is to leave it alone."""

    paused: bool = False
    max_steps_per_s: float = 0.0
