"""One process's part in a run: configuration, channel, streams, pace, and what goes wrong.

Everything the tap does in this process hangs on one ``TapSession``. A forked child opens a
channel of its own at its first record.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
import weakref
from collections import deque
from pathlib import Path
from typing import Any, Callable, Optional

from gym_gui.core.interrupts import held_back, let_through
from gym_gui.worker import encode
from gym_gui.worker.lane import Lane
from gym_gui.worker.spool import SpoolWriter

PROTOCOL_VERSION = 1


class TapSession:
    """The tap of one process. ``config`` is the content of ``tap.json``."""

    def __init__(self, config: dict[str, Any]) -> None:
        recording = config.get("recording") or {}
        self.config = config
        self.run_id = str(config["run_id"])
        self.observation_text = encode.ObservationEncoder(
            recording.get("observations", "auto"), int(recording.get("max_numbers", 64))
        )
        self.record_frames = recording.get("frames", "off") == "every_step"
        self._policy = recording.get("spool_policy", "keep")
        self._limit = int(recording.get("spool_limit_bytes", 0))
        self._writer: Optional[SpoolWriter] = None
        self._lock = threading.RLock()
        self._streams = 0
        self._vectors = 0
        self._owners: weakref.WeakSet[Any] = weakref.WeakSet()
        self.deferred: deque[Callable[[], None]] = deque()
        self._warned: set[str] = set()
        self._ended = False
        self.lane = Lane(self, config)
        self.own(self.lane)
        atexit.register(self.end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    @classmethod
    def from_file(cls, path: str) -> TapSession:
        return cls(json.loads(Path(path).read_text(encoding="utf-8")))

    @property
    def channel(self) -> str:
        return self.writer().channel

    def writer(self) -> SpoolWriter:
        """Return this process's spool, opened at its first record."""
        writer = self._writer
        return writer if writer is not None else self._open()

    def append(self, kind: str, body: str) -> None:
        """Write one record; ``body`` is the JSON text after ``seq``."""
        (self._writer or self.writer()).append(kind, body)

    def event(self, name: str, **fields: Any) -> None:
        """Write one ``run`` record."""
        extra = "".join(f',"{k}":{encode.compact(v)}' for k, v in fields.items())
        self.append("run", f'"time_ns":{time.time_ns()},"event":"{name}"{extra}')

    def log(self, level: str, message: str) -> None:
        """Write one ``log`` record."""
        body = f'"level":"{level}","message":{encode.text(message)},"time_ns":{time.time_ns()}'
        self.append("log", body)

    def append_frame(self, tap: Any, picture: Any) -> None:
        """Keep one picture of ``tap``'s environment, after the step it has just made."""
        data, kind = picture.data, {1: "GREY", 3: "RGB", 4: "RGBA"}[picture.channels]
        if picture.row_stride:
            line = picture.width * 4
            starts = range(0, picture.height * picture.row_stride, picture.row_stride)
            data, kind = b"".join(data[at : at + line] for at in starts), "BGRX"
        elif hasattr(data, "tobytes"):
            data = data.tobytes()
        body = (
            f'"stream":{tap.stream},"episode":{tap.episode},"step":{tap.step - 1},'
            f'"index":{tap.index - 1},"height":{picture.height},"width":{picture.width},'
            f'"channels":{picture.channels},"format":"{kind}"'
        )
        self.writer().append_frame(data, body)

    def metric(self, name: str, value: float, global_step: int, time_ns: int = 0) -> None:
        """Write one scalar of the learner."""
        self.append(
            "metric",
            f'"name":{encode.text(name)},"value":{encode.number(float(value))},'
            f'"global_step":{int(global_step)},"time_ns":{time_ns or time.time_ns()}',
        )

    def new_stream(self) -> int:
        """Return the next instance number of this channel."""
        with self._lock:
            number = self._streams
            self._streams += 1
            return number

    def new_vector(self) -> str:
        """Return an id for one vector environment, unique in the run."""
        with self._lock:
            self._vectors += 1
            return f"{os.getpid()}-{self._vectors}"

    def own(self, part: Any) -> None:
        """Tell ``part`` of forks (``after_fork()``) and of the end (``finish()``)."""
        self._owners.add(part)

    def when_gone(self, thing: Any, closed: Callable[[], None]) -> None:
        """Call ``closed`` soon after the script has let ``thing`` go; it must not refer to it.

        Not at once: memory is freed anywhere, also while a record is being written.
        """
        weakref.finalize(thing, self.deferred.append, closed)

    def run_deferred(self) -> None:
        """Close what the script has let go."""
        while self.deferred:
            try:
                self.deferred.popleft()()
            except Exception as error:  # noqa: BLE001 - one part's end must not cost the others'
                self.failed("The end of a recording", error)

    def warn(self, message: str) -> None:
        """Say something once, on stderr and in the record; never raise."""
        if message in self._warned:
            return
        self._warned.add(message)
        _say(message)
        try:
            self.event("warning", message=message)
        except (OSError, ValueError) as error:
            let_through(error)
            self._warned.add("the spool cannot be written")

    def failed(self, what: str, error: BaseException) -> None:
        """Something of ours failed: say so once and let the training go on.

        What a signal handler of the script raised is none of ours: it is raised again.
        """
        let_through(error)
        cause = f"{type(error).__name__}: {error}".rstrip(".")
        self.warn(f"{what}: {cause}. Training goes on without it.")

    def end(self) -> None:
        """Write what is still open and the last record. Twice is safe."""
        with self._lock:
            if self._ended or self._writer is None:
                return
            self._ended = True
            self.run_deferred()
            for part in list(self._owners):
                self._finish(part)
            self.event("end")
            self._writer.close()
            self._writer = None

    def _finish(self, part: Any) -> None:
        try:
            part.finish()
        except Exception as error:  # noqa: BLE001 - one part's end must not cost the others'
            self.failed("The end of a recording", error)

    def _open(self) -> SpoolWriter:
        with self._lock:
            if self._writer is None:
                with held_back():
                    self._writer = SpoolWriter(
                        self.config["spool_dir"],
                        policy=self._policy,
                        limit_bytes=self._limit,
                        on_full=_say,
                    )
                self._ended = False
                self._write_start()
            return self._writer

    def _write_start(self) -> None:
        gymnasium = sys.modules.get("gymnasium")
        self.event(
            "start",
            protocol=PROTOCOL_VERSION,
            pid=os.getpid(),
            python=".".join(map(str, sys.version_info[:3])),
            gymnasium=getattr(gymnasium, "__version__", None),
            argv=list(getattr(sys, "argv", [])),
        )

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
        self._streams = 0
        self.deferred.clear()
        for part in list(self._owners):
            part.after_fork()


def _say(message: str) -> None:
    try:
        sys.stderr.write(f"gym-gui: {message}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError) as error:  # the script closed its stderr
        let_through(error)
