"""Append-only record files: one channel per writing process, one ``os.write`` per record.

    <spool>/<channel>/0000000000000001.jsonl     segments, named by their first sequence number
    <spool>/<channel>/frames-<n>.bin             raw pixels that ``frame`` records point into

What was written survives the death of the process: the kernel holds it. A sequence number is
spent only by a record that is whole in the file, so numbers stay contiguous whatever fails.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Callable, Optional, Union

from gym_gui.core import descriptors
from gym_gui.core.records import SpoolPolicy

SEGMENT_BYTES = 16 << 20
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
        self._segment_bytes = segment_bytes
        self._on_full = on_full
        self._sleep = sleep
        self._lock = threading.Lock()
        self._told = False
        self._reported = 0
        self._over_limit = False
        self._frames_fd = -1
        self._frames_number = 0
        self._frames_size = 0
        self._fd = -1
        self._size = 0
        self._open_segment()

    def append(self, kind: str, body: str) -> bool:
        """Write one record; ``body`` is the JSON text of its fields after ``seq``.

        Returns False when it was dropped for want of room.
        """
        with self._lock:
            if self.dropped != self._reported or self.stopped or self._over_limit:
                return self._append_short_of_room(kind, body)
            seq = self.seq + 1
            data = f'{{"type":"{kind}","seq":{seq},{body}}}\n'.encode()
            try:
                written = os.write(self._fd, data)
                self.seq = seq
                self._size += written
            except OSError as error:
                return self._refused(error, kind, body)
            except BaseException:
                self._resync(seq, len(data))
                raise
            if written != len(data):
                return self._torn(written, kind, body)
            if self._size >= self._segment_bytes:
                self._rotate()
            return True

    def append_frame(self, pixels: Union[bytes, memoryview], body: str) -> bool:
        """Write raw pixels to the frames file, then the ``frame`` record that points at them."""
        with self._lock:
            offset = self._write_pixels(pixels)
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
            self.stopped = False
            if self.dropped != self._reported:
                self._report_dropped()
            descriptors.close(self._fd)
            self._fd = -1
            if self._frames_fd >= 0:
                descriptors.close(self._frames_fd)
                self._frames_fd = -1

    def abandon(self) -> None:
        """Let go of a parent's channel in a forked child: close the copies, write nothing."""
        for fd in (self._fd, self._frames_fd):
            if fd >= 0:
                descriptors.close(fd)
        self._fd = self._frames_fd = -1
        self._lock = threading.Lock()

    def _open_segment(self) -> None:
        path = self.directory / segment_name(self.seq + 1)
        fd = _open_private(path)
        if self._fd >= 0:
            descriptors.close(self._fd)
        self._fd, self._segment = fd, path
        self._size = 0

    def _reopen(self) -> bool:
        """The script closed every file, ours too: go on in the same segment."""
        try:
            self._fd = _open_private(self._segment)
        except OSError:
            return False
        return True

    def _rotate(self) -> None:
        try:
            self._open_segment()
        except OSError:
            self._size = 0  # no new file can be made: keep to the old one, try a segment later
        self._over_limit = bool(self._limit) and self._spool_size() >= self._limit

    def _spool_size(self) -> int:
        total = 0
        for entry in os.scandir(self.directory):
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
        if error.errno == errno.EBADF and self._reopen() and self._try_write(kind, body):
            return True
        cause = error.strerror or str(error)
        if self._policy is SpoolPolicy.PAUSE_RUN and error.errno in _NO_ROOM:
            self._tell(f"No room for the recording ({cause}): the run waits until there is.")
            return self._wait_for_room(kind, body)
        self.dropped += 1
        if self._policy is SpoolPolicy.DROP_AND_COUNT and error.errno in _NO_ROOM:
            self._tell(f"No room for the recording ({cause}): steps are dropped and counted.")
            return False
        self.stopped = True
        self._tell(f"Recording has stopped ({cause}); training goes on, unrecorded.")
        return False

    def _append_short_of_room(self, kind: str, body: str) -> bool:
        if self._over_limit and self._spool_size() >= self._limit:
            return self._refused(OSError(errno.ENOSPC, "the spool's limit is reached"), kind, body)
        self._over_limit = False
        if self.stopped or not self._report_dropped():
            self.dropped += 1
            return False
        return self._try_write(kind, body)

    def _try_write(self, kind: str, body: str) -> bool:
        data = f'{{"type":"{kind}","seq":{self.seq + 1},{body}}}\n'.encode()
        try:
            written = os.write(self._fd, data)
        except OSError:
            return False
        if written != len(data):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            return False
        self.seq += 1
        self._size += written
        return True

    def _report_dropped(self) -> bool:
        count = self.dropped - self._reported
        if count:
            body = f'"time_ns":{time.time_ns()},"event":"dropped","count":{count}'
            if not self._try_write("run", body):
                return False
            self._reported = self.dropped
        self._told = False
        return True

    def _wait_for_room(self, kind: str, body: str) -> bool:
        started = time.time_ns()
        while True:
            self._sleep(0.2)
            if self._limit and self._spool_size() >= self._limit:
                continue
            waited = f'"time_ns":{started},"event":"paused","reason":"no room for the recording"'
            if not self._try_write("run", waited):
                continue
            self._over_limit = False
            while not self._try_write("run", f'"time_ns":{time.time_ns()},"event":"resumed"'):
                self._sleep(0.2)
            while not self._try_write(kind, body):
                self._sleep(0.2)
            self._told = False
            return True

    def _tell(self, message: str) -> None:
        if not self._told and self._on_full is not None:
            self._told = True
            self._on_full(message)

    def _write_pixels(self, pixels: Union[bytes, memoryview]) -> int:
        if self.stopped:
            return -1
        try:
            if self._frames_fd < 0 or self._frames_size >= 8 * self._segment_bytes:
                self._open_frames()
            offset = self._frames_size
            view = memoryview(pixels).cast("B")
            while len(view):
                written = os.write(self._frames_fd, view)
                self._frames_size += written
                view = view[written:]
            return offset
        except OSError as error:
            self.dropped += 1
            self._tell(f"No room for recorded frames ({error.strerror}): they are dropped.")
            return -1

    def _open_frames(self) -> None:
        if self._frames_fd >= 0:
            descriptors.close(self._frames_fd)
        self._frames_number += 1
        self._frames_fd = _open_private(self.directory / f"frames-{self._frames_number}.bin")
        self._frames_size = 0
