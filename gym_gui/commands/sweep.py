"""``gym-gui run --sweep``: many runs of one script, submitted together."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

import click

from gym_gui.commands.common import print_json
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord, RunSpec, RunState


def run_sweep(data_dir: DataDir, specs: Sequence[RunSpec], *, wait: bool, as_json: bool) -> int:
    """Submit all ``specs``; with ``wait``, follow them to their ends and say how each went.

    Returns 0 when all that was waited for finished, else 1. An interrupt stops what still goes on.
    """
    ended = asyncio.run(_submit(data_dir, specs, wait=wait, quiet=as_json))
    if as_json:
        print_json([_told(spec, ended.get(spec.run_id)) for spec in specs])
    elif not wait:
        click.echo("\n".join(spec.run_id for spec in specs))
    states = {record.state for record in ended.values()}
    return 0 if states <= {RunState.FINISHED} else 1


async def _submit(
    data_dir: DataDir, specs: Sequence[RunSpec], *, wait: bool, quiet: bool
) -> dict[str, RunRecord]:
    from gym_gui.services.trainer.client import TrainerClient
    from gym_gui.services.trainer.daemon import ensure_daemon

    address = await asyncio.to_thread(ensure_daemon, data_dir.create())
    ended: dict[str, RunRecord] = {}
    async with TrainerClient(address) as client:
        for spec in specs:
            await client.submit_run(spec, os.environ)
        if not wait:
            return ended
        waiting = {spec.run_id for spec in specs}
        tasks: set[asyncio.Task[Any]] = set()

        def stop_all() -> None:
            tasks.update(asyncio.ensure_future(client.cancel_run(run_id)) for run_id in waiting)

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, stop_all)
        try:
            async for record in client.watch_runs():
                if record.run_id in waiting and record.state.is_final:
                    waiting.discard(record.run_id)
                    ended[record.run_id] = record
                    if not quiet:
                        _say(record, left=len(waiting))
                if not waiting:
                    break
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            await asyncio.gather(*tasks)
    return ended


def _say(record: RunRecord, *, left: int) -> None:
    best = "" if record.best_return is None else f", best return {record.best_return:g}"
    click.echo(
        f"{record.spec.name}: {record.state.value}, {record.steps:,} steps{best}"
        f"{'; ' + record.cause if record.cause else ''}   ({left} left)"
    )


def _told(spec: RunSpec, record: RunRecord | None) -> dict[str, Any]:
    told: dict[str, Any] = {"run_id": spec.run_id, "name": spec.name, "group": spec.group}
    if record is not None:
        told |= {"state": record.state.value, "steps": record.steps, "best": record.best_return}
    return told
