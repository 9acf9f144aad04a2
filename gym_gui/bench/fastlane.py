"""The ring's cost beside the best bare copy of the same frame, and the way from it to the screen.

``gym-gui bench fastlane``. Copies and ring calls alternate, frame by frame, in one process; the
baseline is whichever plain copy is quickest here. Latency, grid and memory are measured through
the program's own widgets, in the software backend.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from typing import Any

from gym_gui.bench import gui_loop, window
from gym_gui.bench.gui_loop import quantiles
from gym_gui.fastlane import FastLaneConfig, FastLaneMetrics, FastLaneReader, FastLaneWriter
from gym_gui.fastlane.buffer import SLOTS

SIZES = {
    "84 x 84 x 3": (84, 84, 3),
    "210 x 160 x 3": (210, 160, 3),
    "400 x 600 x 4": (400, 600, 4),
    "480 x 640 x 3": (480, 640, 3),
    "1080 x 1920 x 3": (1080, 1920, 3),
}
Call = Callable[[], Any]
METRICS = FastLaneMetrics(1.0, 100.0, 5000.0)


def measure(*, quick: bool, only: str = "") -> dict[str, Any]:
    """Return the figures whose name begins with ``only``; ``quick`` takes seconds for each."""
    gui_loop.prepare()
    seconds = 5.0 if quick else 60.0
    with tempfile.TemporaryDirectory(dir=gui_loop.shared_memory()) as folder:
        at = Path(folder)
        parts: dict[str, Callable[[], Any]] = {
            f"ring, {name}": lambda shape=shape: ring(at, *shape, frames=400 if quick else 4000)
            for name, shape in SIZES.items()
        }
        parts |= {
            "step without a viewer": lambda: unwatched_step(at, 200_000 if quick else 2_000_000),
            "publish to frame_ready": lambda: window.latency(at, seconds),
            "64 tiles of 84 x 84 at 30 Hz": lambda: window.grid(at, seconds),
            "memory of the tab": lambda: window.memory(at, 2_000 if quick else 20_000),
        }
        return {name: part() for name, part in parts.items() if name.startswith(only)}


def ring(at: Path, height: int, width: int, channels: int, *, frames: int) -> dict[str, Any]:
    """Publish and read ``frames`` frames beside each way of copying the same bytes."""
    import numpy as np

    config = FastLaneConfig(width, height, channels)
    generator = np.random.default_rng(1)
    pictures = [generator.integers(0, 256, (height, width, channels), np.uint8) for _ in range(3)]
    run_id = f"ring-{height}x{width}x{channels}"
    with (
        FastLaneWriter.create(run_id, config, ring_dir=at) as writer,
        FastLaneReader.attach(run_id, ring_dir=at) as reader,
        _BareSlots(at / f"{run_id}.bare", config.size) as bare,
    ):
        pairs = {way: _Pair(writer, reader, bare, way).run(pictures, frames) for way in WAYS}
        size_mb = writer.path.stat().st_size / 1e6
    return {
        "publish": _beside_the_best({way: pair.publish for way, pair in pairs.items()}),
        "read": _beside_the_best({way: pair.read for way, pair in pairs.items()}),
        "ring_MB": size_mb,
    }


class _BareSlots:
    """Shared memory as large as a ring's slots, and plain copies into it and out of it."""

    def __init__(self, path: Path, size: int) -> None:
        with path.open("w+b") as file:
            file.truncate(SLOTS * size)
            self._map = mmap(file.fileno(), SLOTS * size)
        self._whole = memoryview(self._map)
        self.slots = [self._whole[at : at + size] for at in range(0, SLOTS * size, size)]
        self.buffer = memoryview(bytearray(size))

    def __enter__(self) -> _BareSlots:
        return self

    def __exit__(self, *exc: object) -> None:
        for view in (*self.slots, self._whole):
            view.release()
        self._map.close()


