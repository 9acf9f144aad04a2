"""Takes a vector step whole: its parts only note their results, its arrays tell the rest.

The vector environment has gathered the parts' observations and rewards in arrays of its own. Where
nothing stands between a part and the vector environment that changes them, those arrays are what
the parts gave. Their bytes are stored in a mapped block, which is written as one record several
times a second: see ``core.vector_block``.
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path
from struct import Struct
from typing import Any, Optional, Sequence

from gym_gui.core import descriptors
from gym_gui.core.interrupts import held_back, let_through
from gym_gui.core.numbers import CODES
from gym_gui.core.records import STEP_TERMINATED, STEP_TRUNCATED
from gym_gui.core.vector_block import HEAD, HELD, MAGIC, SEQ, record_body
from gym_gui.worker import encode
from gym_gui.worker.spool import SpoolWriter
from gym_gui.worker.subclass import tap_of

_MOST_STEPS = 1 << 12  # of the parts together
_MOST_BYTES = 1 << 18
_PLACE_BYTES = 96  # of a part's place as text, and more
_TIME = Struct("<q")
# Wrappers that hand on action, observation and reward as they are.
_CLEAR = {"RecordEpisodeStatistics", "RecordVideo", "OrderEnforcing", "PassiveEnvChecker"}
# Where room that was given to a file stays given: elsewhere a full disk would end the training.
_KEEPS_ROOM = {"ext2", "ext3", "ext4", "xfs", "tmpfs", "overlay"}


def is_clear(env: Any) -> bool:
    """Tell whether a vector environment's part gives what the tapped environment in it gave."""
    while env is not None and tap_of(env) is None:
        cls = type(env)
        if cls.__name__ not in _CLEAR or not cls.__module__.startswith("gymnasium.wrappers."):
            return False
        env = getattr(env, "env", None)
    return env is not None


class Batch:
    """Vector steps of one kind, on their way to a record.

    held: how many of them its block holds. rows: how many there is room for.
    """

    def __init__(self, block: Block, kind: Any, actions: Any, described: str) -> None:
        self.held = 0
        self.rows = block.rows
        self._block = block
        self._described = described
        self._settled = 0  # of the steps held, those that the taps have counted
        self._array, self._dtype = kind.cls, kind.dtype
        self._shape = (block.parts, *kind.shape)
        self._actions_dtype, self._actions_shape = actions.dtype, actions.shape
        self._action = b""  # of all parts, of the step to come
        self._going_on = bytes(block.parts)  # flags of a step that ends no episode
        self._rewards_at = _TIME.size + block.parts + actions.nbytes
        self._rewards = Struct(f"<{block.parts}d")

    @classmethod
    def of(cls, taps: Sequence[Any], actions: Any, path: Path) -> Optional[Batch]:
        """Return what holds the steps of ``taps`` with such actions; None where nothing can."""
        numpy, kind = sys.modules.get("numpy"), taps[0].kind
        if numpy is None or kind is None or any(tap.kind is not kind for tap in taps):
            return None
        if kind.cls is not numpy.ndarray or actions.__class__ is not numpy.ndarray:
            return None
        dtype, shape = actions.dtype, actions.shape
        if shape[:1] != (len(taps),) or not dtype.isnative:
            return None
        if len(shape) == 1 and dtype.kind == "i" and dtype.itemsize == 8:
            described = encode.describe_packed(kind, None)
        elif len(shape) > 1 and actions.size and dtype.name in CODES:
            described = encode.describe_packed(kind, encode.Floats.of(actions[0]))
        else:
            return None
        observation = kind.dtype.itemsize * (numpy.prod(kind.shape, dtype=int) or 1)
        size = _TIME.size + actions.nbytes + len(taps) * (1 + 8 + int(observation))
        block = Block.new(path, len(taps), size)
        return cls(block, kind, actions, described) if block is not None else None

    def takes(self, actions: Any) -> bool:
        """Keep the actions of the step to come; False where they are of another kind."""
        if (
            actions.__class__ is not self._array
            or actions.dtype is not self._actions_dtype
            or actions.shape != self._actions_shape
        ):
            return False
        self._action = actions.tobytes()
        return True

    def actions(self) -> Any:
        """Return the actions of the step to come as an array of its own."""
        flat = sys.modules["numpy"].frombuffer(self._action, self._actions_dtype)
        return flat.reshape(self._actions_shape)

    def hold(self, taps: Sequence[Any], result: Any, now: int) -> Optional[bool]:
        """Keep a vector step; return whether it ended an episode, None where it cannot be kept.

        result: what the vector environment returns. now: Unix ns.
        """
        array, dtype, ends = self._array, self._dtype, False
        for tap in taps:
            if tap.result is None or not tap.running:
                return None
            seen, _, terminated, truncated, _ = tap.result
            if seen.__class__ is not array or seen.dtype is not dtype:
                return None
            if terminated or truncated:
                ends = True
        observations, rewards = result[:2]
        if observations.shape != self._shape or observations.dtype is not dtype:
            return None
        if rewards.dtype.char != "d" or rewards.nbytes != self._rewards.size:
            return None
        if not self.held:
            places = [[tap.stream, tap.index, tap.episode, tap.step] for tap in taps]
            self._block.begin(f'"places":{places},{self._described}')
        flags = _flags(taps) if ends else self._going_on
        self.held = self._block.hold(
            (_TIME.pack(now), flags, self._action, rewards.tobytes(), observations.tobytes())
        )
        return ends

    def settle(self, taps: Sequence[Any]) -> int:
        """Bring the taps' counts up to date; return how many vector steps they had missed."""
        held, before = self.held, self._settled
        if held == before:
            return 0
        self._settled = held
        block = self._block
        at = [block.place(row) + self._rewards_at for row in range(before, held)]
        rewards = [self._rewards.unpack_from(block.memory, place) for place in at]
        for tap, own in zip(taps, zip(*rewards)):
            tap.index += held - before
            tap.step += held - before
            for reward in own:
                tap.return_ += reward
            tap.last_reward = own[-1]
        return held - before

    def write(self, writer: SpoolWriter) -> None:
        """Write the steps held as one record. The taps must have counted them."""
        self._block.write(writer)
        self.held = self._settled = 0

    def close(self) -> None:
        """Remove the block: all it held is written."""
        self._block.close()


