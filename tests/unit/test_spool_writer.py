"""What the spool does when there is no room: as its user chose, counted, and said to everybody."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gym_gui.worker.spool import ROOM_FILE, Room, SpoolWriter

BODY = '"observation":"' + "x" * 480 + '"'


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Refuse every byte beyond ``size`` in any file, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def records(folder: Path) -> list[dict]:
    lines = [
        line
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text().splitlines(True)
    ]
    assert all(line.endswith("\n") for line in lines)
    return [json.loads(line) for line in lines]


def numbers(folder: Path) -> list[int]:
    return [record["seq"] for record in records(folder)]


def test_a_full_disk_stops_the_recording_loudly_and_the_training_goes_on(tmp_path: Path):
    told: list[str] = []
    writer = SpoolWriter(tmp_path, channel="c", on_full=told.append)
    with files_up_to(4096):
        results = [writer.append("step", BODY) for _ in range(30)]
    kept = sum(results)
    assert results == [True] * kept + [False] * (30 - kept)
    assert 0 < kept < 30
    assert writer.append("step", BODY) is False  # what has stopped does not begin again
    assert Room.read(tmp_path / "c" / ROOM_FILE)[0] == Room.STOPPED
    writer.close()
    assert len(told) == 1
    assert "stopped" in told[0]
    assert Room.read(tmp_path / "c" / ROOM_FILE) == (Room.STOPPED, 31 - kept)
    last = records(tmp_path / "c")[-1]
    assert (last["event"], last["count"]) == ("dropped", 31 - kept)
    assert numbers(tmp_path / "c") == list(range(1, kept + 2))


def test_dropping_is_counted_and_ends_by_itself_when_there_is_room(tmp_path: Path):
    told: list[str] = []
    writer = SpoolWriter(tmp_path, channel="c", policy="drop-and-count", on_full=told.append)
    with files_up_to(4096):
        kept = sum(writer.append("step", BODY) for _ in range(30))
    assert Room.read(tmp_path / "c" / ROOM_FILE)[0] == Room.DROPPING
    while not writer.append("step", BODY):
        pass
    assert Room.read(tmp_path / "c" / ROOM_FILE) == (Room.OK, writer.dropped)
    writer.close()
    found = records(tmp_path / "c")
    assert [r["seq"] for r in found] == list(range(1, len(found) + 1))
    assert [r["count"] for r in found if r["type"] == "run"] == [writer.dropped]
    assert len([r for r in found if r["type"] == "step"]) == kept + 1
    assert len(told) == 1


def test_a_run_that_waits_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path):
    seen: list[str] = []
    with ExitStack() as full:

        def make_room(_: float) -> None:
            seen.append(Room.read(tmp_path / "c" / ROOM_FILE)[0])
            full.close()

        writer = SpoolWriter(tmp_path, channel="c", policy="pause-run", sleep=make_room)
        assert all(writer.append("step", BODY) for _ in range(5))
        full.enter_context(files_up_to(100))
        assert all(writer.append("step", BODY) for _ in range(25))
    writer.close()
    found = records(tmp_path / "c")
    assert seen == [Room.WAITING]
    assert len([r for r in found if r["type"] == "step"]) == 30
    assert [r["event"] for r in found if r["type"] == "run"] == ["paused", "resumed"]
    assert [r["seq"] for r in found] == list(range(1, len(found) + 1))
    assert Room.read(tmp_path / "c" / ROOM_FILE) == (Room.OK, 0)


def test_a_spool_at_its_limit_waits_until_its_segments_are_taken_over(tmp_path: Path):
    folder = tmp_path / "c"
    taken: list[dict] = []

    def take_over(_: float) -> None:
        segments = sorted(folder.glob("*.jsonl"))
        for segment in segments[:-1]:
            taken.extend(json.loads(line) for line in segment.read_text().splitlines())
            segment.unlink()

    writer = SpoolWriter(
        tmp_path,
        channel="c",
        policy="pause-run",
        limit_bytes=8_000,
        segment_bytes=2_000,
        sleep=take_over,
    )
    assert all(writer.append("step", BODY) for _ in range(100))
    writer.close()
    found = taken + records(folder)
    assert [r["seq"] for r in found] == list(range(1, len(found) + 1))
    assert len([r for r in found if r["type"] == "step"]) == 100
    assert sum(path.stat().st_size for path in folder.glob("*.jsonl")) < 12_000


@pytest.mark.parametrize("policy", ["keep", "drop-and-count"])
def test_a_spool_at_its_limit_does_not_hold_the_training(tmp_path: Path, policy: str):
    writer = SpoolWriter(
        tmp_path, channel="c", policy=policy, limit_bytes=4_000, segment_bytes=2_000
    )
    results = [writer.append("step", BODY) for _ in range(100)]
    writer.close()
    assert not results[-1]
    assert writer.dropped == results.count(False)
    steps = [r for r in records(tmp_path / "c") if r["type"] == "step"]
    assert len(steps) == results.count(True)


def test_recorded_pictures_wait_for_room_where_the_run_does(tmp_path: Path):
    place = '"stream":0,"episode":0,"step":0,"index":0'
    with ExitStack() as full:
        writer = SpoolWriter(
            tmp_path, channel="c", policy="pause-run", sleep=lambda _: full.close()
        )
        assert writer.append_frame(bytes([0]) * 1500, place)
        full.enter_context(files_up_to(100))
        assert all(writer.append_frame(bytes([n]) * 1500, place) for n in range(1, 5))
    writer.close()
    frames = [r for r in records(tmp_path / "c") if r["type"] == "frame"]
    data = (tmp_path / "c" / "frames-1.bin").read_bytes()
    found = [data[r["offset"] : r["offset"] + r["length"]] for r in frames]
    assert found == [bytes([n]) * 1500 for n in range(5)]
