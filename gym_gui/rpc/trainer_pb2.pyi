from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class SubmitRunRequest(_message.Message):
    __slots__ = ("spec_json", "environment_json")
    SPEC_JSON_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_JSON_FIELD_NUMBER: _ClassVar[int]
    spec_json: str
    environment_json: str
    def __init__(self, spec_json: _Optional[str] = ..., environment_json: _Optional[str] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("run_id", "spec_json", "state", "created_ns", "started_ns", "ended_ns", "exit_code", "signal", "cause", "steps", "episodes", "last_return", "best_return", "rejected", "dropped", "size_bytes", "trouble")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_JSON_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_NS_FIELD_NUMBER: _ClassVar[int]
    STARTED_NS_FIELD_NUMBER: _ClassVar[int]
    ENDED_NS_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    LAST_RETURN_FIELD_NUMBER: _ClassVar[int]
    BEST_RETURN_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    spec_json: str
    state: str
    created_ns: int
    started_ns: int
    ended_ns: int
    exit_code: int
    signal: int
    cause: str
    steps: int
    episodes: int
    last_return: float
    best_return: float
    rejected: int
    dropped: int
    size_bytes: int
    trouble: str
    def __init__(self, run_id: _Optional[str] = ..., spec_json: _Optional[str] = ..., state: _Optional[str] = ..., created_ns: _Optional[int] = ..., started_ns: _Optional[int] = ..., ended_ns: _Optional[int] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., cause: _Optional[str] = ..., steps: _Optional[int] = ..., episodes: _Optional[int] = ..., last_return: _Optional[float] = ..., best_return: _Optional[float] = ..., rejected: _Optional[int] = ..., dropped: _Optional[int] = ..., size_bytes: _Optional[int] = ..., trouble: _Optional[str] = ...) -> None: ...

class RunList(_message.Message):
    __slots__ = ("runs",)
    RUNS_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    def __init__(self, runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ...) -> None: ...

class WorkerHello(_message.Message):
    __slots__ = ("run_id", "worker_id", "report_json", "stdout", "stdout_from", "stderr", "stderr_from")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_JSON_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FROM_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    STDERR_FROM_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    worker_id: str
    report_json: str
    stdout: bytes
    stdout_from: int
    stderr: bytes
    stderr_from: int
    def __init__(self, run_id: _Optional[str] = ..., worker_id: _Optional[str] = ..., report_json: _Optional[str] = ..., stdout: _Optional[bytes] = ..., stdout_from: _Optional[int] = ..., stderr: _Optional[bytes] = ..., stderr_from: _Optional[int] = ...) -> None: ...

class ControlReport(_message.Message):
    __slots__ = ("run_id", "frame")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    frame: LiveFrame
    def __init__(self, run_id: _Optional[str] = ..., frame: _Optional[_Union[LiveFrame, _Mapping]] = ...) -> None: ...

class Control(_message.Message):
    __slots__ = ("pace", "watch")
    PACE_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    pace: Pace
    watch: Watch
    def __init__(self, pace: _Optional[_Union[Pace, _Mapping]] = ..., watch: _Optional[_Union[Watch, _Mapping]] = ...) -> None: ...

class Pace(_message.Message):
    __slots__ = ("paused", "max_steps_per_s")
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_PER_S_FIELD_NUMBER: _ClassVar[int]
    paused: bool
    max_steps_per_s: float
    def __init__(self, paused: _Optional[bool] = ..., max_steps_per_s: _Optional[float] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ("is_watched", "demands")
    IS_WATCHED_FIELD_NUMBER: _ClassVar[int]
    DEMANDS_FIELD_NUMBER: _ClassVar[int]
    is_watched: bool
    demands: _containers.RepeatedCompositeFieldContainer[RingDemand]
    def __init__(self, is_watched: _Optional[bool] = ..., demands: _Optional[_Iterable[_Union[RingDemand, _Mapping]]] = ...) -> None: ...

class RingDemand(_message.Message):
    __slots__ = ("stream", "wanted_hz", "budget", "taken", "view")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    WANTED_HZ_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    stream: str
    wanted_hz: float
    budget: float
    taken: int
    view: int
    def __init__(self, stream: _Optional[str] = ..., wanted_hz: _Optional[float] = ..., budget: _Optional[float] = ..., taken: _Optional[int] = ..., view: _Optional[int] = ...) -> None: ...

class FrameDemand(_message.Message):
    __slots__ = ("run_id", "demands")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    DEMANDS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    demands: _containers.RepeatedCompositeFieldContainer[RingDemand]
    def __init__(self, run_id: _Optional[str] = ..., demands: _Optional[_Iterable[_Union[RingDemand, _Mapping]]] = ...) -> None: ...

class LiveFrame(_message.Message):
    __slots__ = ("rings", "stream", "step", "episode", "last_reward", "rolling_return", "step_rate_hz", "height", "width", "channels", "row_stride", "format", "tiles", "columns", "pixels", "environments", "first", "why_not")
    RINGS_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    LAST_REWARD_FIELD_NUMBER: _ClassVar[int]
    ROLLING_RETURN_FIELD_NUMBER: _ClassVar[int]
    STEP_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    ROW_STRIDE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    WHY_NOT_FIELD_NUMBER: _ClassVar[int]
    rings: _containers.RepeatedScalarFieldContainer[str]
    stream: str
    step: int
    episode: int
    last_reward: float
    rolling_return: float
    step_rate_hz: float
    height: int
    width: int
    channels: int
    row_stride: int
    format: str
    tiles: int
    columns: int
    pixels: bytes
    environments: int
    first: int
    why_not: str
    def __init__(self, rings: _Optional[_Iterable[str]] = ..., stream: _Optional[str] = ..., step: _Optional[int] = ..., episode: _Optional[int] = ..., last_reward: _Optional[float] = ..., rolling_return: _Optional[float] = ..., step_rate_hz: _Optional[float] = ..., height: _Optional[int] = ..., width: _Optional[int] = ..., channels: _Optional[int] = ..., row_stride: _Optional[int] = ..., format: _Optional[str] = ..., tiles: _Optional[int] = ..., columns: _Optional[int] = ..., pixels: _Optional[bytes] = ..., environments: _Optional[int] = ..., first: _Optional[int] = ..., why_not: _Optional[str] = ...) -> None: ...

class FetchRequest(_message.Message):
    __slots__ = ("run_id", "have")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    HAVE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    have: str
    def __init__(self, run_id: _Optional[str] = ..., have: _Optional[str] = ...) -> None: ...

class FileChunk(_message.Message):
    __slots__ = ("mark", "name", "data", "is_last", "size_bytes")
    MARK_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    mark: str
    name: str
    data: bytes
    is_last: bool
    size_bytes: int
    def __init__(self, mark: _Optional[str] = ..., name: _Optional[str] = ..., data: _Optional[bytes] = ..., is_last: _Optional[bool] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class SetControlRequest(_message.Message):
    __slots__ = ("run_id", "paused", "max_steps_per_s")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_PER_S_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    paused: bool
    max_steps_per_s: float
    def __init__(self, run_id: _Optional[str] = ..., paused: _Optional[bool] = ..., max_steps_per_s: _Optional[float] = ...) -> None: ...

class Health(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("run_id", "channel")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    channel: str
    def __init__(self, run_id: _Optional[str] = ..., channel: _Optional[str] = ...) -> None: ...

class Publication(_message.Message):
    __slots__ = ("hello", "batch", "condition")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    batch: Batch
    condition: Condition
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ..., condition: _Optional[_Union[Condition, _Mapping]] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("run_id", "room", "dropped")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    room: str
    dropped: int
    def __init__(self, run_id: _Optional[str] = ..., room: _Optional[str] = ..., dropped: _Optional[int] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("channel", "committed")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    channel: str
    committed: int
    def __init__(self, channel: _Optional[str] = ..., committed: _Optional[int] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("run_id", "channel", "first_seq", "last_seq", "steps", "episodes", "resets", "metrics", "logs", "frames", "events", "rejected", "skipped")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    RESETS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    channel: str
    first_seq: int
    last_seq: int
    steps: Steps
    episodes: _containers.RepeatedCompositeFieldContainer[Episode]
    resets: _containers.RepeatedCompositeFieldContainer[Reset]
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    logs: _containers.RepeatedCompositeFieldContainer[Log]
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    rejected: int
    skipped: int
    def __init__(self, run_id: _Optional[str] = ..., channel: _Optional[str] = ..., first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ..., steps: _Optional[_Union[Steps, _Mapping]] = ..., episodes: _Optional[_Iterable[_Union[Episode, _Mapping]]] = ..., resets: _Optional[_Iterable[_Union[Reset, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., logs: _Optional[_Iterable[_Union[Log, _Mapping]]] = ..., frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., rejected: _Optional[int] = ..., skipped: _Optional[int] = ...) -> None: ...

class Cells(_message.Message):
    __slots__ = ("kinds", "integers", "floats", "texts")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    INTEGERS_FIELD_NUMBER: _ClassVar[int]
    FLOATS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    kinds: bytes
    integers: bytes
    floats: bytes
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kinds: _Optional[bytes] = ..., integers: _Optional[bytes] = ..., floats: _Optional[bytes] = ..., texts: _Optional[_Iterable[str]] = ...) -> None: ...

class Steps(_message.Message):
    __slots__ = ("count", "stream", "index", "episode", "step", "action", "reward", "flags", "time_ns", "observation", "agent", "proposed_action")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REWARD_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    OBSERVATION_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_ACTION_FIELD_NUMBER: _ClassVar[int]
    count: int
    stream: bytes
    index: bytes
    episode: bytes
    step: bytes
    action: Cells
    reward: bytes
    flags: bytes
    time_ns: bytes
    observation: str
    agent: _containers.RepeatedScalarFieldContainer[str]
    proposed_action: Cells
    def __init__(self, count: _Optional[int] = ..., stream: _Optional[bytes] = ..., index: _Optional[bytes] = ..., episode: _Optional[bytes] = ..., step: _Optional[bytes] = ..., action: _Optional[_Union[Cells, _Mapping]] = ..., reward: _Optional[bytes] = ..., flags: _Optional[bytes] = ..., time_ns: _Optional[bytes] = ..., observation: _Optional[str] = ..., agent: _Optional[_Iterable[str]] = ..., proposed_action: _Optional[_Union[Cells, _Mapping]] = ...) -> None: ...

class Episode(_message.Message):
    __slots__ = ("stream", "episode", "agent", "length", "terminated", "truncated", "start_ns", "end_ns", "first_index", "success")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    RETURN_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    END_NS_FIELD_NUMBER: _ClassVar[int]
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    stream: int
    episode: int
    agent: str
    length: int
    terminated: bool
    truncated: bool
    start_ns: int
    end_ns: int
    first_index: int
    success: bool
    def __init__(self, stream: _Optional[int] = ..., episode: _Optional[int] = ..., agent: _Optional[str] = ..., length: _Optional[int] = ..., terminated: _Optional[bool] = ..., truncated: _Optional[bool] = ..., start_ns: _Optional[int] = ..., end_ns: _Optional[int] = ..., first_index: _Optional[int] = ..., success: _Optional[bool] = ..., **kwargs) -> None: ...

class Reset(_message.Message):
    __slots__ = ("stream", "episode", "json", "time_ns")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    stream: int
    episode: int
    json: str
    time_ns: int
    def __init__(self, stream: _Optional[int] = ..., episode: _Optional[int] = ..., json: _Optional[str] = ..., time_ns: _Optional[int] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("seq", "name", "value", "global_step", "time_ns")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_STEP_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    name: str
    value: float
    global_step: int
    time_ns: int
    def __init__(self, seq: _Optional[int] = ..., name: _Optional[str] = ..., value: _Optional[float] = ..., global_step: _Optional[int] = ..., time_ns: _Optional[int] = ...) -> None: ...

class Log(_message.Message):
    __slots__ = ("seq", "level", "message", "time_ns")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    level: str
    message: str
    time_ns: int
    def __init__(self, seq: _Optional[int] = ..., level: _Optional[str] = ..., message: _Optional[str] = ..., time_ns: _Optional[int] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("seq", "stream", "index", "episode", "step", "height", "width", "channels", "format", "pixels")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    stream: int
    index: int
    episode: int
    step: int
    height: int
    width: int
    channels: int
    format: str
    pixels: bytes
    def __init__(self, seq: _Optional[int] = ..., stream: _Optional[int] = ..., index: _Optional[int] = ..., episode: _Optional[int] = ..., step: _Optional[int] = ..., height: _Optional[int] = ..., width: _Optional[int] = ..., channels: _Optional[int] = ..., format: _Optional[str] = ..., pixels: _Optional[bytes] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("seq", "event", "json", "time_ns")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    event: str
    json: str
    time_ns: int
    def __init__(self, seq: _Optional[int] = ..., event: _Optional[str] = ..., json: _Optional[str] = ..., time_ns: _Optional[int] = ...) -> None: ...
