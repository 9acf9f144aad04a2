"""What a run's file already holds when its live tab opens. Read off the GUI thread."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.core.records import (
    STEP_TERMINATED,
    STEP_TRUNCATED,
    EpisodeRecord,
    StepRecord,
)

METRIC_POINTS = 20_000  # of each metric
LOG_LINES = 5_000
PACE_S = 1.0
LATE_S = 30.0  # what comes live so long after the file was read was not in it
AGENT = 6  # column of the tables


@dataclass
class History:
    """Newest rows, oldest first. episode_ends: steps of the run at the end of each episode."""

    total_steps: int = 0
    steps: list[tuple[Any, ...]] = field(default_factory=list)
    episodes: list[EpisodeRecord] = field(default_factory=list)
    episode_ends: list[float] = field(default_factory=list)
    metrics: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    logs: list[tuple[str, str]] = field(default_factory=list)
    throughput: list[tuple[float, float]] = field(default_factory=list)  # seconds, steps/s
    vector_steps: int = 0  # as the script counts them; 0 without a vector environment
    autoresets: int = 0
    frame: Any = None


class Floor:
    """The newest of each stream that a file held: what comes live up to there is shown already.

    Rows are those of the table of steps: stream, episode, step, …, agent at ``AGENT``.
    """

    def __init__(self, history: History | None = None) -> None:
        self._steps: dict[tuple[int, str], tuple[int, int]] = {}
        self._episodes: dict[tuple[int, str], int] = {}
        self._metrics: dict[str, float] = {}
        self._until = time.monotonic() + LATE_S
        if history is not None:
            for row in history.steps:
                self._steps[row[0], row[AGENT]] = row[1], row[2]
            for episode in history.episodes:
                self._episodes[episode.stream, episode.agent] = episode.episode
            self._metrics = {name: points[-1][0] for name, points in history.metrics.items()}

    @property
    def has_steps(self) -> bool:
        """Tell whether steps must be held against the file's. One whose stream is over lapses."""
        if self._steps and time.monotonic() > self._until:
            self._steps.clear()
        return bool(self._steps)

    def steps(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return the rows above the floor; a stream that has left it is looked at no more."""
        if not self._steps:
            return rows
        fresh = []
        for row in rows:
            floor = self._steps.get((row[0], row[AGENT]))
            if floor is not None:
                if row[1:3] <= floor:
                    continue
                del self._steps[row[0], row[AGENT]]
            fresh.append(row)
        return fresh

    def episodes(self, found: list[EpisodeRecord]) -> list[EpisodeRecord]:
        """Return the episodes above the floor."""
        floors = self._episodes
        return [
            episode
            for episode in found
            if episode.episode > floors.get((episode.stream, episode.agent), -1)
        ]

    def has_metric(self, name: str, global_step: float) -> bool:
        """Tell whether a learner's value was in the file."""
        return global_step <= self._metrics.get(name, -1)


def read_history(run_dir: RunDir, *, steps: int, episodes: int) -> History:
    """Return the newest ``steps`` and ``episodes`` of a run. Raises StorageError: no file yet."""
    from gym_gui.telemetry.reader import RunReader

    with RunReader(run_dir.store) as reader:
        totals = reader.totals()
        found = History(
            total_steps=int(totals.get("steps", 0)),
            vector_steps=reader.vector_steps(),
            autoresets=totals["autoresets"],
        )
        found.episodes = reader.episodes(newest_first=True, limit=episodes)[::-1]
        found.episode_ends = _ends(found.episodes, found.total_steps)
        found.throughput = _throughput(found.episodes, found.episode_ends)
        for info in reader.streams():
            bounds = reader.step_bounds(info.stream)
            if bounds is not None:
                first = max(bounds[0], bounds[1] - steps + 1)
                found.steps += [
                    (row.time_ns, _row(row)) for row in reader.steps(info.stream, first, steps)
                ]
                found.frame = _newest_frame(reader, info.stream, found.frame)
        found.steps.sort(key=lambda pair: pair[0])
        found.steps = [row for _, row in found.steps[-steps:]]
        for name in reader.metric_names():
            values = reader.metrics(name)[-METRIC_POINTS:]
            found.metrics[name] = [(point.global_step, point.value) for point in values]
        logs = reader.logs(limit=LOG_LINES, newest_first=True)
        found.logs = [(entry.level, entry.message) for entry in reversed(logs)]
    return found


def _ends(episodes: list[EpisodeRecord], total: int) -> list[float]:
    """Return the steps taken by the end of each episode, the last one at ``total`` at most."""
    sums = list(itertools.accumulate(episode.length for episode in episodes))
    before = max(0, total - sums[-1]) if sums else 0
    return [float(before + value) for value in sums]


def _throughput(episodes: list[EpisodeRecord], ends: list[float]) -> list[tuple[float, float]]:
    """Return the pace between episode ends, over at least ``PACE_S`` each: seconds, steps/s."""
    found: list[tuple[float, float]] = []
    times = [episode.end_ns for episode in episodes]
    begun = min((episode.start_ns for episode in episodes), default=0)
    since_ns, since_steps = begun, ends[0] - episodes[0].length if episodes else 0.0
    for time_ns, steps in zip(times, ends, strict=True):
        seconds = (time_ns - since_ns) / 1e9
        if seconds >= PACE_S and since_ns:
            found.append(((time_ns - begun) / 1e9, (steps - since_steps) / seconds))
            since_ns, since_steps = time_ns, steps
    return found


def _newest_frame(reader: Any, stream: int, known: Any) -> Any:
    indices = reader.frame_indices(stream)
    return reader.frame(stream, indices[-1]) if indices else known


def _row(step: StepRecord) -> tuple[Any, ...]:
    flags = step.flags | STEP_TERMINATED * step.terminated | STEP_TRUNCATED * step.truncated
    observation = step.observation
    if observation is not None and not isinstance(observation, str):
        observation = json.dumps(observation, separators=(",", ":"))
    return (
        step.stream,
        step.episode,
        step.step,
        step.action,
        step.reward,
        flags,
        step.agent,
        observation or "",
    )
