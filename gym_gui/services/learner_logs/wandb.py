"""W&B's offline file ``run-<id>.wandb``: its history, also while it is being written.

A header of 7 bytes (``:W&B``, a magic number, a version), then LevelDB's log format: blocks of
32 KiB (the header counts into the first), in them chunks of checksum (u32), length (u16) and kind
(1 whole, 2 first, 3 middle, 4 last), which join to records: ``wandb_internal_pb2.Record``.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import struct
import time
from pathlib import Path
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import wire
from gym_gui.services.learner_logs.places import told_places, was_running
from gym_gui.services.learner_logs.points import Points

HEADER = 7
BLOCK = 32 * 1024
AT_ONCE = 8 << 20  # bytes read in one go
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_HISTORY, _RUN, _EXIT = 2, 17, 18  # fields of Record


class OfflineRun:
    """One file of a run. ``update()`` reads what was appended since.

    page: the run's page, where the run told of it (online); its file is then the same.
    """

    def __init__(self, path: Path, page: str = "") -> None:
        self.path = path
        self.page = page
        self.history: dict[str, Points] = {}
        self.run_id = self.entity = self.project = self.name = ""
        self.finished = False
        self.damaged = 0  # records that could not be read
        self._offset = HEADER
        self._parts: list[bytes] = []

    @property
    def synced(self) -> bool:
        """Tell whether ``wandb sync`` has sent this file: it leaves a mark beside it."""
        return self.path.with_suffix(".wandb.synced").exists()

    @property
    def is_online(self) -> bool:
        """Tell whether it is sent to W&B as it trains."""
        return bool(self.page) or not self.path.parent.name.startswith("offline-")

    def unread_whole(self) -> int:
        """Return how many bytes wait that a next ``update`` would read; half a record does not."""
        left = self.path.stat().st_size - self._offset
        return left if left >= AT_ONCE // 2 else 0

    @property
    def sync_command(self) -> str:
        """Return the command that sends this run to W&B. Nothing is sent unless it is run."""
        return f"wandb sync {shlex.quote(str(self.path.parent))}"

    @property
    def url(self) -> str:
        """Return the run's page, where it is known and the run has been sent; else nothing."""
        if self.page:
            return self.page
        is_there = self.is_online or self.synced
        if not (is_there and self.entity and self.project and self.run_id):
            return ""
        return f"https://wandb.ai/{self.entity}/{self.project}/runs/{self.run_id}"

    def update(self) -> bool:
        """Read at most ``AT_ONCE`` bytes; True when there was something new.

        Raises ValueError when the file is not W&B's.
        """
        with open(self.path, "rb") as file:
            if not file.read(4).startswith(b":W&B"[: max(1, self.path.stat().st_size)]):
                raise ValueError(f"{self.path} is no offline file of W&B")
            file.seek(self._offset)
            data = file.read(AT_ONCE)
        before = self._offset
        self._read_chunks(data)
        return self._offset > before

    def _read_chunks(self, data: bytes) -> None:
        base = self._offset
        position = 0
        while True:
            left = BLOCK - (base + position) % BLOCK
            if left < 7:  # the rest of a block, too short for a chunk
                position += left
                continue
            if position + 7 > len(data):
                break
            _, length, kind = struct.unpack_from("<IHB", data, position)
            if kind == 0 and length == 0:
                break  # room that is not written yet
            if position + 7 + length > len(data):
                break
            self._join(kind, data[position + 7 : position + 7 + length])
            position += 7 + length
        self._offset = base + min(position, len(data))

    def _join(self, kind: int, part: bytes) -> None:
        if kind in (_WHOLE, _FIRST):
            self._parts = []
        self._parts.append(part)
        if kind in (_WHOLE, _LAST):
            record, self._parts = b"".join(self._parts), []
            try:
                self._take(record)
            except ValueError:
                self.damaged += 1

    def _take(self, record: bytes) -> None:
        for number, _, value in wire.fields(record):
            if not isinstance(value, bytes):
                continue
            if number == _HISTORY:
                self._take_history(value)
            elif number == _RUN:
                self._take_run(value)
            elif number == _EXIT:
                self.finished = True

    def _take_run(self, message: bytes) -> None:
        names = {1: "run_id", 2: "entity", 3: "project", 8: "name"}
        for number, _, value in wire.fields(message):
            if number in names and isinstance(value, bytes):
                setattr(self, names[number], value.decode("utf-8", "replace"))

    def _take_history(self, message: bytes) -> None:
        step, items = 0, []
        for number, _, value in wire.fields(message):
            if number == 1 and isinstance(value, bytes):
                items.append(_item(value))
            elif number == 2 and isinstance(value, bytes):
                step = next((v for n, _, v in wire.fields(value) if n == 1), 0)
        wall_s = next((value for key, value in items if key == "_timestamp"), 0.0)
        for key, value in items:
            for name, number in _numbers(key, value):
                points = self.history.setdefault(name, Points())
                points.add(int(step), number, float(wall_s or 0.0))  # type: ignore[arg-type]


def _item(message: bytes) -> tuple[str, Any]:
    """Return key and value of one item of the history; None for what is no number."""
    key, nested, found = "", [], None
    for number, kind, value in wire.fields(message):
        if number == 1 and isinstance(value, bytes):
            key = value.decode("utf-8", "replace")
        elif number == 2 and isinstance(value, bytes):
            nested.append(value.decode("utf-8", "replace"))
        elif number == 5 and isinstance(value, int):
            found = wire.signed(value)
        elif number == 6 and kind == wire.FIXED64 and isinstance(value, bytes):
            found = wire.real(value)
        elif number in (8, 16) and isinstance(value, bytes):
            with contextlib.suppress(ValueError):
                found = json.loads(value)
    return key or ".".join(nested), found


def _numbers(key: str, value: Any) -> list[tuple[str, float]]:
    if key.startswith("_") or isinstance(value, bool):
        return []
    if isinstance(value, (int, float)):
        return [(key, float(value))]
    if isinstance(value, dict) and "_type" not in value:
        return [pair for name, inner in value.items() for pair in _numbers(f"{key}.{name}", inner)]
    return []


def find_offline_runs(spec: RunSpec, run_dir: RunDir) -> list[OfflineRun]:
    """Return the files of W&B that this run wrote, newest first. Does I/O.

    They are those its tap told of; without that, they are looked for where it worked: what was
    begun before the run or after it is another's.
    """
    told = [
        OfflineRun(path, place.url)
        for place in told_places(run_dir, "wandb")
        for path in sorted(place.path.glob("run-*.wandb"))
    ]
    return told or [OfflineRun(path) for path in _look_for_files(spec, run_dir)]


def _look_for_files(spec: RunSpec, run_dir: RunDir) -> list[Path]:
    found: dict[Path, int] = {}
    for root in (Path(spec.cwd), run_dir.root / "files"):
        offline, online = ("wandb/offline-run-*/run-*.wandb", "wandb/run-*/run-*.wandb")
        for path in (*root.glob(offline), *root.glob(online)):
            if was_running(spec, run_dir, _began_ns(path)):
                found[path] = path.stat().st_mtime_ns
    return sorted(found, key=lambda path: -found[path])


def _began_ns(path: Path) -> int:
    """Return when a run of W&B was begun, from its folder ``…run-<local date>_<time>-<id>``."""
    words = path.parent.name.partition("run-")[2].split("-")
    try:
        return int(time.mktime(time.strptime(words[0], "%Y%m%d_%H%M%S"))) * 1_000_000_000
    except (ValueError, OverflowError):
        return path.stat().st_mtime_ns
