"""The other end of the window's load: a run that never ends, served as a daemon would.

``python -m gym_gui.bench.window_stream FOLDER RUN_ID STEPS_PER_S STEPS_A_BATCH``

The daemon's own servicer, bus and codec, on the data folder's Unix socket; only the batches are
made here instead of coming from a proxy. Each batch carries what 200-step episodes of a PPO
would: steps with eight floats seen, an episode for every 200, nine metrics, a line of the log.
Publishes between the lines ``go`` and ``stop`` of its standard input; says then what it has sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from grpc import aio

from gym_gui.core.paths import DataDir
from gym_gui.core.records import STEP_TERMINATED, EpisodeRecord, RunRecord
from gym_gui.rpc.channel import OPTIONS
from gym_gui.rpc.trainer_pb2_grpc import add_TrainerServiceServicer_to_server
from gym_gui.services.telemetry import TelemetryService
from gym_gui.services.trainer.daemon import daemon_address
from gym_gui.services.trainer.runs import RunManager
from gym_gui.services.trainer.service import TrainerService
from gym_gui.telemetry.batch import LogEntry, MetricEntry, RecordBatch, StepColumns

EPISODE = 200  # steps
TOTALS_S = 0.5
METRICS = (
    "charts/learning_rate", "losses/value_loss", "losses/policy_loss", "losses/entropy",
    "losses/old_approx_kl", "losses/approx_kl", "losses/clipfrac", "losses/explained_variance",
    "charts/SPS",
)  # fmt: skip
SEEN = [json.dumps([n + k / 7 for k in range(8)], separators=(",", ":")) for n in range(EPISODE)]


class Runs(RunManager):
    """A daemon's runs, of which one is made here and has no processes."""

    record: RunRecord

    async def start(self) -> None:
        """Take up nothing: there is no supervisor to follow."""

    async def list_runs(self) -> list[RunRecord]:
        return [self.record]

    def tell_totals(self, steps: int) -> None:
        """Let watchers know how far the run is."""
        self.record.steps, self.record.episodes = steps, steps // EPISODE
        self._tell(self.record, urgent=False)


class Stream:
    """Makes the batches. sent: steps published so far."""

    def __init__(self, run_id: str, size: int) -> None:
        self._run_id, self._size = run_id, size
        self.sent = self.batches = 0
        self._seen = [SEEN[n % EPISODE] for n in range(size)]

    def next(self) -> RecordBatch:
        """Return the next batch, of ``size`` steps."""
        size, first = self._size, self.sent
        now = time.time_ns()
        numbers = range(first, first + size)
        self.sent += size
        self.batches += 1
        ends = [n for n in numbers if n % EPISODE == EPISODE - 1]
        batch = RecordBatch("w0", first + 1, first + size, run_id=self._run_id, stream_ids={0: 0})
        batch.steps = StepColumns(
            stream=[0] * size,
            index=numbers,
            episode=[n // EPISODE for n in numbers],
            step=[n % EPISODE for n in numbers],
            action=[n & 1 for n in numbers],
            reward=[(n % 97) / 97 for n in numbers],
            flags=[STEP_TERMINATED * (n % EPISODE == EPISODE - 1) for n in numbers],
            time_ns=[now] * size,
            observation=self._seen,
        )
        batch.episodes = [
            EpisodeRecord(0, n // EPISODE, EPISODE, n % 1009 / 10, True, False, now, now)
            for n in ends
        ]
        batch.metrics = [MetricEntry(first + 1, name, first % 1013, first, now) for name in METRICS]
        batch.logs = [LogEntry(first + 1, "info", f"update {self.batches}, {first} steps", now)]
        return batch


async def _publish(runs: Runs, stream: Stream, interval_s: float) -> None:
    due = time.monotonic()
    told = 0.0
    while True:
        runs.telemetry.bus.publish(stream.next())
        due += interval_s
        if due - told > TOTALS_S:
            told = due
            runs.tell_totals(stream.sent)
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()


async def _drained(runs: Runs) -> dict[str, Any]:
    """Wait until every subscriber has been given what was kept for it; return its counters."""
    while True:
        subscribers = runs.telemetry.bus.statistics()
        if not any(one.depth for one in subscribers):
            return {"skipped_by_server": sum(one.skipped_steps for one in subscribers)}
        await asyncio.sleep(0.01)


async def _serve(data_dir: DataDir, run_id: str, rate: float, size: int) -> None:
    address = daemon_address(data_dir)
    runs = Runs(data_dir, TelemetryService(data_dir), address.target)
    runs.record = await asyncio.to_thread(runs._registry.get, run_id)
    server = aio.server(options=OPTIONS)
    add_TrainerServiceServicer_to_server(TrainerService(runs), server)
    server.add_insecure_port(address.target)
    await server.start()
    _say({"ready": True})
    stream = Stream(run_id, size)
    publishing: asyncio.Task[None] | None = None
    async for word in _lines():
        if word == "go":
            publishing = asyncio.create_task(_publish(runs, stream, size / rate))
        elif publishing is not None:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            _say({"sent": stream.sent, "batches": stream.batches, **await _drained(runs)})
    await server.stop(grace=0.2)
    await runs.close()


def _say(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def main(folder: str, run_id: str, steps_per_s: str, steps_a_batch: str) -> None:
    """Serve until standard input ends."""
    asyncio.run(_serve(DataDir(folder), run_id, float(steps_per_s), int(steps_a_batch)))


if __name__ == "__main__":
    main(*sys.argv[1:])
