"""Append-only record files: one channel per writing process, one ``os.write`` per record.

    <spool>/<channel>/0000000000000001.jsonl     segments, named by their first sequence number
    <spool>/<channel>/frames-<n>.bin             raw pixels that ``frame`` records point into
    <spool>/<channel>/room                       whether there is room, and how much was dropped

What was written survives the death of the process: the kernel holds it. A sequence number is
spent only by a record that is whole in the file, so numbers stay contiguous whatever fails.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Optional, Union

from gym_gui.core import descriptors
from gym_gui.core.interrupts import from_handler, let_through
from gym_gui.core.records import SpoolPolicy
from gym_gui.core.vector_block import SUFFIX

SEGMENT_BYTES = 16 << 20
_SMALLEST_SEGMENT = 4096
ROOM_FILE = "room"
_LOOK_BYTES = 1 << 20  # how often room is looked for, in bytes written
_LOOK_S = 0.05  # and while there is none
_RESERVE_BYTES = 64 << 20  # of a disk, left to the store so that it can take over what is spooled
_FULL = "the disk or the spool's limit leaves none"
_MEANWHILE = 10_000  # records that signal handlers may bring while one is being written
_COUNT_EVERY = 10_000  # dropped records between two updates of the room file
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    """Return ``number`` >= 0 in base 36."""
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text


def new_channel() -> str:
    """Return this process's channel name: pid and the time of opening (microseconds)."""
    return f"{os.getpid()}-{base36(time.time_ns() // 1000)}"


def segment_name(first_seq: int) -> str:
    """Return the file name of the segment that starts with ``first_seq``."""
    return f"{first_seq:016d}.jsonl"


