"""From lines to batches: nothing in a line stops it, nothing wrong gets through."""

from __future__ import annotations

import json
import math
import struct
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gym_gui.core.numbers import PACKED_STEP, PACKED_STEP_AND_ACTION
from gym_gui.core.vector_block import record_body
from gym_gui.telemetry.repair import whole_lines
from gym_gui.telemetry.spool_decoder import SpoolDecoder
from gym_gui.worker.encode import Floats, ObservationEncoder, describe_packed, packed_steps

STEP = {
    "type": "step",
    "seq": 1,
    "stream": 0,
    "index": 0,
    "episode": 0,
    "step": 0,
    "action": 1,
    "reward": 0.5,
    "terminated": False,
    "truncated": True,
    "observation": [0.1, 1e-300, "NaN"],
    "time_ns": 7,
}


def line(**changes: object) -> bytes:
    return json.dumps({**STEP, **changes}, separators=(",", ":")).encode() + b"\n"


def test_a_step_keeps_every_value():
    chunk = line() + line(seq=2, action=[0.25, "Infinity"], reward="-Infinity", agent="a")
    chunk += line(seq=3, action=-1.5, proposed_action=2, flags=8)
    batch = SpoolDecoder("c", run_id="run-1").decode(chunk).batch
    assert batch is not None
    steps = batch.steps
    assert list(steps.action) == [1, '[0.25,"Infinity"]', -1.5]
    assert steps.reward == [0.5, -math.inf, 0.5]
    assert steps.flags == [2, 2, 10]
    assert steps.observation[0] == '[0.1,1e-300,"NaN"]'
    assert steps.agent == ["", "a", ""]
    assert list(steps.proposed_action) == [None, None, 2]
    assert (batch.first_seq, batch.last_seq, batch.run_id) == (1, 3, "run-1")
    batch.check()


def test_a_line_break_between_the_parts_of_a_record_stays_out_of_the_texts():
    chunk = line().replace(b"[0.1,", b"[0.1,\n") + line(seq=2)
    batch = SpoolDecoder("c").decode(chunk).batch
    assert batch is not None
    batch.check()
    assert all("\n" not in text for text in batch.steps.observation)


def test_columns_of_a_vector_step_become_rows():
    vstep = {
        "type": "vstep",
        "seq": 2,
        "streams": [0, 1],
        "index": [4, 5],
        "episode": [0, 1],
        "step": [4, 0],
        "action": [1, [2]],
        "reward": [1, "NaN"],
        "terminated": [True, False],
        "truncated": [False, False],
        "observation": [[1], [2]],
        "time_ns": 9,
        "flags": [0, 4],
    }
    decoder = SpoolDecoder("c")
    batch = decoder.decode(line() + json.dumps(vstep).encode() + b"\n").batch
    assert batch is not None
    assert list(batch.steps.index) == [0, 4, 5]
    assert list(batch.steps.flags) == [2, 1, 4]
    assert math.isnan(batch.steps.reward[2])
    batch.check()
    vstep["reward"] = [1]
    refused = SpoolDecoder("c").decode(json.dumps({**vstep, "seq": 1}).encode())
    assert refused.batch is None
    assert "lengths" in refused.rejected[0].reason


def packed_line(
    seen: Sequence[np.ndarray], actions: Sequence[Any] = (0, 1, 2), **other: object
) -> bytes:
    """Return the tap's own line of a vector step with these observations."""
    kind, action_kind = ObservationEncoder("whole").floats_of(seen[0]), Floats.of(actions[0])
    assert kind is not None
    steps = []
    for stream, (array, action) in enumerate(zip(seen, actions, strict=False)):
        numbers = (stream, 4, 2, 3, 0.5, stream % 3)
        if action_kind is None:
            steps.append(PACKED_STEP_AND_ACTION.pack(*numbers, action) + array.tobytes())
        else:
            steps.append(PACKED_STEP.pack(*numbers) + action.tobytes() + array.tobytes())
    body = json.loads("{" + packed_steps(describe_packed(kind, action_kind), steps, 9) + "}")
    return json.dumps({"type": "packed", "seq": 1, **body, **other}).encode() + b"\n"


def packed_step(stream: int = 0, index: int = 4) -> str:
    step = PACKED_STEP_AND_ACTION.pack(stream, index, 2, 3, 0.5, 0, 1) + bytes(8)
    return b64encode(step).decode()


