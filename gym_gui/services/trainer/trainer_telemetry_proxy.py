"""One run's proxy: tails its spool, sends batches to the daemon, resumes after any crash.

    python -m gym_gui.services.trainer.trainer_telemetry_proxy RUN_DIR --address TARGET

Ends with 0 when the worker has ended and everything it wrote is committed. While the daemon is
away it waits: the spool is the queue.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
from grpc import aio

from gym_gui.core.errors import DaemonError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import Live
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.channel import open_channel
from gym_gui.rpc.codec import encode_batch
from gym_gui.rpc.trainer_pb2_grpc import TrainerServiceStub
from gym_gui.services.trainer.decoding import BATCH_LINES, ChannelDecoder, batches_of
from gym_gui.services.trainer.files import machine_went_down, read_json, worker_has_ended
from gym_gui.services.trainer.foreign_lane import ForeignLane
from gym_gui.services.trainer.frame_feed import FrameFeed
from gym_gui.services.trainer.keeping import Keeping, RejectedLines, Rooms, rooms
from gym_gui.services.trainer.progress import BUSY_EXIT, Progress, beat, proxy_lock
from gym_gui.services.trainer.spool import (
    ChannelTail,
    Lines,
    PrintedRecords,
    StdoutTail,
    Tail,
    channel_folders,
)
from gym_gui.telemetry.batch import RecordBatch

WINDOW = 64  # batches that may be without an acknowledgement
POLL_S = 0.03
HOUSE_S = 1.0
RETRY_S = (0.1, 0.5, 1.0, 2.0)


class _Channel:
    """One channel on its way: where it is read, and what the daemon has committed."""

    def __init__(self, tail: Tail, decoder: ChannelDecoder) -> None:
        self.tail = tail
        self.decoder = decoder
        self.committed = 0
        self.greeted = asyncio.Event()
        self.unanswered: deque[tuple[int, int]] = deque()  # of each batch: last_seq, oldest step
        self._pictures: deque[tuple[int, int]] = deque()  # last_seq, oldest file needed after it

    def acknowledge(self, committed: int) -> list[int]:
        """Take note of a mark; return the time of the oldest step of each batch it answers."""
        self.committed = max(self.committed, committed)
        answered = []
        while self.unanswered and self.unanswered[0][0] <= committed:
            answered.append(self.unanswered.popleft()[1])
        return answered

    def sent(self, batch: RecordBatch) -> None:
        """Take note of a batch that is on its way."""
        oldest_ns = batch.steps.time_ns[0] if len(batch.steps) else 0
        self.unanswered.append((batch.last_seq, oldest_ns))
        number = self.decoder.pictures_number
        if not self._pictures or self._pictures[-1][1] != number:
            self._pictures.append((batch.last_seq, number))

    def tidy(self, *, keep_segments: bool) -> None:
        """Delete what is committed: raw pictures always, segments unless they are to be kept."""
        while self._pictures and self._pictures[0][0] <= self.committed:
            self.tail.trim_pictures(self._pictures.popleft()[1])
        if not keep_segments:
            self.tail.trim(self.committed)

    def close(self) -> None:
        self.tail.close()
        self.decoder.close()


class Proxy:
    """Sends one run's spool. ``run`` returns when all is committed and the worker has ended."""

    def __init__(self, run_dir: RunDir, address: str) -> None:
        self.run_dir = run_dir
        self.address = address
        self.stopping = asyncio.Event()
        self.prints = PrintedRecords(run_dir.stdout)
        self.progress = Progress(run_dir.proxy)
        self.keeping = Keeping(run_dir)
        self._rejects = RejectedLines(run_dir.rejected)

    async def run(self) -> None:
        """Publish until the end; begin again behind the committed mark when the daemon goes."""
        attempt = 0
        while not self.stopping.is_set():
            self.keep_well()
            try:
                async with open_channel(self.address) as channel:
                    if await self._serve(TrainerServiceStub(channel)):
                        self.progress.done = True
                        return
                attempt = 0
            except DaemonError as error:
                sys.stderr.write(f"gym-gui: {error}\n")  # tried again; the daemon may come back
            except aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.NOT_FOUND:
                    raise SystemExit(f"gym-gui: {error.details()}") from error
            with contextlib.suppress(TimeoutError):
                pause_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                await asyncio.wait_for(self.stopping.wait(), pause_s)
            attempt += 1

    async def _serve(self, stub: TrainerServiceStub) -> bool:
        """Publish, and meanwhile feed whoever watches from far away; as ``_Publishing.run``."""
        feed = FrameFeed(self.run_dir.run_id, self._ring_dir(), stub)
        feeding = asyncio.create_task(feed.run())
        try:
            return await _Publishing(self, stub).run()
        finally:
            feeding.cancel()
            for error in await asyncio.gather(feeding, return_exceptions=True):
                if isinstance(error, Exception) and not isinstance(error, aio.AioRpcError):
                    sys.stderr.write(f"gym-gui: the live feed ended: {error!r}\n")

    def _ring_dir(self) -> Path:
        return Path((read_json(self.run_dir.tap_config) or {}).get("ring_dir", ""))

    def keep_well(self) -> None:
        """Say that the proxy is well, and what it has got done; once a second is enough."""
        beat(self.run_dir)
        self.progress.write()

    def close(self) -> None:
        self.progress.write()
        self._rejects.close()

    def reject(self, channel: str, seq: int, line: bytes, reason: str) -> None:
        """Set a bad line aside, with the reason."""
        self._rejects.add(channel, seq, line, reason)


