"""The daemon's side of live frames and control: between viewers and each run's proxy.

Nothing here queues. A viewer holds the newest frame of each ring and no older one; a proxy's line
holds the present demand. Both are sent when the other end has taken what was sent before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from gym_gui.fastlane.layout import VIEW_ALL
from gym_gui.rpc import trainer_pb2 as pb

IN_FLIGHT = 2  # frames of one ring on the way to a viewer
MAX_HZ = 240.0
MAX_RINGS = 256  # of one run


class _Wish(NamedTuple):
    wanted_hz: float
    budget: float
    view: int
    taken: int


class _Viewer:
    """One call of StreamRunFrames."""

    def __init__(self) -> None:
        self.wishes: dict[str, _Wish] = {}
        self.newest: dict[str, pb.LiveFrame] = {}
        self.sent: dict[str, int] = {}
        self.names: list[str] | None = None  # to be told
        self.changed = asyncio.Event()
        self.skipped = 0

    def ask(self, demands: list[pb.RingDemand]) -> None:
        self.wishes = {
            one.stream: _Wish(
                min(max(one.wanted_hz, 0.0), MAX_HZ),
                min(max(one.budget, 0.0), 1.0),
                one.view,
                one.taken,
            )
            for one in demands[:MAX_RINGS]
        }
        self.changed.set()

    def offer(self, frame: pb.LiveFrame) -> None:
        wish = self.wishes.get(frame.stream)
        if wish is not None and wish.wanted_hz:
            self.skipped += frame.stream in self.newest
            self.newest[frame.stream] = frame
            self.changed.set()

    def ready(self) -> list[pb.LiveFrame]:
        """Take out what may be sent now."""
        found = []
        if self.names is not None:
            found.append(pb.LiveFrame(rings=self.names))
            self.names = None
        for stream in list(self.newest):
            wish = self.wishes.get(stream)
            if wish is not None and self.sent.get(stream, 0) < wish.taken + IN_FLIGHT:
                self.sent[stream] = self.sent.get(stream, 0) + 1
                found.append(self.newest.pop(stream))
        return found


class _Line:
    """One proxy's ControlStream: what it is to be told next."""

    def __init__(self) -> None:
        self.pace: pb.Pace | None = None
        self.is_stale = True  # it has not heard the present demand
        self.received: dict[str, int] = {}
        self.changed = asyncio.Event()
        self.changed.set()


class LiveDesk:
    """Lives in the daemon's event loop."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._viewers: dict[str, set[_Viewer]] = {}
        self._names: dict[str, list[str]] = {}

    def statistics(self) -> dict[str, int]:
        viewers = [one for group in self._viewers.values() for one in group]
        skipped = sum(viewer.skipped for viewer in viewers)
        return {"viewers": len(viewers), "proxies": len(self._lines), "skipped": skipped}

    # A run's proxy

    async def words(self, run_id: str) -> AsyncGenerator[pb.Control, None]:
        """Yield what the run's proxy is to do, for as long as it listens."""
        line = self._lines[run_id] = _Line()
        try:
            while self._lines.get(run_id) is line:
                await line.changed.wait()
                line.changed.clear()
                if line.pace is not None:
                    pace, line.pace = line.pace, None
                    yield pb.Control(pace=pace)
                if line.is_stale:
                    line.is_stale = False
                    yield pb.Control(watch=self._watch(run_id, line))
        finally:
            if self._lines.get(run_id) is line:
                del self._lines[run_id]
                self._names.pop(run_id, None)

    def take(self, run_id: str, frame: pb.LiveFrame) -> None:
        """Hand a proxy's message on to whoever watches that run."""
        line = self._lines.get(run_id)
        viewers = self._viewers.get(run_id, ())
        if not frame.stream:
            self._names[run_id] = list(frame.rings)[:MAX_RINGS]
            for viewer in viewers:
                viewer.names = self._names[run_id]
                viewer.changed.set()
            return
        for viewer in viewers:
            viewer.offer(frame)
        if line is not None:
            line.received[frame.stream] = line.received.get(frame.stream, 0) + 1
            self._tell(run_id)

    def has_proxy(self, run_id: str) -> bool:
        """Tell whether the run's proxy is connected."""
        return run_id in self._lines

    def pace(self, run_id: str, *, paused: bool | None, max_steps_per_s: float | None) -> bool:
        """Pause or pace through the run's proxy; False when none listens."""
        line = self._lines.get(run_id)
        if line is not None:
            line.pace = pb.Pace(paused=paused, max_steps_per_s=max_steps_per_s)
            line.changed.set()
        return line is not None

    # A viewer

    async def frames(
        self, requests: AsyncIterator[pb.FrameDemand]
    ) -> AsyncGenerator[pb.LiveFrame, None]:
        """Yield a run's newest frames as asked for; the first request names the run."""
        first = await anext(requests, None)
        if first is None:
            return
        run_id, viewer = first.run_id, _Viewer()
        viewer.ask(list(first.demands))
        viewer.names = self._names.get(run_id)
        self._viewers.setdefault(run_id, set()).add(viewer)
        self._tell(run_id)
        asking = asyncio.create_task(self._ask(run_id, viewer, requests))
        try:
            while not asking.done():
                await viewer.changed.wait()
                viewer.changed.clear()
                for frame in viewer.ready():
                    yield frame
        finally:
            self._forget(run_id, viewer)
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    async def _ask(
        self, run_id: str, viewer: _Viewer, requests: AsyncIterator[pb.FrameDemand]
    ) -> None:
        try:
            async for request in requests:
                before = {name: wish[:3] for name, wish in viewer.wishes.items()}
                viewer.ask(list(request.demands))
                if before != {name: wish[:3] for name, wish in viewer.wishes.items()}:
                    self._tell(run_id)
        finally:
            viewer.changed.set()

    def _forget(self, run_id: str, viewer: _Viewer) -> None:
        group = self._viewers.get(run_id, set())
        group.discard(viewer)
        if not group:
            self._viewers.pop(run_id, None)
        self._tell(run_id)

    def _tell(self, run_id: str) -> None:
        line = self._lines.get(run_id)
        if line is not None:
            line.is_stale = True
            line.changed.set()

    def _watch(self, run_id: str, line: _Line) -> pb.Watch:
        """Return the viewers' demands together: of each ring the largest, and all that is seen."""
        together: dict[str, pb.RingDemand] = {}
        for viewer in self._viewers.get(run_id, ()):
            for stream, wish in viewer.wishes.items():
                one = together.setdefault(stream, pb.RingDemand(stream=stream))
                if wish.wanted_hz:
                    is_first = not one.wanted_hz
                    one.view = wish.view if is_first or wish.view == one.view else VIEW_ALL
                one.wanted_hz = max(one.wanted_hz, wish.wanted_hz)
                one.budget = max(one.budget, wish.budget)
        for stream, one in together.items():
            one.taken = line.received.get(stream, 0)
        return pb.Watch(is_watched=bool(self._viewers.get(run_id)), demands=together.values())