DTYPES = st.sampled_from([np.dtype(name) for name in ("f2", "f4", "f8")])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=2, max_side=3)


def three_arrays(data: st.DataObject) -> list[np.ndarray]:
    shape, dtype = data.draw(SHAPES), data.draw(DTYPES)
    return [np.asarray(data.draw(arrays.arrays(dtype, shape))) for _ in range(3)]


def as_numbers(array: np.ndarray) -> object:
    return json.loads(ObservationEncoder("whole")(array))


@given(data=st.data())
def test_packed_steps_become_the_rows_that_their_text_would(data: st.DataObject):
    seen = three_arrays(data)
    batch = SpoolDecoder("c").decode(packed_line(seen, (0, -1, 1 << 62))).batch
    assert batch is not None
    batch.check()
    assert [json.loads(text) for text in batch.steps.observation] == list(map(as_numbers, seen))
    assert list(batch.steps.stream) == [0, 1, 2]
    assert list(batch.steps.action) == [0, -1, 1 << 62]
    assert list(batch.steps.flags) == [0, 1, 2]
    assert (batch.steps.index[2], batch.steps.episode[2], batch.steps.step[2]) == (4, 2, 3)
    assert list(batch.steps.reward) == [0.5] * 3
    assert list(batch.steps.time_ns) == [9] * 3


@given(data=st.data())
def test_packed_actions_read_back_as_themselves(data: st.DataObject):
    seen, actions = three_arrays(data), three_arrays(data)
    batch = SpoolDecoder("c").decode(packed_line(seen, actions)).batch
    assert batch is not None
    batch.check()
    read = [json.loads(a) if isinstance(a, str) else a for a in batch.steps.action]
    assert read == list(map(as_numbers, actions))
    assert [json.loads(text) for text in batch.steps.observation] == list(map(as_numbers, seen))


def vpacked_line(steps: Sequence[Sequence[np.ndarray]], **other: object) -> bytes:
    """Return a line of vector steps of three instances with these observations."""
    kind, size = Floats.of(steps[0][0]), len(steps[0])
    assert kind is not None
    data = b"".join(
        struct.pack(
            f"<q{size}s{size}q{size}d", 9 + n, bytes(range(size)), *range(size), *[0.5] * size
        )
        + b"".join(array.tobytes() for array in step)
        for n, step in enumerate(steps)
    )
    places = [[stream, 4, 2, 3] for stream in range(size)]
    text = f'"places":{places},{describe_packed(kind, None)}'
    body = json.loads("{" + record_body(text, data) + "}")
    return json.dumps({"type": "vpacked", "seq": 1, **body, **other}).encode() + b"\n"


@given(data=st.data())
def test_packed_vector_steps_become_the_rows_of_their_instances(data: st.DataObject):
    shape, dtype = data.draw(SHAPES), data.draw(DTYPES)
    one = arrays.arrays(dtype, shape).map(np.asarray)
    steps = data.draw(st.lists(st.tuples(one, one, one), min_size=1, max_size=3))
    batch = SpoolDecoder("c").decode(vpacked_line(steps)).batch
    assert batch is not None
    batch.check()
    count = len(steps)
    seen = [as_numbers(array) for step in steps for array in step]
    assert [json.loads(text) for text in batch.steps.observation] == seen
    assert list(batch.steps.stream) == list(batch.steps.action) == [0, 1, 2] * count
    assert list(batch.steps.flags) == [0, 1, 2] * count
    assert list(batch.steps.index) == [4 + n for n in range(count) for _ in range(3)]
    assert list(batch.steps.step) == [3 + n for n in range(count) for _ in range(3)]
    assert list(batch.steps.episode) == [2] * 3 * count
    assert list(batch.steps.time_ns) == [9 + n for n in range(count) for _ in range(3)]
    assert list(batch.steps.reward) == [0.5] * 3 * count


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"places": [[0, 4, 2, 3]]}, "as long as"),
        ({"places": []}, "length"),
        ({"places": [[0, 4, 2, 3], [1, 4, 2, (1 << 40) - 1], [2, 4, 2, 3]]}, "out of range"),
        ({"places": [[0, 4, 2]] * 3}, "length"),
        ({"shape": [3]}, "as long as"),
        ({"dtype": "int8"}, "int8"),
        ({"data": ""}, "as long as"),
        ({"data": b64encode(struct.pack("<q75x", -1)).decode()}, "time"),
    ],
)
def test_packed_vector_steps_that_cannot_be_are_refused(wrong: dict[str, object], reason: str):
    decoded = SpoolDecoder("c").decode(vpacked_line([[np.zeros(2, "f4")] * 3] * 2, **wrong))
    assert decoded.batch is None
    assert reason in decoded.rejected[0].reason


