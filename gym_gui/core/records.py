"""Plain data that every layer shares. Standard library only, Python >= 3.9."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, Optional, Sequence


class RunState(str, enum.Enum):
    """Where a run is in its life."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (RunState.FINISHED, RunState.FAILED, RunState.CANCELLED)


class ControlMode(str, enum.Enum):
    """Who may choose actions in a session."""

    HUMAN_ONLY = "human_only"
    AGENT_ONLY = "agent_only"
    HYBRID_TURN_BASED = "hybrid_turn_based"
    HYBRID_TAKE_OVER = "hybrid_take_over"

    @property
    def accepts_human(self) -> bool:
        return self is not ControlMode.AGENT_ONLY


class Observations(str, enum.Enum):
    """How much of each observation is kept."""

    AUTO = "auto"  # whole up to ``max_numbers``, a checksum of the bytes above
    WHOLE = "whole"
    CHECKSUM = "checksum"


class Frames(str, enum.Enum):
    """Which frames the slow lane keeps; re-simulation needs none."""

    OFF = "off"
    EVERY_STEP = "every_step"


class Live(str, enum.Enum):
    """Which environments of each process can be seen live."""

    SINGLE = "single"  # the first one, until a viewer asks for more
    GRID = "grid"  # all, side by side
    OFF = "off"  # no ring: nothing is rendered, and nobody can look


class SpoolPolicy(str, enum.Enum):
    """What happens when the disk has no room for the spool."""

    KEEP = "keep"  # keep all while there is room, then stop recording, loudly and counted
    PAUSE_RUN = "pause-run"
    DROP_AND_COUNT = "drop-and-count"


@dataclass
class Recording:
    """What the slow lane keeps of a run."""

    observations: str = Observations.AUTO.value
    max_numbers: int = 64
    frames: str = Frames.OFF.value
    spool_policy: str = SpoolPolicy.KEEP.value
    spool_limit_bytes: int = 0  # 0: no limit but the disk's


@dataclass
class RunSpec:
    """Everything needed to start a run, and to start it again.

    command: the argument vector, interpreter first, run with ``cwd`` and ``env`` over the
        daemon's environment. Written to ``run.json`` before the launch.
    config: the worker's settings as shown in the form and compared in Analytics.
    render_budget: share of wall time the tap may spend in ``render()``, 0 to 1.
    max_steps_per_s: initial pace, 0 is unlimited.
    live: which environments can be seen, as ``Live``.
    group_limit: while so many runs of its group train, this one waits as QUEUED; 0 never waits.
    """

    run_id: str
    worker: str
    command: list[str]
    cwd: str
    name: str = ""
    env: dict[str, str] = field(default_factory=dict)
    env_id: str = ""
    seed: Optional[int] = None
    config: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    notes: str = ""
    group: str = ""
    mode: str = "train"  # or "evaluate", "human"
    launcher: str = "local"
    recording: Recording = field(default_factory=Recording)
    render_budget: float = 0.05
    max_steps_per_s: float = 0.0
    created_ns: int = 0
    group_limit: int = 0
    live: str = Live.GRID.value

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunSpec:
        """Build from ``to_dict``'s form; unknown keys of a newer version are ignored."""
        known = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        recording = known.get("recording")
        if isinstance(recording, Mapping):
            fields = Recording.__dataclass_fields__
            known["recording"] = Recording(**{k: v for k, v in recording.items() if k in fields})
        return cls(**known)


@dataclass
class RunRecord:
    """One row of the run registry: the spec's outline, the state, and running totals.

    Times are Unix nanoseconds, 0 when not yet known. ``exit_code`` is the worker's;
    ``signal`` the signal that ended it. ``cause`` says in plain words why it failed; ``trouble``
    what keeps its recording waiting at this moment, empty for nothing (never stored).
    """

    run_id: str
    spec: RunSpec
    state: RunState = RunState.QUEUED
    created_ns: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    cause: str = ""
    steps: int = 0
    episodes: int = 0
    last_return: Optional[float] = None
    best_return: Optional[float] = None
    rejected: int = 0
    dropped: int = 0
    size_bytes: int = 0
    trouble: str = ""


STEP_TERMINATED = 1  # flags of a step row
STEP_TRUNCATED = 2
STEP_RESET = 4  # a vector environment's autoreset row: no action was applied
STEP_HUMAN = 8  # a human chose the executed action
STEP_INTERVENTION = 16  # the human overrode the policy's proposal


@dataclass
class StepRecord:
    """One environment step. ``action`` and ``observation`` are plain JSON values.

    stream: index of the environment instance in its run; index: steps of this stream before
    this one; step: steps of this episode before this one; time_ns: Unix nanoseconds.
    """

    stream: int
    index: int
    episode: int
    step: int
    action: Any
    reward: float
    terminated: bool
    truncated: bool
    observation: Any = None
    time_ns: int = 0
    agent: str = ""
    flags: int = 0
    proposed_action: Any = None


@dataclass
class EpisodeRecord:
    """Totals of one finished (or, with neither flag set, broken-off) episode."""

    stream: int
    episode: int
    length: int
    return_: float
    terminated: bool
    truncated: bool
    start_ns: int = 0
    end_ns: int = 0
    agent: str = ""
    success: Optional[bool] = None
    first_index: int = 0


@dataclass
class ResetRecord:
    """What re-simulation needs at the start of an episode."""

    stream: int
    episode: int
    seed: Optional[int] = None
    options: Any = None
    rng_state: Any = None
    snapshot: Optional[str] = None  # base64 of the environment's own state, where it has one
    observation: Any = None
    time_ns: int = 0
    flags: int = 0  # STEP_RESET: it took the place of a step in a vector environment


@dataclass
class MetricRecord:
    """One scalar of the learner."""

    name: str
    value: float
    global_step: int
    time_ns: int = 0


@dataclass
class LogRecord:
    """One line for the run's log."""

    level: str
    message: str
    time_ns: int = 0


@dataclass
class StreamInfo:
    """One environment instance: its place in the run and what re-creates it."""

    stream: int
    channel: str
    instance: int
    env_id: str = ""
    spec_json: str = ""
    render_mode: str = ""
    observation_space: str = ""
    action_space: str = ""
    agents: Sequence[str] = ()
    reproducible: bool = True
    note: str = ""
