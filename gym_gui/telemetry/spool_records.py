"""The records of the spool's protocol as types that msgspec validates while it reads them.

Actions and observations stay as they were written: their text is what the store keeps.
"""

# pyright: reportGeneralTypeIssues=false, reportCallIssue=false
# (msgspec's class keywords are not in its annotations)
from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gym_gui.core.numbers import PACKED_STEP, array_size
from gym_gui.telemetry.rows import INDEX_MASK

Number = float | Literal["NaN", "Infinity", "-Infinity"]
Seq = Annotated[int, msgspec.Meta(ge=1, le=INDEX_MASK)]
Index = Annotated[int, msgspec.Meta(ge=0, le=INDEX_MASK)]
Instance = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
Flags = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
TimeNs = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Pixels = Annotated[int, msgspec.Meta(ge=1, le=1 << 14)]
Floats = Literal["float64", "float32", "float16"]
Shape = Annotated[list[Annotated[int, msgspec.Meta(ge=1, le=1 << 24)]], msgspec.Meta(max_length=32)]
Place = tuple[Instance, Index, Index, Index]
NOTHING = msgspec.Raw(b"null")


class Step(msgspec.Struct, tag_field="type", tag="step", gc=False):
    """One environment step."""

    seq: Seq
    stream: Instance
    index: Index
    episode: Index
    step: Index
    action: msgspec.Raw
    reward: Number
    terminated: bool
    truncated: bool
    observation: msgspec.Raw
    time_ns: TimeNs
    agent: str = ""
    flags: Flags = 0
    proposed_action: msgspec.Raw = NOTHING


class VStep(msgspec.Struct, tag_field="type", tag="vstep", gc=False):
    """One step of a vector environment: columns of its instances' steps."""

    seq: Seq
    streams: list[Instance]
    index: list[Index]
    episode: list[Index]
    step: list[Index]
    action: list[msgspec.Raw]
    reward: list[Number]
    terminated: list[bool]
    truncated: list[bool]
    observation: list[msgspec.Raw]
    time_ns: TimeNs
    flags: list[Flags] = []
    agents: list[str] = []

    def __post_init__(self) -> None:
        length = len(self.streams)
        columns = (self.index, self.episode, self.step, self.action, self.reward)
        columns += (self.terminated, self.truncated, self.observation)
        if any(len(column) != length for column in columns):
            raise ValueError("columns of different lengths")
        if any(len(column) not in (0, length) for column in (self.flags, self.agents)):
            raise ValueError("columns of different lengths")


class Packed(msgspec.Struct, tag_field="type", tag="packed", gc=False):
    """Steps whose observations are arrays of floats, as bytes: see ``core.numbers``.

    What is in ``data`` is looked at by ``step_columns.check_packed``.
    """

    seq: Seq
    count: Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]
    dtype: Floats
    shape: Shape
    data: bytes
    time_ns: TimeNs
    action_dtype: Floats | None = None
    action_shape: Shape = []

    def __post_init__(self) -> None:
        kind = self.action_dtype
        action = array_size(kind, *self.action_shape) if kind is not None else 8
        size = PACKED_STEP.size + action + array_size(self.dtype, *self.shape)
        if len(self.data) != self.count * size:
            raise ValueError("the data are not as long as count, dtypes and shapes say")


class VPacked(msgspec.Struct, tag_field="type", tag="vpacked", gc=False):
    """Vector steps, one after another, whose observations are arrays of floats, as bytes.

    ``places`` are those of the first: stream, index, episode and step of each instance. What is in
    ``data`` is looked at by ``step_columns.check_packed``.
    """

    seq: Seq
    places: Annotated[list[Place], msgspec.Meta(min_length=1, max_length=1 << 16)]
    dtype: Floats
    shape: Shape
    data: bytes
    action_dtype: Floats | None = None
    action_shape: Shape = []

    @property
    def vector_steps(self) -> int:
        """How many there are."""
        action = array_size(self.action_dtype, *self.action_shape) if self.action_dtype else 8
        each = 1 + action + 8 + array_size(self.dtype, *self.shape)
        count, rest = divmod(len(self.data), 8 + len(self.places) * each)
        if rest or not count:
            raise ValueError("the data are not as long as places, dtypes and shapes say")
        return count

    def __post_init__(self) -> None:
        count = self.vector_steps
        if any(max(index, step) + count > INDEX_MASK for _, index, _, step in self.places):
            raise ValueError("an index or a step is out of range")


class Reset(msgspec.Struct, tag_field="type", tag="reset"):
    """The start of an episode, with what re-simulation needs."""

    seq: Seq
    stream: Instance
    episode: Index
    time_ns: TimeNs
    seed: int | None = None
    options: msgspec.Raw = NOTHING
    rng: msgspec.Raw = NOTHING
    snapshot: str | None = None
    observation: msgspec.Raw = NOTHING
    flags: Flags = 0


class Episode(msgspec.Struct, tag_field="type", tag="episode", rename={"return_": "return"}):
    """The totals of an episode that is over."""

    seq: Seq
    stream: Instance
    episode: Index
    length: Index
    return_: Number
    terminated: bool
    truncated: bool
    start_ns: TimeNs
    time_ns: TimeNs
    first_index: Index = 0
    agent: str = ""
    success: bool | None = None


class Metric(msgspec.Struct, tag_field="type", tag="metric"):
    """One scalar of the learner."""

    seq: Seq
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    value: Number
    global_step: Int64
    time_ns: TimeNs


class Log(msgspec.Struct, tag_field="type", tag="log"):
    """One line for the run's log."""

    seq: Seq
    level: str
    message: str
    time_ns: TimeNs


class Frame(msgspec.Struct, tag_field="type", tag="frame"):
    """Where the raw pixels of one step's picture lie in the channel's frames file."""

    seq: Seq
    stream: Instance
    episode: Index
    step: Index
    index: Index
    height: Pixels
    width: Pixels
    channels: Annotated[int, msgspec.Meta(ge=1, le=4)]
    format: Literal["RGB", "RGBA", "GREY", "BGRX"]
    file: Annotated[str, msgspec.Meta(pattern=r"^frames-[0-9]+\.bin$")]
    offset: Index
    length: Annotated[int, msgspec.Meta(ge=1, le=48 << 20)]  # below a message's limit

    def __post_init__(self) -> None:
        if {"RGB": 3, "RGBA": 4, "GREY": 1, "BGRX": 4}[self.format] != self.channels:
            raise ValueError("format and channels disagree")
        if self.length != self.height * self.width * self.channels:
            raise ValueError("length is not height * width * channels")


class Run(msgspec.Struct, tag_field="type", tag="run"):
    """An event of the run; its further fields are read from the line itself."""

    seq: Seq
    event: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    time_ns: TimeNs = 0


Record = Step | VStep | Packed | VPacked | Reset | Episode | Metric | Log | Frame | Run
decoder = msgspec.json.Decoder(Record)


class _StreamEvent(msgspec.Struct):
    """What must be right in the event that declares an environment instance."""

    stream: Instance
    event: Literal["stream"]
    agents: list[str | int] | None = None


_stream_event = msgspec.json.Decoder(_StreamEvent)
_fields = msgspec.json.Decoder(dict[str, Any])


def run_data(line: bytes) -> dict[str, Any]:
    """Return what a ``run`` line says beside its type, seq, event and time.

    Raises msgspec.DecodeError for what cannot be kept.
    """
    data = _fields.decode(line)
    if data["event"] == "stream":
        _stream_event.decode(line)
    for name in ("type", "seq", "event", "time_ns"):
        data.pop(name, None)
    return data
