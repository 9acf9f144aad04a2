"""A ring file in memory: made whole before anyone can see it, checked before anyone reads it."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
from pathlib import Path

from gym_gui.core import descriptors
from gym_gui.core.errors import RingError, RingSpaceError
from gym_gui.fastlane import layout
from gym_gui.fastlane.frames import FastLaneConfig
from gym_gui.fastlane.liveness import TEMPORARY

_LIVE_VIEW_OFF = "Live view is off for this process; the training goes on and is recorded."


class Mapping:
    """A mapped ring: ``bytes``, ``words`` (u64) and ``floats`` (f64) are views of one file."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = size
        with descriptors.low_taken():  # the map keeps a number of its own
            self.map = mmap.mmap(descriptor, size)
        self.bytes = memoryview(self.map)
        self.words = self.bytes.cast("Q")
        self.floats = self.bytes.cast("d")

    def close(self) -> None:
        """Unmap. Closing twice is safe."""
        if self.descriptor < 0:
            return
        for view in (self.floats, self.words, self.bytes):
            view.release()
        self.map.close()
        descriptors.close(self.descriptor)
        self.descriptor = -1


def slot_stride(capacity: int) -> int:
    """Bytes from one slot to the next."""
    return layout.PAGE + layout.round_up(capacity)


def create(
    path: Path, config: FastLaneConfig, *, slots: int, generation: int, crc: bool
) -> Mapping:
    """Make the ring under a temporary name, reserve and touch its pages, rename it into place.

    Raises RingSpaceError where shared memory has no room: before a page is touched, since a
    first touch on a full tmpfs would end the process by SIGBUS.
    """
    stride = slot_stride(config.size)
    size = layout.PAGE + slots * stride
    temporary = path.with_suffix(TEMPORARY)
    descriptor = -1
    try:
        if temporary.exists():
            temporary.unlink()  # left by a writer that died while making it
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = descriptors.move_up(os.open(str(temporary), flags, 0o600))
        _reserve(descriptor, size)
        mapping = Mapping(path, descriptor, size)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
            temporary.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM):
            raise RingSpaceError(
                f"{path.parent} has no room for {size / 1e6:.1f} MB of live frames.",
                next_step=_LIVE_VIEW_OFF,
            ) from error
        raise RingError(
            f"The ring {path} cannot be made: {error.strerror}.",
            next_step=_LIVE_VIEW_OFF,
        ) from error
    _write_header(mapping, config, slots=slots, stride=stride, generation=generation, crc=crc)
    os.replace(str(temporary), str(path))
    return mapping


def _reserve(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    page = bytes(layout.PAGE)  # macOS has no such call
    for _ in range(0, size, layout.PAGE):
        os.write(descriptor, page)


def _write_header(
    mapping: Mapping,
    config: FastLaneConfig,
    *,
    slots: int,
    stride: int,
    generation: int,
    crc: bool,
) -> None:
    words = mapping.words
    for page in range(0, mapping.size // 8, layout.PAGE // 8):
        words[page] = 0  # prefault: a first touch inside the training would cost a millisecond
    words[layout.W_VERSION] = layout.VERSION
    words[layout.W_GENERATION] = generation
    words[layout.W_PID] = os.getpid()
    words[layout.W_SESSION] = secrets.randbits(63) | 1
    words[layout.W_SLOTS] = slots
    words[layout.W_STRIDE] = stride
    words[layout.W_CAPACITY] = config.size
    words[layout.W_FLAGS] = layout.FLAG_CRC if crc else 0
    words[layout.W_TILES] = config.tiles
    words[layout.W_COLUMNS] = config.columns
    words[layout.W_WIDTH] = config.width
    words[layout.W_HEIGHT] = config.height
    words[layout.W_CHANNELS] = config.channels
    words[layout.W_ENVIRONMENTS] = config.environments
    words[layout.W_FIRST] = config.first
    words[layout.W_STATE] = layout.WriterState.LIVE
    words[layout.W_MAGIC] = layout.MAGIC


def attach(path: Path) -> Mapping:
    """Map an existing ring for a viewer. Raises RingError where it is not a whole ring."""
    try:
        descriptor = os.open(str(path), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise RingError(
            f"The ring {path.name} cannot be opened: {error.strerror}.",
            next_step="The run may not have started, or has ended.",
        ) from error
    try:
        size = os.fstat(descriptor).st_size
        if size < 2 * layout.PAGE or size % layout.PAGE:
            raise _not_a_ring(path, f"has {size} bytes")
        mapping = Mapping(path, descriptor, size)
    except OSError as error:
        os.close(descriptor)
        raise _not_a_ring(path, str(error)) from error
    except RingError:
        os.close(descriptor)
        raise
    problem = _header_problem(mapping)
    if problem:
        mapping.close()
        raise _not_a_ring(path, problem)
    return mapping


def _header_problem(mapping: Mapping) -> str:
    words = mapping.words
    if words[layout.W_MAGIC] != layout.MAGIC:
        return "has another magic number"
    if words[layout.W_VERSION] != layout.VERSION:
        return f"has layout version {words[layout.W_VERSION]}, this is {layout.VERSION}"
    slots, stride = words[layout.W_SLOTS], words[layout.W_STRIDE]
    if not 1 <= slots <= layout.MAX_SLOTS:
        return f"claims {slots} slots"
    if stride != slot_stride(words[layout.W_CAPACITY]):
        return "claims slots that do not hold its frames"
    if layout.PAGE + slots * stride != mapping.size:
        return "claims another size than it has"
    return ""


def _not_a_ring(path: Path, why: str) -> RingError:
    return RingError(
        f"{path.name} is not a ring: it {why}.", next_step="Stop and start the run again."
    )
