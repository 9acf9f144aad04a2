"""Local copies of far runs: their files, and the list of them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import zstandard

from gym_gui.core.errors import GymGuiError, ProtocolError, RunNotFoundError
from gym_gui.core.paths import DataDir, RunDir, private_dir
from gym_gui.core.records import RunRecord, RunState
from gym_gui.services.registry import RunRegistry
from gym_gui.services.trainer.client import TrainerClient
from gym_gui.services.trainer.files import read_json, write_json

Progress = Callable[[int, int], None]  # bytes so far, of how many
FILES = frozenset({"run.json", "stdout.log", "stderr.log", "telemetry.sqlite"})
_MARK = "copy.json"


async def fetch_run(
    client: TrainerClient, run_id: str, data_dir: DataDir, *, progress: Progress | None = None
) -> RunDir:
    """Bring the run's files here as they are now; what is the same already is not sent again.

    Each file is replaced when its copy is whole: a broken connection leaves the last copy.
    Raises GymGuiError.
    """
    run_dir = data_dir.run(run_id)
    private_dir(run_dir.root)
    known = (read_json(run_dir.root / _MARK) or {}).get("mark", "")
    receiving = _Receiving(run_dir, progress)
    try:
        async for chunk in client.fetch_run(run_id, have=known):
            await asyncio.to_thread(receiving.take, chunk)
    finally:
        await asyncio.to_thread(receiving.close)
    return run_dir


class _Receiving:
    def __init__(self, run_dir: RunDir, progress: Progress | None) -> None:
        self._root = run_dir.root
        self._progress = progress
        self._mark = ""
        self._name = ""
        self._file: BinaryIO | None = None
        self._unpacker = zstandard.ZstdDecompressor().decompressobj()
        self._so_far = self._size = 0

    def take(self, chunk) -> None:
        if chunk.mark:
            self._mark = chunk.mark
            return
        if chunk.name not in FILES:
            raise ProtocolError(f"The daemon sent a file {chunk.name!r}, which is none of a run.")
        if self._file is None:
            self._begin(chunk.name, chunk.size_bytes)
        assert self._file is not None
        data = self._unpacker.decompress(chunk.data)
        self._so_far += len(data)
        if self._so_far > self._size:
            raise ProtocolError(f"The daemon sent more of {chunk.name} than it said.")
        self._file.write(data)
        if self._progress is not None:
            self._progress(self._so_far, self._size)
        if chunk.is_last:
            self._end()

    def _begin(self, name: str, size: int) -> None:
        self._name, self._size, self._so_far = name, size, 0
        self._unpacker = zstandard.ZstdDecompressor().decompressobj()
        self._part.unlink(missing_ok=True)
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")

    def _end(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        for suffix in ("-wal", "-shm"):  # a reader of the copy before may have left them
            (self._root / f"{self._name}{suffix}").unlink(missing_ok=True)
        os.replace(self._part, self._root / self._name)
        if self._name == "telemetry.sqlite":
            write_json(self._root / _MARK, {"mark": self._mark})

    @property
    def _part(self) -> Path:
        return self._root / f".{self._name}.part"

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._part.unlink(missing_ok=True)


class CopiedRegistry:
    """The list of far runs, kept here so that it is shown before anybody has answered."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def keep_only(self, run_ids: Iterable[str]) -> list[str]:
        """Forget the runs that are not there any more; return their ids."""
        wanted = set(run_ids)
        with RunRegistry(self._data_dir) as registry:
            gone = [run.run_id for run in registry.list() if run.run_id not in wanted]
        for run_id in gone:
            self.forget(run_id)
        return gone

    def put(self, records: Iterable[RunRecord]) -> None:
        """Take over what is known of these runs."""
        with RunRegistry(self._data_dir) as registry:
            for record in records:
                passing = ("run_id", "trouble")
                values = {key: value for key, value in vars(record).items() if key not in passing}
                try:
                    registry.update(record.run_id, **values)
                except RunNotFoundError:
                    registry.add(values.pop("spec"), **values)

    def forget(self, run_id: str) -> None:
        """Remove a run and the copy of its files."""
        folder = self._data_dir.run(run_id).root
        with RunRegistry(self._data_dir) as registry:
            try:
                registry.update(run_id, state=RunState.FINISHED)
                registry.delete(run_id)
            except GymGuiError:
                shutil.rmtree(folder, ignore_errors=True)
