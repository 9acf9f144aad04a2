"""Live steps to a reader that is too slow: what it is not given is counted for it."""

from __future__ import annotations

import asyncio

from grpc import aio
from store_samples import steps_batch

from gym_gui.core.paths import DataDir
from gym_gui.rpc.trainer_pb2_grpc import add_TrainerServiceServicer_to_server
from gym_gui.services.telemetry import TelemetryService
from gym_gui.services.trainer.client import TrainerClient
from gym_gui.services.trainer.daemon import daemon_address
from gym_gui.services.trainer.runs import RunManager
from gym_gui.services.trainer.service import TrainerService

STEPS = 10  # of a batch


async def _flood(data_dir: DataDir, batches: int) -> tuple[int, int, list[int]]:
    """Publish without a pause; return steps delivered, steps skipped, and the last indices."""
    address = daemon_address(data_dir)
    runs = RunManager(data_dir, TelemetryService(data_dir), address.target)
    server = aio.server()
    add_TrainerServiceServicer_to_server(TrainerService(runs), server)
    server.add_insecure_port(address.target)
    await server.start()
    bus = runs.telemetry.bus
    delivered = skipped = 0
    async with TrainerClient(address) as client:
        steps = client.stream_steps("run-1")
        first = asyncio.ensure_future(anext(steps))
        while not bus.statistics():
            await asyncio.sleep(0.01)
        for number in range(batches):
            batch = steps_batch(number * STEPS, STEPS)
            batch.run_id, batch.stream_ids = "run-1", {0: 0}
            bus.publish(batch)
        live = await first
        while True:
            delivered += len(live.content)
            skipped += live.skipped
            if live.content.index[-1] == batches * STEPS - 1:
                break
            live = await anext(steps)
        await steps.aclose()
    await server.stop(grace=0)
    await runs.close()
    return delivered, skipped, list(live.content.index)


def test_of_a_flood_the_newest_arrive_and_the_rest_is_counted(data_dir):
    delivered, skipped, last = asyncio.run(_flood(data_dir.create(), 500))
    assert delivered + skipped == 500 * STEPS
    assert skipped > 0
    assert last == list(range(4990, 5000))


def test_a_reader_that_keeps_up_misses_nothing(data_dir):
    delivered, skipped, _ = asyncio.run(_flood(data_dir.create(), 20))
    assert (delivered, skipped) == (20 * STEPS, 0)
