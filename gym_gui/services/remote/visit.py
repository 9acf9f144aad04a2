"""One command's dealings with a far daemon: connect, bring what is needed here, go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gym_gui.core.errors import GymGuiError
from gym_gui.services.remote.copies import CopiedRegistry, Progress, fetch_run
from gym_gui.services.remote.sources import FarDataDir
from gym_gui.services.trainer.client import TrainerClient

Value = TypeVar("Value")


def visit(data_dir: FarDataDir, call: Callable[[TrainerClient], Awaitable[Value]]) -> Value:
    """Return what ``call`` answers on a connection of its own. Raises GymGuiError."""

    async def run() -> Value:
        data_dir.create()
        endpoint = await asyncio.to_thread(data_dir.source.connect)
        try:
            async with TrainerClient(endpoint) as client:
                await client.health()
                return await call(client)
        except GymGuiError as error:
            raise data_dir.source.explain(error) from error

    try:
        return asyncio.run(run())
    finally:
        data_dir.source.close()


def refresh(data_dir: FarDataDir) -> None:
    """Bring the list of runs here."""

    async def bring(client: TrainerClient) -> None:
        records = await client.list_runs()
        copied = CopiedRegistry(data_dir)
        await asyncio.to_thread(copied.keep_only, [record.run_id for record in records])
        await asyncio.to_thread(copied.put, records)

    visit(data_dir, bring)


def fetch(data_dir: FarDataDir, run_id: str, *, progress: Progress | None = None) -> None:
    """Bring one run's files here."""

    async def bring(client: TrainerClient) -> None:
        await fetch_run(client, run_id, data_dir, progress=progress)

    visit(data_dir, bring)
