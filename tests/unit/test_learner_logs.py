"""TensorBoard's and W&B's files, read as they are written."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import pytest
from store_samples import steps_batch, write

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import (
    EventFolder,
    OfflineRun,
    find_event_folders,
    find_offline_runs,
)


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def history(step: int, **values: object) -> bytes:
    items = b"".join(
        message(1, message(2, key.encode()) + message(16, json.dumps(value).encode()))
        for key, value in values.items()
    )
    return message(2, items + message(2, varint(1 << 3) + varint(step)))


class Writer:
    """Writes W&B's container as its own library does: chunks that never cross a block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b":W&B" + b"\xe1\xbe\x00")

    def add(self, record: bytes) -> None:
        data, first = b"", True
        while record or first:
            left = 32768 - (self.path.stat().st_size + len(data)) % 32768
            if left < 7:
                data += b"\0" * left
                continue
            part, record = record[: left - 7], record[left - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}
            data += struct.pack("<IHB", 0, len(part), kind[first, not record]) + part
            first = False
        with open(self.path, "ab") as file:
            file.write(data)


@pytest.fixture
def offline(tmp_path: Path) -> Writer:
    folder = tmp_path / "wandb" / "offline-run-20260101_000000-abc"
    folder.mkdir(parents=True)
    return Writer(folder / "run-abc.wandb")


def test_an_offline_file_is_read_while_it_grows(offline: Writer) -> None:
    run = OfflineRun(offline.path)
    offline.add(message(17, message(1, b"abc") + message(3, b"project") + message(8, b"name")))
    for step in range(100):
        offline.add(history(step, loss=step / 2, _runtime=1.0))
    assert run.update()
    assert not run.update()
    for step in range(100, 3000):
        offline.add(history(step, loss=step / 2, nested={"x": step}))
    assert run.update()
    assert list(run.history["loss"].step) == list(range(3000))
    assert run.history["loss"].value[-1] == 1499.5
    assert run.history["nested.x"].value[0] == 100.0
    assert set(run.history) == {"loss", "nested.x"}
    assert (run.project, run.name, run.damaged) == ("project", "name", 0)


def test_a_record_larger_than_a_block_is_joined(offline: Writer) -> None:
    offline.add(history(1, text="x" * 100_000, loss=2.0))
    offline.add(history(2, loss=3.0))
    run = OfflineRun(offline.path)
    run.update()
    assert list(run.history["loss"].value) == [2.0, 3.0]


def test_half_a_record_waits_for_the_rest(offline: Writer) -> None:
    offline.add(history(1, loss=2.0))
    whole = offline.path.read_bytes()
    offline.path.write_bytes(whole[:-3])
    run = OfflineRun(offline.path)
    run.update()
    assert run.history == {}
    offline.path.write_bytes(whole)
    run.update()
    assert list(run.history["loss"].value) == [2.0]


def test_the_state_of_the_sync_is_told(offline: Writer) -> None:
    run = OfflineRun(offline.path)
    assert not run.synced
    offline.path.with_suffix(".wandb.synced").touch()
    assert run.synced
    assert run.sync_command == f"wandb sync {offline.path.parent}"


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run-x.wandb"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is no offline file"):
        OfflineRun(path).update()


def test_only_files_of_this_run_are_found(offline: Writer, tmp_path: Path) -> None:
    began = int(time.mktime((2026, 1, 1, 0, 0, 0, 0, 0, -1))) * 10**9
    spec = RunSpec("r", "cleanrl", [], str(tmp_path), created_ns=1)
    run_dir = DataDir(tmp_path / "data").run("r")
    assert [found.path for found in find_offline_runs(spec, run_dir)] == [offline.path]
    spec.created_ns = began + 2 * 10**9
    assert find_offline_runs(spec, run_dir) == []
    spec.created_ns = began - 60 * 10**9
    run_dir.root.mkdir(parents=True)
    for later_s, found in ((-30, []), (30, [offline.path])):
        run_dir.supervisor.write_text(json.dumps({"ended_ns": began + later_s * 10**9}))
        assert [one.path for one in find_offline_runs(spec, run_dir)] == found


@pytest.mark.torch
def test_every_scalar_of_an_event_file_is_read(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    folder = tmp_path / "runs" / "one"
    writer = SummaryWriter(str(folder))
    for step in range(12_000):  # TensorBoard's own accumulator keeps 10,000
        writer.add_scalar("losses/value", step * 0.5, step)
    writer.add_scalar("new", 7.0, 3, new_style=True)
    writer.flush()
    events = EventFolder(folder)
    assert events.update()
    writer.add_scalar("losses/value", -1.0, 12_000)
    writer.close()
    assert events.update()
    points = events.scalars["losses/value"]
    assert list(points.step) == list(range(12_001))
    assert list(points.value[-2:]) == [5999.5, -1.0]
    assert list(events.scalars["new"].value) == [7.0]
    assert events.damaged == 0
    spec = RunSpec("r", "cleanrl", [], str(tmp_path), created_ns=1)
    assert find_event_folders(spec, DataDir(tmp_path / "d").run("r"))[0].folder == folder


def test_event_files_of_other_processes_are_anothers(tmp_path: Path) -> None:
    """Two runs in one folder, of which only the other one writes event files."""
    spec = RunSpec("r", "cleanrl", [], str(tmp_path), created_ns=1)
    run_dir = DataDir(tmp_path / "d").run("r")
    for name in ("one/events.out.tfevents.9.a.host.name.7.0", "two/events.out.tfevents.9.host.8.0"):
        path = tmp_path / "runs" / name
        path.parent.mkdir(parents=True)
        path.touch()
    assert len(find_event_folders(spec, run_dir)) == 2  # no tap: nothing is known of processes
    run_dir.root.mkdir(parents=True)
    write(run_dir.store, steps_batch(0, 1, channel="7-abc"))
    (found,) = find_event_folders(spec, run_dir)
    assert found.folder.name == "one"


def test_a_damaged_event_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    value = message(1, b"tag") + varint(2 << 3 | 5) + struct.pack("<f", 1.5)
    event = varint(2 << 3) + varint(4) + message(5, message(1, value))
    whole = struct.pack("<QI", len(event), 0) + event + b"\0\0\0\0"
    path = tmp_path / "events.out.tfevents.1.host.1.0"
    path.write_bytes(whole + b"\xff" * 40)
    events = EventFolder(tmp_path)
    events.update()
    events.update()
    assert (list(events.scalars["tag"].step), list(events.scalars["tag"].value)) == ([4], [1.5])
    assert events.damaged == 1