class _Pair:
    """The ring and one way of plain copying, alternately first; microseconds of each call."""

    def __init__(
        self, writer: FastLaneWriter, reader: FastLaneReader, bare: _BareSlots, way: str
    ) -> None:
        self._writer, self._reader, self._bare = writer, reader, bare
        self._into, self._out_of = WAYS[way]
        self.publish: list[tuple[float, float]] = []  # ours, bare
        self.read: list[tuple[float, float]] = []

    def run(self, pictures: list[Any], count: int) -> _Pair:
        """Take ``count`` frames through both."""
        for number in range(count):
            frame, slot = pictures[number % len(pictures)], self._bare.slots[number % SLOTS]
            publish = functools.partial(self._writer.publish, frame, metrics=METRICS, step=number)
            into = functools.partial(self._into, slot, memoryview(frame).cast("B"))
            out_of = functools.partial(self._out_of, slot, self._bare.buffer)
            bare_first = number % 2 == 1
            self.publish.append(_time_both(publish, into, bare_first))
            self.read.append(_time_both(self._reader.latest_frame, out_of, bare_first))
        return self


def _time_both(ours: Call, bare: Call, bare_first: bool) -> tuple[float, float]:
    if bare_first:
        second, first = _time(bare), _time(ours)
        return first, second
    return _time(ours), _time(bare)


def _time(call: Call) -> float:
    begun = time.perf_counter_ns()
    kept = call()
    taken = (time.perf_counter_ns() - begun) / 1000
    del kept
    return taken


def _set(target: memoryview, source: memoryview) -> None:
    target[:] = source


def _numpy_into(slot: memoryview, frame: memoryview) -> None:
    import numpy as np

    np.copyto(np.frombuffer(slot, np.uint8), np.frombuffer(frame, np.uint8))


def _numpy_out_of(slot: memoryview, buffer: memoryview) -> None:
    import numpy as np

    np.copyto(np.frombuffer(buffer, np.uint8), np.frombuffer(slot, np.uint8))


WAYS = {
    "memoryview": (
        _set,
        lambda slot, buffer: _set(buffer, slot),
    ),
    "bytes": (
        _set,
        lambda slot, _: bytes(slot),
    ),
    "numpy": (_numpy_into, _numpy_out_of),
}


def _beside_the_best(pairs: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Compare with the way whose plain copy is quickest; by order of the two, then averaged."""
    best = min(pairs, key=lambda way: statistics.median(bare for _, bare in pairs[way]))
    ours, bare = zip(*pairs[best], strict=True)
    medians = [
        (statistics.median(ours[first::2]), statistics.median(bare[first::2])) for first in (0, 1)
    ]
    mine, plain = (statistics.fmean(side) for side in zip(*medians, strict=True))
    return {
        "ring": quantiles(list(ours), "us"),
        f"bare copy by {best}": quantiles(list(bare), "us"),
        "over_us": mine - plain,
        "ratio": mine / plain,
    }


def unwatched_step(at: Path, steps: int) -> dict[str, Any]:
    """Return what the live side adds to a step while nobody looks: mean and its parts.

    The loop asks the clock as the tap does anyway; the baseline is that loop without the lane.
    """
    from gym_gui.worker.session import TapSession

    config = {"run_id": "unwatched", "spool_dir": str(at / "spool"), "ring_dir": str(at)}
    session = TapSession(config)
    lane = session.lane
    lane.tick(time.time_ns())
    rounds = [(_loop(steps // 20), _loop(steps // 20, lane)) for _ in range(20)]
    session.end()
    return {
        "added_us_a_step": statistics.median(ours - bare for bare, ours in rounds) * 1e6,
        "bare_loop_us_a_step": statistics.median(bare for bare, _ in rounds) * 1e6,
        "bar_us": 0.3,
        "steps": steps,
    }


def _loop(steps: int, lane: Any = None) -> float:
    """Return seconds a step."""
    now_ns = time.time_ns
    begun = time.perf_counter()
    if lane is None:
        for _ in range(steps):
            now_ns()
    else:
        for _ in range(steps):
            now = now_ns()
            if not lane.last_ns <= now < lane.next_ns:
                lane.tick(now)
    return (time.perf_counter() - begun) / steps
