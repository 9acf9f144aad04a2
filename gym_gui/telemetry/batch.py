"""What travels between proxy, hub, bus, sink and store: one channel's records in columns.

A batch covers the sequence numbers ``first_seq`` to ``last_seq`` of one channel without a hole.
Streams are numbered by *instance* (within the channel) until the store, or whoever asks its
``StreamIds``, fills ``stream_ids``. Everything carries a key of its own (steps: stream and
index; episodes and resets: stream and episode; the others: ``seq``), so writing a batch twice, or
two that overlap, keeps each record once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gym_gui.core.errors import ProtocolError
from gym_gui.core.records import EpisodeRecord, ResetRecord

INDEX_LIMIT = 1 << 40


@dataclass(slots=True)
class StepColumns:
    """Parallel columns of steps, one entry a step, of equal length.

    stream: instance within the batch's channel. action: an int or a float as such, anything else
    as its JSON text. reward: float. flags: ``STEP_*`` bits. observation: JSON text, "" when none
    was recorded. ``agent`` and ``proposed_action`` (encoded as ``action``; None: no proposal) may
    be empty, which stands for a column of "" and of None.
    """

    stream: Sequence[int] = field(default_factory=list)
    index: Sequence[int] = field(default_factory=list)
    episode: Sequence[int] = field(default_factory=list)
    step: Sequence[int] = field(default_factory=list)
    action: Sequence[int | float | str | None] = field(default_factory=list)
    reward: Sequence[float] = field(default_factory=list)
    flags: Sequence[int] = field(default_factory=list)
    time_ns: Sequence[int] = field(default_factory=list)
    observation: Sequence[str] = field(default_factory=list)
    agent: Sequence[str] = field(default_factory=list)
    proposed_action: Sequence[int | float | str | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.index)

    def check(self) -> None:
        """Raise ProtocolError when the columns do not have one length."""
        length = len(self.index)
        for name in ("stream", "episode", "step", "action", "reward", "flags", "time_ns"):
            if len(getattr(self, name)) != length:
                raise ProtocolError(f"The step column {name!r} has not {length} entries.")
        if len(self.observation) != length:
            raise ProtocolError(f"The step column 'observation' has not {length} entries.")
        for name in ("agent", "proposed_action"):
            if len(getattr(self, name)) not in (0, length):
                raise ProtocolError(f"The step column {name!r} has neither 0 nor {length} entries.")
        for name in ("index", "episode", "step"):
            _check_range(name, getattr(self, name))
        for name in ("stream", "flags"):
            _check_range(name, getattr(self, name), limit=1 << 31)
        _check_range("time", self.time_ns, limit=1 << 63)


@dataclass(slots=True)
class MetricEntry:
    """One scalar of the learner, with its number in the channel."""

    seq: int
    name: str
    value: float
    global_step: int
    time_ns: int = 0


@dataclass(slots=True)
class LogEntry:
    """One line for the run's log, with its number in the channel."""

    seq: int
    level: str
    message: str
    time_ns: int = 0


@dataclass(slots=True)
class FrameEntry:
    """One picture of a stream, compressed. ``instance`` and ``index`` name its step.

    pixels: zstd of ``height * width * channels`` bytes, rows from the top. format: ``RGB``,
    ``RGBA``, ``GREY`` or ``BGRX``.
    """

    seq: int
    instance: int
    index: int
    episode: int
    step: int
    height: int
    width: int
    channels: int
    format: str
    pixels: bytes


@dataclass(slots=True)
class EventEntry:
    """One ``run`` record: ``event`` names it, ``data`` holds the rest of its line as plain JSON.

    The event ``stream`` declares an environment instance (``data["stream"]`` is its number).
    """

    seq: int
    event: str
    data: dict[str, Any]
    time_ns: int = 0


@dataclass(slots=True)
class RecordBatch:
    """Records ``first_seq`` to ``last_seq`` of one channel of one run.

    episodes, resets: ``stream`` is the instance within the channel, as everywhere in a batch.
    stream_ids: instance to the run's own stream number, once known.
    """

    channel: str
    first_seq: int
    last_seq: int
    steps: StepColumns = field(default_factory=StepColumns)
    episodes: list[EpisodeRecord] = field(default_factory=list)
    resets: list[ResetRecord] = field(default_factory=list)
    metrics: list[MetricEntry] = field(default_factory=list)
    logs: list[LogEntry] = field(default_factory=list)
    frames: list[FrameEntry] = field(default_factory=list)
    events: list[EventEntry] = field(default_factory=list)
    run_id: str = ""
    stream_ids: dict[int, int] = field(default_factory=dict)

    def instances(self) -> set[int]:
        """Return the numbers of all instances that the batch speaks of."""
        found = set(self.steps.stream)
        found.update(record.stream for record in self.episodes)
        found.update(record.stream for record in self.resets)
        found.update(frame.instance for frame in self.frames)
        found.update(
            entry.data["stream"]
            for entry in self.events
            if entry.event == "stream" and isinstance(entry.data.get("stream"), int)
        )
        return found

    def check(self) -> None:
        """Raise ProtocolError when the batch cannot be what a channel wrote."""
        if not self.channel:
            raise ProtocolError("A batch names no channel.")
        if not 1 <= self.first_seq <= self.last_seq:
            raise ProtocolError(
                f"A batch of {self.channel} counts from {self.first_seq} to {self.last_seq}."
            )
        self.steps.check()
        _check_range("index", [frame.index for frame in self.frames])
        _check_range("episode", [record.episode for record in (*self.resets, *self.episodes)])
        numbered = (*self.metrics, *self.logs, *self.frames, *self.events)
        if not all(self.first_seq <= entry.seq <= self.last_seq for entry in numbered):
            raise ProtocolError(f"A record of {self.channel} is not of its batch's numbers.")


def _check_range(name: str, values: Sequence[int], *, limit: int = INDEX_LIMIT) -> None:
    """Raise ProtocolError unless all are from 0 to below ``limit``: keys are made of them."""
    if len(values) and not (min(values) >= 0 and max(values) < limit):
        raise ProtocolError(f"A batch has a {name} outside 0 to {limit:,}.")