def test_steps_keep_their_order_whatever_their_form():
    packed = packed_line([np.zeros(2, "f4")], seq=2, data=packed_step(index=1))
    chunk = line(index=0) + packed + line(seq=3, index=2)
    batch = SpoolDecoder("c").decode(chunk).batch
    assert batch is not None
    assert list(batch.steps.index) == [0, 1, 2]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"count": 3}, "as long as"),
        ({"shape": [3]}, "as long as"),
        ({"shape": [1 << 24] * 32}, "as long as"),
        ({"dtype": "float64"}, "as long as"),
        ({"action_dtype": "float32", "action_shape": [1]}, "as long as"),
        ({"dtype": "int8"}, "int8"),
        ({"data": "%%"}, "base64"),
        ({"count": 1, "data": packed_step(stream=-1)}, "stream"),
        ({"count": 1, "data": packed_step(stream=1 << 31)}, "stream"),
        ({"count": 1, "data": packed_step(index=-2)}, "place"),
        ({"count": 1, "data": packed_step(index=1 << 40)}, "place"),
    ],
)
def test_packed_steps_that_are_wrong_are_refused(wrong: dict[str, object], reason: str):
    chunk = packed_line([np.zeros(2, "f4")] * 2, **wrong) + line(seq=2)
    decoded = SpoolDecoder("c").decode(chunk)
    assert [reason in rejected.reason for rejected in decoded.rejected] == [True]
    assert decoded.batch is not None
    assert len(decoded.batch.steps) == 1


def test_bad_lines_are_set_aside_and_holes_named():
    chunk = line() + b'{"type":"step","se\n' + line(seq=2) + line(seq=5, index=-1) + line(seq=6)
    decoded = SpoolDecoder("c").decode(chunk)
    assert decoded.batch is not None
    assert len(decoded.batch.steps) == 3
    assert len(decoded.rejected) == 2
    assert decoded.gaps == [(3, 5)]


def test_what_was_seen_before_is_left_out():
    decoder = SpoolDecoder("c", next_seq=3)
    chunk = b"".join(line(seq=i) for i in range(1, 6))
    batch = decoder.decode(chunk).batch
    assert batch is not None
    assert (batch.first_seq, len(batch.steps)) == (3, 3)
    assert decoder.decode(chunk).batch is None


def test_pictures_are_packed_and_a_missing_one_is_said(tmp_path: Path):
    (tmp_path / "frames-0.bin").write_bytes(bytes(range(48)))
    frame = {
        "type": "frame",
        "seq": 1,
        "stream": 0,
        "episode": 0,
        "step": 0,
        "index": 0,
        "height": 4,
        "width": 4,
        "channels": 3,
        "format": "RGB",
        "file": "frames-0.bin",
        "offset": 0,
        "length": 48,
    }
    lost = {**frame, "seq": 2, "offset": 9}
    outside = {**frame, "seq": 3, "file": "../frames-0.bin"}
    chunk = b"\n".join(json.dumps(record).encode() for record in (frame, lost, outside))
    decoded = SpoolDecoder("c", frames_dir=tmp_path).decode(chunk)
    assert decoded.batch is not None
    assert len(decoded.batch.frames) == 1
    assert len(decoded.rejected) == 2


def test_a_torn_last_line_is_left_for_later(tmp_path: Path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(line() + line(seq=2) + b'{"type":"st')
    for chunk_bytes in (5, 100, 1 << 20):
        assert b"".join(whole_lines(path, chunk_bytes=chunk_bytes)) == line() + line(seq=2)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(STEP)), _VALUES, max_size=4))
@settings(max_examples=300, deadline=None)
def test_no_line_is_accepted_that_the_store_could_not_keep(changes):
    decoded = SpoolDecoder("c").decode(line(**changes))
    if decoded.batch is not None:
        decoded.batch.check()
        assert all(isinstance(value, float) for value in decoded.batch.steps.reward)
    else:
        assert decoded.rejected


@given(st.binary(max_size=400))
@settings(max_examples=500, deadline=None)
def test_no_bytes_stop_the_decoder(data):
    decoded = SpoolDecoder("c").decode(data)
    assert decoded.batch is None or decoded.batch.last_seq >= 1