def _flags(taps: Sequence[Any]) -> bytes:
    ends = (tap.result[2:4] for tap in taps)
    return bytes(
        (STEP_TERMINATED if terminated else 0) | (STEP_TRUNCATED if truncated else 0)
        for terminated, truncated in ends
    )


class Block:
    """A mapped file of vector steps, written as ``core.vector_block`` says.

    parts: the environments of a vector step. size: bytes of a vector step.
    """

    def __init__(self, path: Path, memory: Any, head: int, parts: int, size: int) -> None:
        self.memory = memory
        self.parts = parts
        self.rows = (len(memory) - head) // size
        self._path = path
        self._head, self._size = head, size
        self._numbers = memoryview(memory)[: HEAD.size].cast("q")
        self._text = ""
        HEAD.pack_into(memory, 0, MAGIC, head, 0, size, 0, 0)

    @classmethod
    def new(cls, path: Path, parts: int, size: int) -> Optional[Block]:
        """Make a block; None where there is no room for one, or no safe one."""
        head = HEAD.size + 512 + parts * _PLACE_BYTES
        rows = min(_MOST_STEPS // parts, _MOST_BYTES // size)
        if rows < 2 or not _keeps_room(path.parent):
            return None
        try:
            with held_back():
                memory = _map(path, head + rows * size)
        except OSError as error:
            let_through(error)
            return None
        return cls(path, memory, head, parts, size)

    def begin(self, text: str) -> None:
        """Take the fields of the next record; nothing is held."""
        self._text = text
        data = text.encode()
        self.memory[HEAD.size : HEAD.size + len(data)] = data
        self._numbers[2] = len(data)

    def place(self, row: int) -> int:
        """Return where in memory a vector step begins."""
        return self._head + row * self._size

    def hold(self, step: Sequence[bytes]) -> int:
        """Store a vector step; return how many are held now."""
        held = self._numbers[HELD]
        at = self._head + held * self._size
        self.memory[at : at + self._size] = b"".join(step)
        self._numbers[HELD] = held + 1  # last: what is counted is whole
        return held + 1

    def write(self, writer: SpoolWriter) -> None:
        """Write what is held as one record."""
        numbers = self._numbers
        body = record_body(self._text, self.memory[self._head : self.place(numbers[HELD])])
        with writer.alone() as seq:
            numbers[SEQ] = seq
            writer.append("vpacked", body)
            numbers[HELD] = 0
            numbers[SEQ] = 0

    def close(self) -> None:
        """Remove the file. The map goes with its last user."""
        try:
            self._path.unlink()
        except OSError as error:
            let_through(error)


def _map(path: Path, size: int) -> mmap.mmap:
    """Map a new file whose room is given to it: a store into it cannot fail."""
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = descriptors.move_up(os.open(str(path), flags, 0o600))
    try:
        os.posix_fallocate(descriptor, 0, size)
        with descriptors.low_taken():
            memory = mmap.mmap(descriptor, size)
    finally:
        descriptors.close(descriptor)
    for page in range(0, size, mmap.PAGESIZE):
        memory[page] = 0  # a first touch inside the training would cost it a page fault
    return memory


def _keeps_room(folder: Path) -> bool:
    """Tell whether a file's room in ``folder`` stays its own, by the kind of file system."""
    if not hasattr(os, "posix_fallocate"):
        return False
    best, kind = -1, ""
    place = os.path.join(os.path.realpath(str(folder)), "")
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split(" - ") for line in file]
    except OSError as error:
        let_through(error)
        return False
    for where, what in mounts:
        point = os.path.join(where.split()[4], "")
        if place.startswith(point) and len(point) >= best:
            best, kind = len(point), what.split()[0]
    return kind in _KEEPS_ROOM