def _open_private(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    return descriptors.move_up(os.open(path, flags, 0o600))


class Room:
    """Says in ``<channel>/room`` whether there is room: one line of fixed length.

    Its bytes are there from the beginning, so that it can be overwritten on a full disk.
    """

    OK, WAITING, DROPPING, STOPPED = "ok", "waiting", "dropping", "stopped"

    def __init__(self, directory: Path) -> None:
        self._path = directory / ROOM_FILE
        self.state = ""
        self.say(self.OK, 0)

    def say(self, state: str, dropped: int) -> None:
        """Overwrite the line; what cannot be written is left."""
        self.state = state
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(fd, f"{state:<10}{dropped:>14}\n".encode(), 0)
            finally:
                os.close(fd)
        except OSError as error:
            let_through(error)

    @staticmethod
    def read(path: Union[str, Path]) -> tuple[str, int]:
        """Return state and number of dropped records; ("ok", 0) where nothing was said."""
        try:
            state, dropped = Path(path).read_text(encoding="ascii").split()
            return state, int(dropped)
        except (OSError, ValueError):
            return Room.OK, 0


class SpoolWriter:
    """Writes one channel. Thread-safe; a forked child makes its own (see ``TapSession``).

    policy, limit_bytes: what happens when the disk, or the spool's own limit (0: none), has no
        room left; see ``SpoolPolicy``.
    on_full: called once with a plain sentence each time recording stops or waits for room.
    """

    def __init__(
        self,
        spool_dir: Union[str, Path],
        *,
        channel: Optional[str] = None,
        policy: str = SpoolPolicy.KEEP.value,
        limit_bytes: int = 0,
        segment_bytes: int = SEGMENT_BYTES,
        on_full: Optional[Callable[[str], None]] = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.channel = channel or new_channel()
        self.directory = Path(spool_dir) / self.channel
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.seq = 0
        self.dropped = 0
        self.stopped = False
        self._policy = SpoolPolicy(policy)
        self._limit = limit_bytes
        if limit_bytes:  # room is made segment by segment
            segment_bytes = min(segment_bytes, max(_SMALLEST_SEGMENT, limit_bytes // 4))
        self._segment_bytes = segment_bytes
        self._look_every = min(segment_bytes, _LOOK_BYTES)
        self._on_full = on_full
        self._sleep = sleep
        self._lock = threading.RLock()
        self._writing = False
        self._meanwhile: deque[tuple[str, str]] = deque()
        self._short = False  # of room, or stopped: nothing is written as it comes
        self._look_after = 0.0
        self._reported = 0
        self._frames_fd = -1
        self._frames_number = 0
        self._frames_size = 0
        self._frames_refused = False
        self._fd = -1
        self._size = self._look_at = 0
        self._room = Room(self.directory)
        self._open_segment()

    def append(self, kind: str, body: str) -> bool:
        """Write one record; ``body`` is the JSON text of its fields after ``seq``.

        Returns False when it was dropped for want of room. A signal handler or a destructor may
        run in the midst of this and have a record of its own: that one is written right after.
        """
        with self._lock:
            if self._writing:
                return self._put_off(kind, body)
            try:
                self._writing = True
                if self._meanwhile:  # left where a handler raised out of here
                    self._catch_up()
                is_kept = self._append(kind, body)
                if self._meanwhile:
                    self._catch_up()
                return is_kept
            finally:
                self._writing = False

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Let no other thread write meanwhile; give the number of the next record."""
        with self._lock:
            yield self.seq + 1

    def _put_off(self, kind: str, body: str) -> bool:
        if len(self._meanwhile) >= _MEANWHILE:
            return self._drop()
        self._meanwhile.append((kind, body))
        return True

    def _catch_up(self) -> None:
        while self._meanwhile:
            self._append(*self._meanwhile.popleft())

    def _append(self, kind: str, body: str) -> bool:
        if self._short and not self._has_room_again():
            return self._drop()
        seq = self.seq + 1
        data = f'{{"type":"{kind}","seq":{seq},{body}}}\n'.encode()
        try:
            written = os.write(self._fd, data)
            self.seq = seq
            self._size += written
        except BaseException as error:
            if not isinstance(error, OSError) or from_handler(error) is not None:
                self._resync(seq, len(data))
                raise
            return self._refused(error, kind, body)
        if written != len(data):
            return self._torn(written, kind, body)
        if self._size >= self._look_at:
            self._look_around()
        return True

    def append_frame(self, pixels: Union[bytes, memoryview], body: str) -> bool:
        """Write raw pixels to the frames file, then the ``frame`` record that points at them."""
        with self._lock:
            if self._writing:
                return self._drop()
            try:
                self._writing = True
                offset = self._write_pixels(pixels)
            finally:
                self._writing = False
            if offset < 0:
                return False
            name = f"frames-{self._frames_number}.bin"
        place = f'"file":"{name}","offset":{offset},"length":{len(pixels)}'
        return self.append("frame", f"{body},{place}")

    def close(self) -> None:
        """Report what was dropped, if there is room again, and close. Twice is safe."""
        with self._lock:
            if self._fd < 0:
                return
            self._catch_up()
            if self._report_dropped() and not self.stopped:
                self._room.say(Room.OK, self.dropped)
            else:
                self._room.say(self._room.state, self.dropped)
            self._close_files()

    def abandon(self) -> None:
        """Let go of a parent's channel in a forked child: close the copies, write nothing."""
        self._close_files()
        self._lock = threading.RLock()
        self._writing = False
        self._meanwhile.clear()

    def _close_files(self) -> None:
        for fd in (self._fd, self._frames_fd):
            if fd >= 0:
                descriptors.close(fd)
        self._fd = self._frames_fd = -1

    def _open_segment(self) -> None:
        path = self.directory / segment_name(self.seq + 1)
        fd = _open_private(path)
        if self._fd >= 0:
            descriptors.close(self._fd)
        self._fd, self._segment = fd, path
        self._size = 0
        self._look_at = self._look_every

    def _reopen(self) -> bool:
        """The script closed every file, ours too: go on in the same segment."""
        try:
            self._fd = _open_private(self._segment)
        except OSError as error:
            let_through(error)
            return False
        return True

    def _look_around(self) -> None:
        """Every so many bytes: begin a new segment when it is time, and see that there is room."""
        self._look_at = self._size + self._look_every
        if self._size >= self._segment_bytes:
            self._next_segment()
        if self._is_full():
            self._short = True
            if self._policy is SpoolPolicy.PAUSE_RUN:
                self._wait_for_room()
            elif self._policy is SpoolPolicy.KEEP:
                self._stop(_FULL)
            else:
                self._begin_dropping(_FULL)

    def _next_segment(self) -> None:
        try:
            self._open_segment()
        except OSError as error:  # no new file can be made: keep to the old one
            let_through(error)
            self._look_at = self._size + self._look_every

    def _is_full(self) -> bool:
        """Tell whether the spool's limit is reached, or the disk's last part would be touched."""
        if self._limit and self._spool_size() >= self._limit:
            return True
        try:
            disk = os.statvfs(self.directory)
        except OSError as error:
            let_through(error)
            return False
        reserve = min(_RESERVE_BYTES, disk.f_blocks * disk.f_frsize // 10)
        return disk.f_bavail * disk.f_frsize < reserve

    def _spool_size(self) -> int:
        total = 0
        for entry in os.scandir(self.directory):
            if entry.name.endswith(SUFFIX):
                continue  # of a size of its own, which nothing makes smaller
            try:
                total += entry.stat().st_size
            except FileNotFoundError:  # trimmed meanwhile
                continue
        return total

    def _resync(self, seq: int, length: int) -> None:
        """After an interrupt around the write: ask the file whether the record is in it."""
        size = os.fstat(self._fd).st_size
        expected = self._file_size_before(seq, length)
        if size == expected and self.seq != seq:
            self.seq = seq
        self._size = size

    def _file_size_before(self, seq: int, length: int) -> int:
        return self._size if self.seq == seq else self._size + length

    def _torn(self, written: int, kind: str, body: str) -> bool:
        """A short write left half a line: take it back and treat it as no room."""
        self.seq -= 1
        self._size -= written
        os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
        return self._refused(OSError(errno.ENOSPC, "short write"), kind, body)

    def _refused(self, error: OSError, kind: str, body: str) -> bool:
        if error.errno == errno.EBADF and self._reopen() and self._try_write((kind, body)):
            return True
        cause = error.strerror or str(error)
        self._short = True
        if error.errno not in _NO_ROOM or self._policy is SpoolPolicy.KEEP:
            self._stop(cause)
            return self._drop()
        if self._policy is SpoolPolicy.DROP_AND_COUNT:
            self._begin_dropping(cause)
            return self._drop()
        self._wait_for_room(cause, (kind, body))
        return True

    def _stop(self, cause: str) -> None:
        self.stopped = True
        self._say(Room.STOPPED, f"Recording has stopped ({cause}); training goes on, unrecorded.")

    def _begin_dropping(self, cause: str) -> None:
        self._look_after = time.monotonic() + _LOOK_S
        self._say(
            Room.DROPPING, f"No room for the recording ({cause}): steps are dropped and counted."
        )

    def _drop(self) -> bool:
        self.dropped += 1
        if self.dropped % _COUNT_EVERY == 1:
            self._room.say(self._room.state, self.dropped)
        return False

    def _has_room_again(self) -> bool:
        """Look now and then while short of room; end that by a record of what was dropped."""
        if self.stopped or time.monotonic() < self._look_after:
            return False
        self._look_after = time.monotonic() + _LOOK_S
        if self._is_full() or not self._report_dropped():
            return False
        self._go_on()
        return True

    def _go_on(self) -> None:
        self._short = False
        self._room.say(Room.OK, self.dropped)

    def _wait_for_room(self, cause: str = _FULL, *records: tuple[str, str]) -> None:
        """Hold the training, as its user chose, until there is room; record that, and ``records``.

        All in one write: as long as one part has no room, none of it is there.
        """
        self._say(
            Room.WAITING, f"No room for the recording ({cause}): the run waits until there is."
        )
        if self._size:  # what is in this segment can then be taken over, and make room
            self._next_segment()
        reason = '"event":"paused","reason":"no room for the recording"'
        paused = ("run", f'"time_ns":{time.time_ns()},{reason}')
        resumed = ("run", f'"time_ns":{time.time_ns()},"event":"resumed"')
        while self._is_full() or not self._try_write(paused, resumed, *records):
            self._sleep(0.2)
            resumed = ("run", f'"time_ns":{time.time_ns()},"event":"resumed"')
        self._go_on()

    def _try_write(self, *records: tuple[str, str]) -> bool:
        lines = [
            f'{{"type":"{kind}","seq":{seq},{body}}}\n'
            for seq, (kind, body) in enumerate(records, self.seq + 1)
        ]
        data = "".join(lines).encode()
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            let_through(error)
            return False
        if written != len(data):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            return False
        self.seq += len(records)
        self._size += written
        return True

    def _report_dropped(self) -> bool:
        count = self.dropped - self._reported
        if count:
            body = f'"time_ns":{time.time_ns()},"event":"dropped","count":{count}'
            if not self._try_write(("run", body)):
                return False
            self._reported = self.dropped
        return True

    def _say(self, state: str, message: str) -> None:
        if self._room.state != state:
            self._room.say(state, self.dropped)
            if self._on_full is not None:
                self._on_full(message)

    def _write_pixels(self, pixels: Union[bytes, memoryview]) -> int:
        """Return where the pixels lie in the frames file, -1 when they were dropped."""
        while not self.stopped:
            try:
                return self._put_pixels(memoryview(pixels).cast("B"))
            except OSError as error:
                let_through(error)
                cause = error.strerror or str(error)
                if self._policy is not SpoolPolicy.PAUSE_RUN or error.errno not in _NO_ROOM:
                    self._refuse_frame(cause)
                    break
                self._wait_for_room(cause)
        self._drop()
        return -1

    def _put_pixels(self, view: memoryview) -> int:
        if self._frames_fd < 0 or self._frames_size >= 8 * self._segment_bytes:
            self._open_frames()
        offset = self._frames_size
        self._look_at -= len(view)  # they need room as well
        while len(view):
            written = os.write(self._frames_fd, view)
            self._frames_size += written
            view = view[written:]
        self._frames_refused = False
        return offset

    def _refuse_frame(self, cause: str) -> None:
        if not self._frames_refused and self._on_full is not None:
            self._on_full(f"No room for recorded frames ({cause}): they are dropped.")
        self._frames_refused = True

    def _open_frames(self) -> None:
        if self._frames_fd >= 0:
            descriptors.close(self._frames_fd)
        self._frames_number += 1
        self._frames_fd = _open_private(self.directory / f"frames-{self._frames_number}.bin")
        self._frames_size = 0
