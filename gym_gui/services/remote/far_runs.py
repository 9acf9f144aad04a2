"""What a window does for runs that are elsewhere: their rings and their list, mirrored here."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord, RunState
from gym_gui.services.trainer.launchers.base import LOCAL

SAVE_S = 1.0  # how often the list is written
_SHOWS = (RunState.RUNNING, RunState.PAUSED)


class FarRuns:
    """Lives in one event loop. ``open`` with each connection, ``close`` at its end; twice is safe.

    is_far: all runs are of another machine. Otherwise only those that a cluster runs are mirrored.
    """

    def __init__(self, data_dir: DataDir, *, is_far: bool) -> None:
        self._data_dir = data_dir
        self._is_far = is_far
        self._client: Any = None
        self._mirrors: dict[str, asyncio.Task[None]] = {}
        self._unsaved: dict[str, RunRecord] = {}
        self._saving: asyncio.Task[None] | None = None

    async def open(self, client: Any) -> list[str]:
        """Begin with a connection; return the runs known here that are gone there."""
        self._client = client
        if not self._is_far:
            return []
        records = await client.list_runs()
        self._unsaved = {record.run_id: record for record in records}
        self._saving = asyncio.create_task(self._save_now_and_then())
        return await asyncio.to_thread(self._copied().keep_only, list(self._unsaved))

    async def close(self) -> None:
        """Let go of rings and list."""
        tasks = list(self._mirrors.values())
        self._mirrors.clear()
        if self._saving is not None:
            tasks.append(self._saving)
            self._saving = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def note(self, record: RunRecord) -> None:
        """Take up what is new about a run."""
        if self._is_far:
            self._unsaved[record.run_id] = record
        elif record.spec.launcher == LOCAL:
            return
        task = self._mirrors.get(record.run_id)
        if record.state in _SHOWS and (task is None or task.done()):
            self._mirrors[record.run_id] = asyncio.create_task(self._mirror(record.run_id))
        elif record.state.is_final and task is not None:
            self._mirrors.pop(record.run_id).cancel()

    async def fetch(self, client: Any, run_id: str) -> None:
        """Bring the run's files here, if they are elsewhere."""
        if self._is_far:
            from gym_gui.services.remote.copies import fetch_run

            await fetch_run(client, run_id, self._data_dir)

    async def forget(self, run_id: str) -> None:
        """Remove the copy of a run that was deleted."""
        if self._is_far:
            self._unsaved.pop(run_id, None)
            await asyncio.to_thread(self._copied().forget, run_id)

    async def _mirror(self, run_id: str) -> None:
        from gym_gui.services.remote.ring_mirror import RingMirror

        with contextlib.suppress(GymGuiError):  # the connection is gone; the next one begins anew
            await RingMirror(self._client, run_id, self._data_dir.ring_dir).run()

    async def _save_now_and_then(self) -> None:
        copied = self._copied()
        while True:
            if self._unsaved:
                records, self._unsaved = list(self._unsaved.values()), {}
                with contextlib.suppress(GymGuiError):  # shown all the same, from memory
                    await asyncio.to_thread(copied.put, records)
            await asyncio.sleep(SAVE_S)

    def _copied(self) -> Any:
        from gym_gui.services.remote.copies import CopiedRegistry

        return CopiedRegistry(self._data_dir)
