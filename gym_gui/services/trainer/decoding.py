# pyright: reportGeneralTypeIssues=false, reportCallIssue=false
# (the base class comes without type information when it is not installed beside the checker)
"""Lines of the protocol to batches of records. A bad line is set aside and counted, never fatal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import zstandard
from msgspec import Raw, Struct

from gym_gui.core.errors import ProtocolError
from gym_gui.core.records import (
    STEP_TERMINATED,
    STEP_TRUNCATED,
    EpisodeRecord,
    ResetRecord,
)
from gym_gui.telemetry.batch import (
    EventEntry,
    FrameEntry,
    LogEntry,
    MetricEntry,
    RecordBatch,
)

Number = float | str  # "NaN", "Infinity" and "-Infinity" are written as strings
_NULL = Raw(b"null")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Step(Struct, tag="step"):
    """One step; what a worker outside Python may leave out has a default."""

    action: Raw = _NULL
    reward: Number = 0.0
    terminated: bool = False
    truncated: bool = False
    observation: Raw = _NULL
    stream: int = 0
    index: int = -1
    episode: int = -1
    step: int = -1
    time_ns: int = 0
    agent: str = ""
    flags: int = 0
    proposed_action: Raw = _NULL


class VectorStep(Struct, tag="vstep"):
    """One step of a vector environment, in columns."""

    streams: list[int]
    index: list[int]
    episode: list[int]
    step: list[int]
    action: list[Raw]
    reward: list[Number]
    terminated: list[bool]
    truncated: list[bool]
    observation: list[Raw]
    time_ns: int = 0
    flags: list[int] | None = None
    agents: list[str] | None = None


class Reset(Struct, tag="reset"):
    """The beginning of an episode."""

    stream: int = 0
    episode: int = -1
    time_ns: int = 0
    seed: int | None = None
    options: Any = None
    rng: Any = None
    snapshot: str | None = None
    observation: Any = None


class Episode(Struct, tag="episode"):
    """The end of an episode."""

    length: int
    return_: Number = msgspec.field(name="return")
    stream: int = 0
    episode: int = -1
    terminated: bool = False
    truncated: bool = False
    start_ns: int = 0
    time_ns: int = 0
    first_index: int = 0
    agent: str = ""
    success: bool | None = None


class Metric(Struct, tag="metric"):
    """One scalar of the learner."""

    name: str
    value: Number
    global_step: int = 0
    time_ns: int = 0


class Log(Struct, tag="log"):
    """One line for the run's log."""

    message: str
    level: str = "info"
    time_ns: int = 0


class Frame(Struct, tag="frame"):
    """One picture; its pixels lie in a file beside the segment."""

    stream: int
    index: int
    episode: int
    step: int
    height: int
    width: int
    channels: int
    format: str
    file: str
    offset: int
    length: int


class Run(Struct, tag="run"):
    """Something that happened to the run; the rest of the line is its data."""

    event: str
    time_ns: int = 0


_decoder = msgspec.json.Decoder(
    Step | VectorStep | Reset | Episode | Metric | Log | Frame | Run, strict=False
)


def number(value: Number) -> float:
    """Return a float written in the protocol's form. Raises ProtocolError."""
    if not isinstance(value, str):
        return float(value)
    try:
        return _SPECIAL[value]
    except KeyError:
        raise ProtocolError(f"{value!r} is not a number.") from None


def cell(raw: Raw) -> int | float | str | None:
    """Return a column's entry: numbers natively, anything else as its JSON text."""
    text = bytes(raw)
    head = text[:1]
    if head in b"-0123456789" and head:
        return float(text) if any(c in b".eE" for c in text) else int(text)
    if text == b"null":
        return None
    return text.decode()


def observation_text(raw: Raw) -> str:
    """Return an observation's JSON text, "" for none."""
    text = bytes(raw)
    return "" if text == b"null" else text.decode()


class _Counter:
    """Where a stream stands, for workers that leave counting to us."""

    def __init__(self) -> None:
        self.index = self.episode = self.step = 0
        self.first_index = 0

    def began(self, episode: int) -> int:
        if self.step:
            self.episode += 1
        if episode >= 0:
            self.episode = episode
        self.step, self.first_index = 0, self.index
        return self.episode


