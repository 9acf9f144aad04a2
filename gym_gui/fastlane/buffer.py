"""Lossy one-writer frame ring in shared memory (layout: ``gym_gui.fastlane.layout``).

The writer never waits: it marks a slot odd, copies the frame with its HUD, marks it even, then
moves the head. A reader copies the newest slot out and takes it only if the slot's sequence is
the same even number before and after: a seqlock per slot, as in the LMAX Disruptor's sequences.

x86-64 keeps the order of stores, which this needs. Other processors do not, and Python has no
fences: there every slot carries a CRC-32 of HUD and pixels, which the reader checks.
A mapped ring is never truncated by us; a new frame size is a new generation in a new file.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple, Union

from gym_gui.core.errors import FrameShapeError, RingError
from gym_gui.fastlane import layout, mapping
from gym_gui.fastlane.frames import (
    Control,
    Demand,
    FastLaneConfig,
    FastLaneFrame,
    FastLaneMetrics,
    FastLaneState,
)
from gym_gui.fastlane.layout import PixelFormat, WriterState
from gym_gui.fastlane.leases import ViewerSide, WriterSide
from gym_gui.fastlane.liveness import WriterLock, ring_path, rings, run_ring_dir, writer_is_alive
from gym_gui.fastlane.pixels import pixels_of, rows_first

SLOTS = 4
_RETRIES = 8
_PROBE_NS = 250_000_000  # how often a reader without news asks whether the writer lives
_monotonic_ns = time.monotonic_ns
_getpid = os.getpid


class FastLaneWriter:
    """The one writer of a ring. A forked copy refuses to publish."""

    def __init__(
        self, path: Path, config: FastLaneConfig, *, slots: int, crc: Optional[bool]
    ) -> None:
        self.path = path
        self._slots = slots
        self._crc = not layout.stores_stay_in_order() if crc is None else crc
        self._pid = os.getpid()
        self._lock: Optional[WriterLock] = WriterLock(path)
        self._generation = 0
        self._head = 0
        try:
            self._open(config)
        except RingError:
            self._lock.close()
            raise

    @classmethod
    def create(
        cls,
        run_id: str,
        config: FastLaneConfig,
        *,
        ring_dir: Union[str, Path],
        channel: str = "",
        slots: int = SLOTS,
        crc: Optional[bool] = None,
    ) -> FastLaneWriter:
        """Make the run's ring for ``channel`` (default: this process's id).

        crc: whether slots carry a CRC-32; default: where the processor needs it.
        Raises FrameShapeError, RingSpaceError (no room), or RingError.
        """
        config.check()
        run_ring_dir(run_id, ring_dir, create=True)
        path = ring_path(run_id, channel or str(os.getpid()), ring_dir)
        return cls(path, config, slots=slots, crc=crc)

    def _open(self, config: FastLaneConfig) -> None:
        self._generation += 1
        made = mapping.create(
            self.path, config, slots=self._slots, generation=self._generation, crc=self._crc
        )
        self.config = config
        self._map = made
        self._words, self._floats, self._bytes = made.words, made.floats, made.bytes
        self._side = WriterSide(made)
        self._head = 0
        stride = mapping.slot_stride(config.size)
        starts = [layout.PAGE + index * stride for index in range(self._slots)]
        self._views = [
            (at // 8, made.bytes[at + layout.PAGE : at + layout.PAGE + config.size])
            for at in starts
        ]
        self._shapes: List[Any] = [None] * self._slots
        self._shape = (config.height, config.width, config.channels)

    @property
    def head(self) -> int:
        """Number of the newest whole frame, 0 before the first."""
        return self._head

    def publish(
        self,
        frame: Any,
        *,
        metrics: FastLaneMetrics = FastLaneMetrics(),  # noqa: B008 - immutable
        step: int = 0,
        episode: int = 0,
        pixel_format: Optional[PixelFormat] = None,
    ) -> int:
        """Copy one frame into the next slot and return its number, from 1.

        frame: uint8, (height, width, channels) as configured, in any memory order, or as many
        bytes. Raises FrameShapeError before any byte is written.
        """
        pixels, columns_first = pixels_of(frame, self._shape)
        base, target = self._begin(metrics, step, episode, pixel_format, columns_first)
        target[:] = pixels
        return self._commit(base)

    def publish_rows(
        self,
        rows: memoryview,
        row_stride: int,
        *,
        metrics: FastLaneMetrics,
        step: int,
        episode: int,
        pixel_format: PixelFormat,
    ) -> int:
        """Copy a frame whose rows lie ``row_stride`` bytes apart in ``rows`` (a surface's buffer).

        Raises FrameShapeError before any byte is written.
        """
        height, width, channels = self._shape
        line = width * channels
        if row_stride < line or len(rows) < row_stride * (height - 1) + line:
            raise _does_not_fit(self._shape, f"{len(rows)} bytes in rows of {row_stride}")
        base, target = self._begin(metrics, step, episode, pixel_format, False)
        if row_stride == line:
            target[:] = rows[: line * height]
        else:
            for row in range(height):
                target[row * line : (row + 1) * line] = rows[
                    row * row_stride : row * row_stride + line
                ]
        return self._commit(base)

    @contextmanager
    def loan(
        self,
        *,
        metrics: FastLaneMetrics = FastLaneMetrics(),  # noqa: B008 - immutable
        step: int = 0,
        episode: int = 0,
        pixel_format: Optional[PixelFormat] = None,
    ) -> Iterator[memoryview]:
        """Lend the next slot's pixels to draw into; they are published when the block ends.

        An exception inside gives the slot back unpublished.
        """
        base, target = self._begin(metrics, step, episode, pixel_format, False)
        yield target
        self._commit(base)

    def _begin(
        self,
        metrics: FastLaneMetrics,
        step: int,
        episode: int,
        pixel_format: Optional[PixelFormat],
        columns_first: bool,
    ) -> Tuple[int, memoryview]:
        """Mark the next slot and write what belongs to the frame; return its words and pixels."""
        if pixel_format is not None and pixel_format.channels != self._shape[2]:
            raise _does_not_fit(self._shape, pixel_format.name)
        if _getpid() != self._pid:
            raise RingError(
                "A forked copy of a ring's writer cannot publish.",
                next_step="Create a writer of its own in the child.",
            )
        number = self._head + 1
        base, target = self._views[number % self._slots]
        words, floats = self._words, self._floats
        words[base] = 2 * number - 1  # SYNC slot: readers skip it from here
        words[base + 1] = _monotonic_ns()
        words[base + 2] = step
        words[base + 3] = episode
        floats[base + 4], floats[base + 5], floats[base + 6] = metrics
        kind = (pixel_format, columns_first)
        if self._shapes[number % self._slots] != kind:
            self._describe(base, number, kind)
        return base, target

    def _commit(self, base: int) -> int:
        """Say that the marked slot is whole. Little is left to do: the copy emptied the caches."""
        number = self._head + 1
        if self._crc:
            self._words[base + layout.S_CRC] = self._checksum(base, number)
        self._words[base] = 2 * number  # SYNC slot: frame `number` is whole
        self._words[layout.W_HEAD] = number  # SYNC head: the newest frame moves last
        self._head = number
        return number

    def _describe(self, base: int, number: int, kind: Tuple[Optional[PixelFormat], bool]) -> None:
        height, width, channels = self._shape
        pixel_format, columns_first = kind
        chosen = pixel_format or layout.FORMAT_OF_CHANNELS[channels]
        words = self._words
        words[base + layout.S_HEIGHT] = height
        words[base + layout.S_WIDTH] = width
        words[base + layout.S_CHANNELS] = channels
        words[base + layout.S_FORMAT] = chosen | (layout.COLUMNS_FIRST if columns_first else 0)
        words[base + layout.S_ROW_STRIDE] = channels * (height if columns_first else width)
        self._shapes[number % self._slots] = kind

    def _checksum(self, base: int, number: int) -> int:
        at = base * 8
        head = self._bytes[at + layout.SLOT_CRC_FROM : at + layout.SLOT_CRC_TO]
        crc = zlib.crc32(head, number & 0xFFFFFFFF)
        return zlib.crc32(self._views[number % self._slots][1], crc)

    def set_hud(self, metrics: FastLaneMetrics, *, step: int = 0, episode: int = 0) -> None:
        """Tell the latest step's numbers between frames, or where there are no pictures."""
        words, floats, at = self._words, self._floats, layout.W_HUD
        sequence = words[at] | 1
        words[at] = sequence  # SYNC hud: odd, being written
        words[at + 1] = _monotonic_ns()
        words[at + 2] = step
        words[at + 3] = episode
        floats[at + 4], floats[at + 5], floats[at + 6] = metrics
        words[at] = sequence + 1  # SYNC hud: whole

    def cannot_draw(self, reason: str) -> None:
        """Tell viewers why no pictures come, in plain words; with an empty text, that they do."""
        told = reason.encode("utf-8", "replace")[: layout.REASON_BYTES]
        words, at = self._words, layout.W_REASON
        sequence = words[at] | 1
        words[at] = sequence  # SYNC reason: odd, being written
        self._bytes[layout.REASON_FROM : layout.REASON_FROM + len(told)] = told
        words[at + layout.R_LENGTH] = len(told)
        words[at + layout.R_CRC] = zlib.crc32(told)
        words[at] = sequence + 1  # SYNC reason: whole

    def look(self, now_ns: int) -> Tuple[Demand, Control]:
        """Return what viewers ask for at monotonic ``now_ns``; a fraction of a microsecond."""
        return self._side.look(now_ns)

    def demand(self) -> Demand:
        """Return what the viewers together want to see now."""
        return self._side.look(_monotonic_ns())[0]

    def control(self) -> Control:
        """Return what the user asks of the training now."""
        return self._side.look(_monotonic_ns())[1]

    def resize(self, config: FastLaneConfig) -> None:
        """Go on with frames of another size, in a new generation of the ring.

        Raises FrameShapeError or RingSpaceError; the present ring then stays as it is.
        """
        config.check()
        old = self._map
        views = self._views
        self._open(config)
        _retire(old, views, WriterState.REPLACED)

    def close(self) -> None:
        """Say that no more frames will come and remove the file. Closing twice is safe."""
        if self._lock is None:
            return
        if os.getpid() == self._pid:
            try:
                self.path.unlink()
            except FileNotFoundError:
                pass  # a sweep of the whole folder was quicker
            _retire(self._map, self._views, WriterState.CLOSED)
            self._lock.close()
        self._lock = None

    def __enter__(self) -> FastLaneWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _retire(old: mapping.Mapping, views: List[Tuple[int, memoryview]], state: WriterState) -> None:
    old.words[layout.W_STATE] = state
    for _, view in views:
        view.release()
    old.close()


def _does_not_fit(shape: Tuple[int, int, int], got: str) -> FrameShapeError:
    return FrameShapeError(
        f"The ring holds frames of {shape[0]} x {shape[1]} x {shape[2]}, not {got}.",
        next_step="Call resize() for frames of another size.",
    )


class _Shape(NamedTuple):
    """How a slot's pixels lie, found sound."""

    described: Tuple[int, ...]
    length: int
    form: PixelFormat
    columns_first: bool

    @classmethod
    def of(cls, described: Tuple[int, ...], capacity: int) -> Optional[_Shape]:
        """Check a slot's own words, which are untrusted; None where they cannot be."""
        height, width, channels, kind, row_stride = described
        columns_first = bool(kind & layout.COLUMNS_FIRST)
        form = _FORMATS.get(kind & ~layout.COLUMNS_FIRST)
        lines, line = (width, height) if columns_first else (height, width)
        length = lines * row_stride
        sound = 0 < length <= capacity and 0 < line * channels <= row_stride
        if form is None or form.channels != channels or not sound:
            return None
        return cls(described, length, form, columns_first)


_FORMATS = {int(form): form for form in PixelFormat}
_HUD = struct.Struct("@QQQddd")  # words 1 to 6 of a slot
_SHAPE = struct.Struct("@QQQQQ")  # words 7 to 11
_new = tuple.__new__  # a named tuple's own constructor takes several times as long


class FastLaneReader:
    """One viewer of a ring. Every number in the file is untrusted and checked against its size."""

    def __init__(self, path: Path) -> None:
        self._map = mapping.attach(path)
        words = self._map.words
        self.path = path
        self.stream = path.stem
        self._slots = words[layout.W_SLOTS]
        self._stride = words[layout.W_STRIDE]
        self._capacity = words[layout.W_CAPACITY]
        self._crc = bool(words[layout.W_FLAGS] & layout.FLAG_CRC)
        self.tiles = max(1, min(words[layout.W_TILES], 1 << 16))
        self.columns = max(1, min(words[layout.W_COLUMNS], self.tiles))
        self.environments = max(self.tiles, min(words[layout.W_ENVIRONMENTS], 1 << 16))
        self.first = min(words[layout.W_FIRST], self.environments - 1)
        self.config = FastLaneConfig(
            words[layout.W_WIDTH], words[layout.W_HEIGHT], words[layout.W_CHANNELS]
        )
        self.refused = 0
        self._words, self._bytes = words, self._map.bytes
        self._last = 0
        self._known: Optional[_Shape] = None  # the frame's before: mostly the next one's too
        self._probe_at = 0
        self._alive = True
        self._side = ViewerSide(self._map)

    @classmethod
    def attach(
        cls, run_id: str, stream: Optional[str] = None, *, ring_dir: Union[str, Path]
    ) -> FastLaneReader:
        """Open the ring named ``stream`` of the run, or its first. Raises RingError if none."""
        if stream is None:
            names = rings(run_id, ring_dir)
            if not names:
                raise RingError(
                    f"The run {run_id} shows no live frames.",
                    next_step="It may not have started, or has ended.",
                )
            stream = names[0]
        return cls(ring_path(run_id, stream, ring_dir))

    def latest_frame(self) -> Tuple[FastLaneState, Optional[FastLaneFrame]]:
        """Return FRAME with the newest frame if it is newer than the last one returned.

        Otherwise IDLE, or REPLACED, CLOSED or LOST, with None.
        """
        words = self._words
        for _ in range(_RETRIES):
            head = words[layout.W_HEAD]  # SYNC head: read before the slot it names
            if head <= self._last:
                break
            frame = self._read(head)
            if frame is None:
                self.refused += 1
                continue
            if not self._writer_lives(frame.monotonic_ns):
                return FastLaneState.LOST, None
            self._last = head
            return FastLaneState.FRAME, frame
        return self._no_news(), None

    def _read(self, head: int) -> Optional[FastLaneFrame]:
        words = self._words
        at = layout.PAGE + (head % self._slots) * self._stride
        base = at >> 3
        if words[base] != 2 * head:  # SYNC slot: whole, and the one the head names
            return None
        monotonic_ns, step, episode, *metrics = _HUD.unpack_from(self._bytes, at + 8)
        described = _SHAPE.unpack_from(self._bytes, at + 8 * layout.S_HEIGHT)
        shape = self._known
        if shape is None or described != shape.described:
            shape = _Shape.of(described, self._capacity)
            if shape is None:
                return None
            self._known = shape
        start = at + layout.PAGE
        data = bytes(self._bytes[start : start + shape.length])
        if self._crc and not self._whole(at, head, data):
            return None
        if words[base] != 2 * head:  # SYNC slot: still the same after the copy
            return None
        height, width, channels, _, row_stride = described
        if shape.columns_first:
            data, row_stride = rows_first(data, height, width, channels), width * channels
        numbers = _new(FastLaneMetrics, metrics)
        return _new(
            FastLaneFrame,
            (data, width, height, channels, numbers, head, step, episode, shape.form, row_stride,
             monotonic_ns),
        )  # fmt: skip

    def _whole(self, at: int, number: int, data: bytes) -> bool:
        head = bytes(self._map.bytes[at + layout.SLOT_CRC_FROM : at + layout.SLOT_CRC_TO])
        crc = zlib.crc32(data, zlib.crc32(head, number & 0xFFFFFFFF))
        return crc == self._map.words[at // 8 + layout.S_CRC]

    def _writer_lives(self, monotonic_ns: int) -> bool:
        """A frame just made proves it; an older one is not shown as live before a probe."""
        now = _monotonic_ns()
        return 0 <= now - monotonic_ns < _PROBE_NS or self._probe(now)

    def _probe(self, now: int) -> bool:
        if self._alive and now >= self._probe_at:
            self._probe_at = now + _PROBE_NS
            self._alive = writer_is_alive(self.path)
        return self._alive

    def _no_news(self) -> FastLaneState:
        state = self._map.words[layout.W_STATE]
        if state == WriterState.REPLACED:
            return FastLaneState.REPLACED
        if state == WriterState.CLOSED:
            return FastLaneState.CLOSED
        return FastLaneState.IDLE if self._probe(_monotonic_ns()) else FastLaneState.LOST

    def live_hud(self) -> Optional[FastLaneMetrics]:
        """Return the latest step's numbers, or None before the first or while they change."""
        words, floats, at = self._map.words, self._map.floats, layout.W_HUD
        for _ in range(_RETRIES):
            before = words[at]  # SYNC hud: even when whole
            metrics = FastLaneMetrics(floats[at + 4], floats[at + 5], floats[at + 6])
            if before and not before & 1 and words[at] == before:
                return metrics
        return None

    def cannot_draw(self) -> str:
        """Return why no pictures come, as the writer said it; empty while they do."""
        words, at = self._words, layout.W_REASON
        for _ in range(_RETRIES):
            before = words[at]  # SYNC reason: even when whole
            length = min(words[at + layout.R_LENGTH], layout.REASON_BYTES)
            if not length:
                return ""
            told = bytes(self._bytes[layout.REASON_FROM : layout.REASON_FROM + length])
            whole = words[at + layout.R_CRC] == zlib.crc32(told)
            if whole and not before & 1 and words[at] == before:
                return told.decode("utf-8", "replace")
        return ""

    def lease(
        self,
        wanted_hz: float,
        budget: float,
        duration_s: float,
        view: int = layout.VIEW_DEFAULT,
    ) -> bool:
        """Ask for ``wanted_hz`` frames a second within ``budget`` (0 to 1) for ``duration_s``.

        view: which of the process's environments, as ``layout.VIEW_…``.
        Returns False while four other viewers ask already (their frames are seen all the same).
        """
        return self._side.lease(wanted_hz, budget, duration_s, view)

    def release(self) -> None:
        """Ask for nothing any more, at once."""
        self._side.release()

    def set_control(self, paused: bool, max_steps_per_s: float, duration_s: float) -> None:
        """Pause or pace the training until ``duration_s`` from now, unless renewed."""
        self._side.set_control(paused, max_steps_per_s, duration_s)

    def control(self) -> Tuple[Control, bool]:
        """Return the control in force, and whether this viewer's word was the latest."""
        return self._side.control()

    def release_control(self, *, anyones: bool = False) -> None:
        """Leave the training alone, unless another viewer controls it (``anyones``: also then)."""
        self._side.release_control(anyones=anyones)

    def close(self) -> None:
        """Give back lease, control and mapping. Closing twice is safe."""
        if self._map.descriptor >= 0:
            self._side.release()
            self._side.release_control()
            self._map.close()

    def __enter__(self) -> FastLaneReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
