"""TelemetryAsyncHub: between publishers on the wire and the TelemetryService.

Orders and de-duplicates each channel, holds a publisher back while a slow disk catches up, and
answers with what is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from gym_gui.core.errors import ProtocolError
from gym_gui.services.telemetry import TelemetryService
from gym_gui.telemetry.batch import RecordBatch
from gym_gui.telemetry.storage import Totals

Key = tuple[str, str]  # run id, channel
Told = Callable[[str, list[RecordBatch], Totals], None]


class Publisher:
    """One publishing call: which channels it serves, and what it is still to be told."""

    def __init__(self) -> None:
        self.channels: dict[Key, int] = {}  # the last mark told
        self.finished = False
        self.changed = asyncio.Event()


class TelemetryAsyncHub:
    """Lives in the daemon's event loop; ``on_committed`` is called there too."""

    def __init__(self, telemetry: TelemetryService, *, on_committed: Told) -> None:
        self._telemetry = telemetry
        self._loop = asyncio.get_running_loop()
        self._on_committed = on_committed
        self._accepted: dict[Key, int] = {}
        self._publishers: set[Publisher] = set()
        self._room = asyncio.Event()
        self._forget_room = telemetry.bus.add_room_listener(self._room_was_made)
        self.waits = 0  # how often a publisher was held back
        self.duplicates = 0  # batches that came again

    def close(self) -> None:
        self._forget_room()

    def committing(self, run_id: str) -> Callable[[Sequence[RecordBatch], Totals], None]:
        """Return what the run's sink calls, from its own thread, after each commit."""

        def tell(batches: Sequence[RecordBatch], totals: Totals) -> None:
            self._loop.call_soon_threadsafe(self._committed, run_id, list(batches), totals)

        return tell

    def greet(self, publisher: Publisher, run_id: str, channel: str) -> None:
        """Let a publisher serve a channel; it is told the committed mark, behind which to go on."""
        key = (run_id, channel)
        mark = self._telemetry.high_water(run_id, channel)
        self._accepted[key] = max(self._accepted.get(key, 0), mark)
        publisher.channels[key] = -1
        self._publishers.add(publisher)
        publisher.changed.set()

    async def accept(self, publisher: Publisher, batch: RecordBatch) -> None:
        """Take a batch over, once there is room. Raises ProtocolError for a gap or bad content."""
        key = (batch.run_id, batch.channel)
        if key not in publisher.channels:
            raise ProtocolError(f"The channel {batch.channel} was not greeted.")
        accepted = self._accepted[key]
        if batch.first_seq > accepted + 1:
            raise ProtocolError(
                f"The channel {batch.channel} jumps from {accepted} to {batch.first_seq}."
            )
        if batch.last_seq <= accepted:
            self.duplicates += 1
            publisher.changed.set()
            return
        while True:
            self._room.clear()
            if self._telemetry.publish(batch):
                break
            self.waits += 1
            await self._room.wait()
        self._accepted[key] = batch.last_seq

    async def answers(self, publisher: Publisher) -> AsyncIterator[tuple[str, int]]:
        """Yield (channel, committed) as marks rise, until the publisher's last one is answered."""
        try:
            while True:
                await publisher.changed.wait()
                publisher.changed.clear()
                for key, told in list(publisher.channels.items()):
                    mark = self._telemetry.high_water(*key)
                    if mark > told:
                        publisher.channels[key] = mark
                        yield key[1], mark
                if publisher.finished and self._all_told(publisher):
                    return
        finally:
            self._publishers.discard(publisher)

    def forget_run(self, run_id: str) -> None:
        """Let go of what is known of a run that is over."""
        for key in [key for key in self._accepted if key[0] == run_id]:
            del self._accepted[key]

    def _all_told(self, publisher: Publisher) -> bool:
        return all(told >= self._accepted.get(key, 0) for key, told in publisher.channels.items())

    def _room_was_made(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._room.set)

    def _committed(self, run_id: str, batches: list[RecordBatch], totals: Totals) -> None:
        for publisher in self._publishers:
            publisher.changed.set()
        self._on_committed(run_id, batches, totals)
