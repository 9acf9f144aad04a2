"""What a process left in its block of vector steps when it died."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gym_gui.core.vector_block import HEAD, MAGIC, SUFFIX, left_behind
from gym_gui.services.trainer.spool import ChannelTail
from gym_gui.telemetry.spool_decoder import SpoolDecoder
from gym_gui.worker.batch import Batch, Block
from gym_gui.worker.encode import Floats
from gym_gui.worker.spool import SpoolWriter


class Part:
    """What a batch looks at of a tap."""

    def __init__(self, stream: int) -> None:
        self.stream, self.index, self.episode, self.step = stream, 7, 1, 2
        self.running, self.kind = True, Floats.of(np.zeros(2, "f4"))
        self.result = (np.zeros(2, "f4"), 1.0, False, False, {})
        self.return_ = self.last_reward = 0.0


def held(writer: SpoolWriter, steps: int) -> Batch:
    """Return a batch that holds so many steps of two parts."""
    parts, actions = [Part(0), Part(1)], np.array([3, 4])
    batch = Batch.of(parts, actions, writer.directory / f"one{SUFFIX}")
    assert batch is not None
    for n in range(steps):
        assert batch.takes(actions)
        result = (np.full((2, 2), n, "f4"), np.array([0.5, n]))
        assert batch.hold(parts, result, 10 + n) is False
    return batch


@pytest.fixture
def writer(tmp_path: Path):
    found = SpoolWriter(tmp_path / "spool", channel="c")
    yield found
    found.close()


def read(writer: SpoolWriter, next_seq: int = 1) -> list[bytes]:
    return list(ChannelTail(writer.directory).left_behind(next_seq))


def test_what_was_held_is_a_record_with_one_number_for_good(writer: SpoolWriter):
    held(writer, 3)
    (line,) = read(writer)
    batch = SpoolDecoder("c").decode(line).batch
    assert batch is not None
    assert list(batch.steps.index) == [7, 7, 8, 8, 9, 9]
    assert list(batch.steps.action) == [3, 4] * 3
    assert list(batch.steps.reward) == [0.5, 0, 0.5, 1, 0.5, 2]
    assert read(writer) == [line]  # a proxy that died before it was committed
    assert read(writer, 2) == []  # and after


def test_steps_that_were_written_are_not_left_behind(writer: SpoolWriter):
    batch = held(writer, 3)
    batch.write(writer)
    assert read(writer, 2) == []
    (line,) = (writer.directory / f"{1:016d}.jsonl").read_bytes().splitlines()
    batch = SpoolDecoder("c").decode(line).batch
    assert batch is not None
    assert len(batch.steps) == 6


def test_a_death_while_the_record_is_written_leaves_it_once(writer: SpoolWriter):
    class Dies(SpoolWriter):
        is_late = False

        def append(self, kind: str, body: str) -> bool:
            if self.is_late:
                super().append(kind, body)
            raise SystemExit

    for is_late in (False, True):
        dying = Dies(writer.directory.parent, channel=f"dying-{is_late}")
        dying.is_late = is_late
        with suppress(SystemExit):
            held(dying, 2).write(dying)
        written = (dying.directory / f"{1:016d}.jsonl").read_bytes().splitlines()
        assert len(written) + len(read(dying, 1 + len(written))) == 1
        dying.close()


@pytest.mark.parametrize(
    "result",
    [
        (np.zeros((2, 2), "f8"), np.zeros(2)),
        (np.zeros((2, 3), "f4"), np.zeros(2)),
        (np.zeros((2, 2), "f4"), np.zeros(2, "f4")),
        (np.zeros((2, 2), "f4"), np.zeros(3)),
    ],
)
def test_arrays_that_are_not_the_parts_own_are_not_held(writer: SpoolWriter, result: Any):
    batch = held(writer, 1)
    assert batch.takes(np.array([3, 4]))
    assert batch.hold([Part(0), Part(1)], result, 11) is None
    assert batch.held == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_block_or_an_error(noise: bytes):
    for memory in (noise, HEAD.pack(MAGIC, 64, 3, 9, 2, 0) + noise):
        with suppress(ValueError):
            left_behind(memory)


def test_a_block_is_made_only_where_its_room_stays_its_own(tmp_path: Path):
    assert Block.new(tmp_path / f"one{SUFFIX}", 2, 1 << 20) is None  # too large a step
    assert Block.new(Path("/proc/self/one"), 2, 100) is None
    assert Block.new(tmp_path / f"one{SUFFIX}", 2, 100) is not None
