"""A consistent copy of a run's files as a stream of chunks, also while the run is being written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterator
from pathlib import Path

import apsw
import zstandard

from gym_gui.core.paths import RunDir
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.telemetry.connection import storage_errors

CHUNK_BYTES = 1 << 20
OUTPUT_BYTES = 4 << 20  # of each of the worker's outputs, its end
STORE, SPEC, OUTPUTS = "telemetry.sqlite", "run.json", ("stdout.log", "stderr.log")
LEVEL = 3


async def copy_of(run_dir: RunDir, *, have: str = "") -> AsyncGenerator[pb.FileChunk, None]:
    """Yield the run's files, or only the mark where ``have`` is that already.

    The run's file is copied as SQLite's own backup does it: as of one moment, without holding up
    its writer.
    """
    mark = await asyncio.to_thread(_mark, run_dir)
    yield pb.FileChunk(mark=mark)
    if mark == have:
        return
    chunks = _chunks(run_dir)
    try:
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk
    finally:
        await asyncio.to_thread(chunks.close)


def _mark(run_dir: RunDir) -> str:
    """Return what changes whenever one of the files does."""
    names = (STORE, f"{STORE}-wal", SPEC, *OUTPUTS)
    parts = []
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            status = (run_dir.root / name).stat()
            parts.append(f"{status.st_size:x}.{status.st_mtime_ns:x}")
    return "-".join(parts)


def _chunks(run_dir: RunDir) -> Generator[pb.FileChunk, None, None]:
    for name in (SPEC, *OUTPUTS):
        path = run_dir.root / name
        if path.exists():
            limit = OUTPUT_BYTES if name in OUTPUTS else CHUNK_BYTES
            yield from _file(path, name, skip=max(0, path.stat().st_size - limit))
    if run_dir.store.exists():
        with _backup(run_dir) as copy:
            yield from _file(copy, STORE)


def _file(path: Path, name: str, *, skip: int = 0) -> Iterator[pb.FileChunk]:
    size = path.stat().st_size - skip
    packer = zstandard.ZstdCompressor(level=LEVEL).compressobj()
    with path.open("rb") as file:
        file.seek(skip)
        left, first = size, size
        while left:
            data = file.read(min(CHUNK_BYTES, left))
            if not data:
                break
            left -= len(data)
            packed = packer.compress(data)
            if packed:
                yield pb.FileChunk(name=name, data=packed, size_bytes=first)
                first = 0
    yield pb.FileChunk(name=name, data=packer.flush(), is_last=True, size_bytes=first)


@contextlib.contextmanager
def _backup(run_dir: RunDir) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(prefix=".copy-", suffix=".sqlite", dir=run_dir.root)
    os.close(descriptor)
    path = Path(name)
    try:
        with storage_errors(run_dir.store):
            source = apsw.Connection(str(run_dir.store), flags=apsw.SQLITE_OPEN_READONLY)
            target = apsw.Connection(name)
            try:
                source.set_busy_timeout(5000)
                with target.backup("main", source, "main") as backup:
                    backup.step()
                target.execute("PRAGMA journal_mode=DELETE")
            finally:
                target.close()
                source.close()
        yield path
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
