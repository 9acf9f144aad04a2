"""Reading a damaged spool: what is bad costs itself, what is missing is named, the rest is kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gym_gui.services.trainer.decoding import BATCH_BYTES, ChannelDecoder, batches_of
from gym_gui.services.trainer.spool import LINE_BYTES, ChannelTail, Lines
from gym_gui.telemetry.batch import RecordBatch
from gym_gui.worker.spool import SpoolWriter

STEPS = 60


def step(index: int) -> str:
    return (
        f'"stream":0,"index":{index},"episode":0,"step":{index},"action":0,"reward":1.0,'
        f'"terminated":false,"truncated":false,"observation":[{index}],"time_ns":{index}'
    )


def spool(folder: Path, *, segment_bytes: int = 2000) -> Path:
    writer = SpoolWriter(folder, channel="c", segment_bytes=segment_bytes)
    for index in range(STEPS):
        writer.append("step", step(index))
    writer.close()
    return folder / "c"


class Reader:
    """Reads a channel to its end, as the proxy does."""

    def __init__(self, folder: Path, *, committed: int = 0) -> None:
        self.rejected: list[str] = []
        self.batches: list[RecordBatch] = []
        tail = ChannelTail(folder)
        decoder = ChannelDecoder(
            tail, run_id="r", reject=lambda seq, line, why: self.rejected.append(why)
        )
        decoder.resume(committed)
        tail.seek(committed)
        while (found := tail.read()) is not None:
            for part in batches_of(found):
                self._take(decoder.decode(part)[0])
        self._take(decoder.last(tail.torn())[0])
        tail.close()
        decoder.close()

    def _take(self, batch: RecordBatch | None) -> None:
        if batch is not None:
            batch.check()
            self.batches.append(batch)

    @property
    def indices(self) -> list[int]:
        return [index for batch in self.batches for index in batch.steps.index]

    @property
    def warnings(self) -> list[str]:
        return [e.data["message"] for b in self.batches for e in b.events if e.event == "warning"]

    def covers(self) -> bool:
        """Tell whether the batches follow on each other without a hole, as the hub demands."""
        ends = [0, *(batch.last_seq for batch in self.batches)]
        return [batch.first_seq for batch in self.batches] == [end + 1 for end in ends[:-1]]


def test_a_whole_spool_is_read_across_its_segments_from_any_mark(tmp_path: Path):
    folder = spool(tmp_path)
    assert len(list(folder.glob("*.jsonl"))) > 3
    for committed in (0, 1, 17, STEPS):
        assert Reader(folder, committed=committed).indices == list(range(committed, STEPS))


def test_a_segment_cut_short_by_a_power_cut_costs_its_end_and_that_is_named(tmp_path: Path):
    folder = spool(tmp_path)
    segments = sorted(folder.glob("*.jsonl"))
    following = int(segments[2].stem)
    os.truncate(segments[1], os.path.getsize(segments[1]) - 250)  # one record and half of another
    reader = Reader(folder)
    lost = {following - 2, following - 3}
    assert reader.indices == [i for i in range(STEPS) if i not in lost]
    assert reader.warnings == [
        f"Records {following - 1:,} to {following - 1:,} are not in the spool."
    ]
    assert len(reader.rejected) == 1  # the half one, set aside
    assert reader.covers()


@pytest.mark.parametrize("damage", [b"\n", b"\0\0\0\0", b'"', b"\xff\xfe"])
def test_damage_within_a_line_costs_that_record_alone(tmp_path: Path, damage: bytes):
    folder = spool(tmp_path, segment_bytes=1 << 20)
    segment = next(folder.glob("*.jsonl"))
    lines = segment.read_bytes().split(b"\n")
    lines[30] = lines[30][:40] + damage + lines[30][40 + len(damage) :]
    segment.write_bytes(b"\n".join(lines))
    reader = Reader(folder)
    assert reader.indices == [index for index in range(STEPS) if index != 30]
    assert reader.rejected
    assert reader.covers()


def test_a_damaged_number_does_not_take_the_records_behind_it_along(tmp_path: Path):
    folder = spool(tmp_path, segment_bytes=1 << 20)
    segment = next(folder.glob("*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b'"seq":31,', b'"seq":9931,'))
    reader = Reader(folder)
    assert reader.indices == [index for index in range(STEPS) if index != 30]
    assert reader.rejected == ["the number 9931 is out of order"]


@given(st.lists(st.tuples(st.integers(0, 8000), st.binary(min_size=1, max_size=4)), max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_damage_leaves_every_untouched_line(tmp_path_factory, changes):
    folder = spool(tmp_path_factory.mktemp("spool"), segment_bytes=1 << 20)
    segment = next(folder.glob("*.jsonl"))
    sound = segment.read_bytes()
    data = bytearray(sound)
    for place, value in changes:
        at = place % (len(data) - 4)
        data[at : at + len(value)] = value
    segment.write_bytes(bytes(data))
    before, after = sound.split(b"\n"), bytes(data).split(b"\n")
    untouched = {i for i, line in enumerate(before[:-1]) if line in after}
    reader = Reader(folder)
    numbers_damaged = any(b"out of order" in why.encode() for why in reader.rejected)
    assert numbers_damaged or untouched <= set(reader.indices)
    assert reader.covers()


def test_a_line_without_end_is_bounded_in_memory_and_set_aside(tmp_path: Path):
    folder = spool(tmp_path)
    last = max(folder.glob("*.jsonl"))
    with last.open("ab") as file:
        for _ in range((LINE_BYTES >> 20) + 8):
            file.write(b"x" * (1 << 20))
        file.write(b"\n{" + f'"type":"step","seq":{STEPS + 1},{step(STEPS)}'.encode() + b"}\n")
    reader = Reader(folder)
    assert reader.indices == list(range(STEPS + 1))
    assert reader.rejected == [f"longer than {LINE_BYTES:,} bytes"]


def test_raw_pictures_are_sent_in_small_batches_and_deleted_once_committed(tmp_path: Path):
    writer = SpoolWriter(tmp_path, channel="c", segment_bytes=40_000)
    picture = np.zeros((100, 100, 3), np.uint8).tobytes()
    for index in range(30):
        body = f'"stream":0,"episode":0,"step":{index},"index":{index},"height":100,"width":100'
        writer.append_frame(picture, body + ',"channels":3,"format":"RGB"')
    writer.close()
    folder = tmp_path / "c"
    assert len(list(folder.glob("frames-*.bin"))) == 3
    reader = Reader(folder)
    assert [frame.index for batch in reader.batches for frame in batch.frames] == list(range(30))
    tail = ChannelTail(folder)
    tail.trim_pictures(3)
    assert [path.name for path in folder.glob("frames-*.bin")] == ["frames-3.bin"]


def test_batches_are_bounded_by_lines_and_by_bytes():
    small = list(batches_of(Lines([b"{}"] * 2500, 1)))
    assert [(part.first, len(part.lines)) for part in small] == [
        (1, 1024),
        (1025, 1024),
        (2049, 452),
    ]
    frame = b'{"type":"frame","seq":1,"length":8000000}'
    assert [len(part.lines) for part in batches_of(Lines([frame] * 5))] == [2, 2, 1]
    large = b"x" * (BATCH_BYTES + 1)
    assert [len(part.lines) for part in batches_of(Lines([large, b"{}", large]))] == [1, 1, 1]