class Decoder:
    """Decodes one channel. ``reject`` is told of each bad line: (number, line, reason).

    read_pixels: returns the bytes a frame record points at.
    """

    def __init__(
        self,
        channel: str,
        *,
        reject: Callable[[int, bytes, str], None],
        read_pixels: Callable[[str, int, int], bytes],
    ) -> None:
        self.channel = channel
        self._reject = reject
        self._read_pixels = read_pixels
        self._pack = zstandard.ZstdCompressor(level=1)
        self._counters: dict[int, _Counter] = {}

    def decode(self, first_seq: int, lines: Sequence[bytes]) -> tuple[RecordBatch, int]:
        """Return the batch of ``lines`` and how many of them were rejected."""
        batch = RecordBatch(self.channel, first_seq, first_seq + len(lines) - 1)
        rejected = 0
        for seq, line in enumerate(lines, first_seq):
            try:
                self._add(batch, seq, line)
            except (msgspec.MsgspecError, ProtocolError, OSError, UnicodeDecodeError) as error:
                rejected += 1
                self._reject(seq, line, str(error))
        return batch, rejected

    def _add(self, batch: RecordBatch, seq: int, line: bytes) -> None:
        record = _decoder.decode(line)
        if isinstance(record, Step):
            self._add_step(batch.steps, record)
        elif isinstance(record, VectorStep):
            self._add_vector_step(batch.steps, record)
        elif isinstance(record, Episode):
            batch.episodes.append(self._episode(record))
        elif isinstance(record, Reset):
            batch.resets.append(self._reset(record))
        elif isinstance(record, Metric):
            value = number(record.value)
            entry = MetricEntry(seq, record.name, value, record.global_step, record.time_ns)
            batch.metrics.append(entry)
        elif isinstance(record, Log):
            batch.logs.append(LogEntry(seq, record.level, record.message, record.time_ns))
        elif isinstance(record, Frame):
            batch.frames.append(self._frame(seq, record))
        else:
            data = json.loads(line)
            for name in ("type", "seq", "event", "time_ns"):
                data.pop(name, None)
            batch.events.append(EventEntry(seq, record.event, data, record.time_ns))

    def _counter(self, stream: int) -> _Counter:
        counter = self._counters.get(stream)
        if counter is None:
            counter = self._counters[stream] = _Counter()
        return counter

    def _add_step(self, steps: Any, record: Step) -> None:
        reward = number(record.reward)
        action, observation = cell(record.action), observation_text(record.observation)
        proposed = cell(record.proposed_action)
        counter = self._counter(record.stream)
        index = record.index if record.index >= 0 else counter.index
        episode = record.episode if record.episode >= 0 else counter.episode
        step = record.step if record.step >= 0 else counter.step
        counter.index, counter.episode, counter.step = index + 1, episode, step + 1
        flags = record.flags | record.terminated * STEP_TERMINATED
        flags |= record.truncated * STEP_TRUNCATED
        _append(steps, record.stream, index, episode, step, action, reward, flags, record.time_ns)
        steps.observation.append(observation)
        steps.agent.append(record.agent)
        steps.proposed_action.append(proposed)

    def _add_vector_step(self, steps: Any, record: VectorStep) -> None:
        count = len(record.streams)
        columns = (
            record.index,
            record.episode,
            record.step,
            record.action,
            record.reward,
            record.terminated,
            record.truncated,
            record.observation,
        )
        flags, agents = record.flags or [0] * count, record.agents or [""] * count
        if any(len(column) != count for column in (*columns, flags, agents)):
            raise ProtocolError("The columns of a vstep do not have one length.")
        rewards = [number(value) for value in record.reward]
        actions = [cell(raw) for raw in record.action]
        seen = [observation_text(raw) for raw in record.observation]
        for row, stream in enumerate(record.streams):
            mark = flags[row] | record.terminated[row] * STEP_TERMINATED
            mark |= record.truncated[row] * STEP_TRUNCATED
            _append(
                steps,
                stream,
                record.index[row],
                record.episode[row],
                record.step[row],
                actions[row],
                rewards[row],
                mark,
                record.time_ns,
            )
        steps.observation.extend(seen)
        steps.agent.extend(agents)
        steps.proposed_action.extend([None] * count)

    def _episode(self, record: Episode) -> EpisodeRecord:
        counter = self._counter(record.stream)
        episode = record.episode if record.episode >= 0 else counter.episode
        return EpisodeRecord(
            stream=record.stream,
            episode=episode,
            length=record.length,
            return_=number(record.return_),
            terminated=record.terminated,
            truncated=record.truncated,
            start_ns=record.start_ns,
            end_ns=record.time_ns,
            agent=record.agent,
            success=record.success,
            first_index=record.first_index or counter.first_index,
        )

    def _reset(self, record: Reset) -> ResetRecord:
        return ResetRecord(
            stream=record.stream,
            episode=self._counter(record.stream).began(record.episode),
            seed=record.seed,
            options=record.options,
            rng_state=record.rng,
            snapshot=record.snapshot,
            observation=record.observation,
            time_ns=record.time_ns,
        )

    def _frame(self, seq: int, record: Frame) -> FrameEntry:
        pixels = self._read_pixels(record.file, record.offset, record.length)
        if len(pixels) != record.height * record.width * record.channels:
            raise ProtocolError("A frame's pixels are not of the size that its record says.")
        return FrameEntry(
            seq=seq,
            instance=record.stream,
            index=record.index,
            episode=record.episode,
            step=record.step,
            height=record.height,
            width=record.width,
            channels=record.channels,
            format=record.format,
            pixels=self._pack.compress(pixels),
        )


def _append(steps: Any, stream, index, episode, step, action, reward, flags, time_ns) -> None:
    steps.stream.append(stream)
    steps.index.append(index)
    steps.episode.append(episode)
    steps.step.append(step)
    steps.action.append(action)
    steps.reward.append(reward)
    steps.flags.append(flags)
    steps.time_ns.append(time_ns)