class _Publishing:
    """One connection's worth of publishing."""

    def __init__(self, proxy: Proxy, stub: TrainerServiceStub) -> None:
        self.proxy = proxy
        self.run_id = proxy.run_dir.run_id
        self.channels: dict[str, _Channel] = {}
        self._credit = asyncio.Semaphore(WINDOW)
        self._call = stub.PublishRunSteps()
        self._complete = False
        self._rooms = Rooms()
        self._writing = asyncio.Lock()
        self.lane: ForeignLane | None = None

    async def run(self) -> bool:
        """Return True when the run is over and committed, False when asked to stop."""
        answers = asyncio.create_task(self._take_answers())
        house = asyncio.create_task(self._keep_house())
        try:
            sending = asyncio.create_task(self._send_all())
            tasks = {sending, answers, house}
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if sending not in done:  # the daemon ended the call
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                return False
            house.cancel()
            await asyncio.gather(house, return_exceptions=True)
            await self._call.done_writing()
            await answers
            return self._complete
        finally:
            answers.cancel()
            house.cancel()
            await asyncio.gather(answers, house, return_exceptions=True)
            for channel in self.channels.values():
                channel.close()
            self._call.cancel()

    async def _take_answers(self) -> None:
        async for answer in self._call:
            channel = self.channels[answer.channel]
            for oldest_ns in channel.acknowledge(answer.committed):
                self._credit.release()
                self.proxy.progress.acknowledged(oldest_ns)
            channel.greeted.set()

    async def _send_all(self) -> None:
        while not self.proxy.stopping.is_set():
            # Asked before reading: nothing comes after it.
            ended = worker_has_ended(self.proxy.run_dir.supervisor)
            await self._open_new_channels()
            sent = 0
            for channel in list(self.channels.values()):
                sent += await self._send(channel)
            if self.lane is not None:
                self.lane.show()
            if not sent and ended:
                await self._send_last_words()
                await self._all_committed()
                await self._tell_rooms()
                await asyncio.to_thread(self._tidy)
                self._complete = True
                return
            if sent < BATCH_LINES:  # let a batch's worth come together
                await asyncio.sleep(POLL_S)

    async def _keep_house(self) -> None:
        """Once a second, also while the daemon takes nothing: delete, report, say that it lives."""
        while True:
            await asyncio.to_thread(self.proxy.keep_well)
            await asyncio.to_thread(self._tidy)
            await self._tell_rooms()
            await asyncio.sleep(HOUSE_S)

    async def _tell_rooms(self) -> None:
        found = await asyncio.to_thread(rooms, self.proxy.run_dir)
        if found != self._rooms:
            self._rooms = found
            said = pb.Condition(run_id=self.run_id, room=found.state, dropped=found.dropped)
            await self._write(pb.Publication(condition=said))

    async def _write(self, message: pb.Publication) -> None:
        async with self._writing:  # a call takes one message at a time
            await self._call.write(message)

    def _tidy(self) -> None:
        keep = self.proxy.keeping.keeps_segments()
        for channel in list(self.channels.values()):
            channel.tidy(keep_segments=keep)

    async def _open_new_channels(self) -> None:
        tails: list[Tail] = [
            ChannelTail(folder)
            for folder in channel_folders(self.proxy.run_dir.spool)
            if folder.name not in self.channels
        ]
        if StdoutTail.channel not in self.channels and self.proxy.prints.found():
            self.lane = self._foreign_lane()
            tails.append(StdoutTail(self.proxy.run_dir.stdout, self.lane))
        for tail in tails:
            await self._greet(tail)

    def _foreign_lane(self) -> ForeignLane | None:
        config = read_json(self.proxy.run_dir.tap_config) or {}
        if not config.get("ring_dir") or config.get("live") == Live.OFF.value:
            return None
        return ForeignLane(self.run_id, config["ring_dir"], channel=StdoutTail.channel)

    async def _greet(self, tail: Tail) -> None:
        name = tail.channel
        decoder = ChannelDecoder(
            tail,
            run_id=self.run_id,
            reject=lambda seq, line, why: self.proxy.reject(name, seq, line, why),
        )
        channel = self.channels[name] = _Channel(tail, decoder)
        await self._write(pb.Publication(hello=pb.Hello(run_id=self.run_id, channel=name)))
        await channel.greeted.wait()
        decoder.resume(channel.committed)
        tail.seek(channel.committed)

    async def _send(self, channel: _Channel) -> int:
        found = channel.tail.read()
        if found is None:
            return 0
        await self._send_lines(channel, found)
        return len(found.lines)

    async def _send_lines(self, channel: _Channel, found: Lines) -> None:
        for part in batches_of(found):
            await self._send_batch(channel, *channel.decoder.decode(part))

    async def _send_batch(self, channel: _Channel, batch: RecordBatch | None, bad: int) -> None:
        if batch is not None:
            await self._credit.acquire()
            channel.sent(batch)
            await self._write(pb.Publication(batch=encode_batch(batch, rejected=bad)))

    async def _send_last_words(self) -> None:
        """Send what a worker that died still held; a line it broke off is no record: say so."""
        went_down = machine_went_down(read_json(self.proxy.run_dir.supervisor))
        for name, channel in self.channels.items():
            torn = channel.tail.torn()
            try:
                for line in channel.tail.left_behind(channel.decoder.next_seq):
                    await self._send_lines(channel, Lines([line]))
                    torn = b"" if line.startswith(torn) else torn
            except ValueError as error:
                self.proxy.reject(name, channel.decoder.next_seq, b"", str(error))
            last = channel.decoder.last(torn, went_down=went_down)
            await self._send_batch(channel, *last)

    async def _all_committed(self) -> None:
        for _ in range(WINDOW):
            await self._credit.acquire()


@contextlib.asynccontextmanager
async def _serving(run_dir: RunDir) -> AsyncIterator[bool]:
    """Hold the run's proxy lock; False when another proxy holds it."""
    descriptor = os.open(proxy_lock(run_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


async def _main(run_dir: RunDir, address: str) -> int:
    async with _serving(run_dir) as alone:
        if not alone:
            return BUSY_EXIT
        proxy = Proxy(run_dir, address)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, proxy.stopping.set)
        try:
            await proxy.run()
        finally:
            proxy.close()
        return int(proxy.stopping.is_set())


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--address", required=True)
    options = parser.parse_args()
    sys.exit(asyncio.run(_main(RunDir(options.run_dir), options.address)))


if __name__ == "__main__":
    main()
