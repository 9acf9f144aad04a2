"""Finished episodes as a Minari dataset, in Minari's own folder, readable by ``minari`` itself."""

from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gym_gui.core.errors import StorageError, UsageError
from gym_gui.core.records import (
    STEP_HUMAN,
    STEP_INTERVENTION,
    EpisodeRecord,
    StepRecord,
    StreamInfo,
)
from gym_gui.services.exporting.work import Progress, advance
from gym_gui.telemetry.reader import RunReader

_ROOT = "MINARI_DATASETS_PATH"
_root_lock = threading.Lock()  # the variable belongs to the whole process


def write_dataset(
    store: Path,
    dataset_id: str,
    *,
    progress: Progress,
    stream: int | None = None,
    author: str = "",
    by_human: bool = False,
) -> Path:
    """Write all finished episodes under ``dataset_id`` (``name-v0``); return the folder.

    by_human: only those in which a human acted. Their infos tell for each step whether the
    action was the ``human``'s and an ``intervention``, and what the policy had proposed.

    Needs whole observations and an environment that can be made here. Raises UsageError with the
    cause otherwise, and for an id that is taken.
    """
    minari, buffer = _minari()
    from minari.dataset.minari_dataset import parse_dataset_id

    try:
        parse_dataset_id(dataset_id)
    except (ValueError, TypeError) as error:  # TypeError: of an id without a version
        raise UsageError(
            f"{dataset_id} is no id of a dataset.",
            next_step="Use one such as cartpole/human-v0.",
        ) from error
    root = _root()
    folder = root / dataset_id
    if folder.exists():
        raise UsageError(f"A dataset {dataset_id} exists.", next_step="Choose another version.")
    with RunReader(store) as reader:
        info = _stream(reader, stream)
        spec, spaces = _spaces(info)
        found = _episodes(reader, info.stream, spaces, buffer, progress)
        chosen = (made for made, human in found if human or not by_human)
        episodes = [replace(made, id=number) for number, made in enumerate(chosen)]
    if not episodes:
        cause = "In no finished episode a human acted." if by_human else "No episode has ended."
        raise UsageError(cause, next_step="Choose another run.")
    try:
        _create(minari, root, dataset_id, episodes, spec, spaces, author, info)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written: {error.strerror or error}.",
            next_step=f"Make room, or name another folder in {_ROOT}.",
        ) from error
    return folder


def _create(
    minari: Any,
    root: Path,
    dataset_id: str,
    episodes: Sequence[Any],
    spec: Any,
    spaces: tuple[Any, Any],
    author: str,
    info: StreamInfo,
) -> None:
    """Let minari write it aside, and move it to its place once it is whole."""
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".gym-gui-", dir=root) as part, _datasets_in(Path(part)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is left out on purpose
            minari.create_dataset_from_buffers(
                dataset_id,
                episodes,
                env=spec,
                observation_space=spaces[0],
                action_space=spaces[1],
                author=author or None,
                description=f"Recorded by gym-gui from {info.env_id}.",
                data_format="arrow",
                jpeg_encoding=False,
            )
        folder = root / dataset_id
        folder.parent.mkdir(parents=True, exist_ok=True)
        (Path(part) / dataset_id).replace(folder)


def read_dataset(dataset_id: str) -> Any:
    """Return Minari's own view of a dataset. Raises UsageError when it is not there, or damaged."""
    minari, _ = _minari()
    try:
        return minari.load_dataset(dataset_id)
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no dataset {dataset_id} here.", next_step="`minari list local` names them."
        ) from error
    except Exception as error:
        raise unreadable(dataset_id, error) from error


def unreadable(dataset_id: str, error: Exception) -> UsageError:
    """Return what to say of a dataset whose files are damaged."""
    return UsageError(
        f"The dataset {dataset_id} cannot be read: {error}.",
        next_step=f"Its files are in {_root() / dataset_id}; download or make it again.",
    )


def _minari() -> tuple[Any, Any]:
    try:
        import minari
        from minari.data_collector import EpisodeBuffer
    except ImportError as error:
        raise UsageError(
            "Minari datasets need minari and pyarrow.",
            next_step="Install them: pip install 'gym-gui[export]'.",
        ) from error
    return minari, EpisodeBuffer


def _root() -> Path:
    chosen = os.environ.get(_ROOT)
    return Path(chosen) if chosen else Path.home() / ".minari" / "datasets"


@contextmanager
def _datasets_in(folder: Path) -> Iterator[None]:
    with _root_lock:
        before = os.environ.get(_ROOT)
        os.environ[_ROOT] = str(folder)
        try:
            yield
        finally:
            if before is None:
                del os.environ[_ROOT]
            else:
                os.environ[_ROOT] = before


def _stream(reader: RunReader, stream: int | None) -> StreamInfo:
    found = [info for info in reader.streams() if stream is None or info.stream == stream]
    with_episodes = [info for info in found if reader.episodes(stream=info.stream, limit=1)]
    if not with_episodes:
        raise UsageError("No episode of the run has ended.", next_step="Choose another run.")
    return with_episodes[0]


def _spaces(info: StreamInfo) -> tuple[Any, tuple[Any, Any]]:
    """Return the environment's spec and its (observation, action) spaces."""
    import gymnasium
    from gymnasium.envs.registration import EnvSpec

    if not info.spec_json or "pettingzoo" in json.loads(info.spec_json):
        why = info.note or "Minari keeps environments of one agent"
        raise UsageError(
            f"{info.env_id} cannot become a Minari dataset: {why}.",
            next_step="A table holds its steps too: .parquet, .csv or .jsonl.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what gymnasium thinks of the environment
            spec = EnvSpec.from_json(info.spec_json)
            env = gymnasium.make(spec)
    except Exception as error:
        raise UsageError(
            f"The environment {info.env_id} cannot be made here: {error}.",
            next_step="Install its package beside gym-gui.",
        ) from error
    spaces = env.observation_space, env.action_space
    env.close()
    return spec, spaces


def _episodes(
    reader: RunReader, stream: int, spaces: tuple[Any, Any], buffer: Any, progress: Progress
) -> Iterator[tuple[Any, bool]]:
    """Yield each finished episode, and whether a human acted in it."""
    records = reader.episodes(stream=stream)
    for number, record in enumerate(records):
        advance(progress, number, len(records))
        if record.terminated or record.truncated:
            yield _episode(reader, record, number, spaces, buffer)


def _episode(
    reader: RunReader, record: EpisodeRecord, number: int, spaces: tuple[Any, Any], buffer: Any
) -> tuple[Any, bool]:
    steps = reader.episode_steps(record.stream, record.episode)
    reset = reader.reset(record.stream, record.episode)
    if reset is None or len(steps) != record.length:
        raise UsageError(
            f"Episode {record.episode} is not whole.", next_step="`gym-gui repair` names gaps."
        )
    seen = [reset.observation, *(step.observation for step in steps)]
    human = any(step.flags & STEP_HUMAN for step in steps)
    made = buffer(
        id=number,
        seed=reset.seed,
        options=None,
        observations=_column(spaces[0], seen),
        actions=_column(spaces[1], [step.action for step in steps]),
        rewards=[step.reward for step in steps],
        terminations=[step.terminated for step in steps],
        truncations=[step.truncated for step in steps],
        infos=_infos(spaces[1], steps) if human else None,
    )
    return made, human


def _infos(space: Any, steps: Sequence[StepRecord]) -> dict[str, Any]:
    """Return who acted, one entry for the reset and one a step, as interactive imitation needs.

    proposed_action: the policy's; -1 or NaN where it was not asked.
    """
    infos: dict[str, Any] = {
        "human": [False, *(bool(step.flags & STEP_HUMAN) for step in steps)],
        "intervention": [False, *(bool(step.flags & STEP_INTERVENTION) for step in steps)],
    }
    if any(step.proposed_action is not None for step in steps):
        proposed = [None, *(step.proposed_action for step in steps)]
        kind = type(space).__name__
        if kind == "Discrete":
            infos["proposed_action"] = [-1 if a is None else int(a) for a in proposed]
        elif kind == "Box":
            none = np.full(space.shape, np.nan)
            infos["proposed_action"] = [
                none if a is None else np.asarray(a, np.float64) for a in proposed
            ]
    return infos


def _column(space: Any, values: Sequence[Any]) -> Any:
    """Return recorded values as Minari's buffers hold those of a space."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return {
            name: _column(part, [value[name] for value in values])
            for name, part in space.spaces.items()
        }
    if isinstance(space, spaces.Tuple):
        return tuple(
            _column(part, [value[place] for value in values])
            for place, part in enumerate(space.spaces)
        )
    return [_leaf(space, value) for value in values]


def _leaf(space: Any, value: Any) -> Any:
    if value is None or (isinstance(value, dict) and "crc32" in value):
        raise UsageError(
            "Its observations were recorded as checksums only.",
            next_step="Record the run with whole observations.",
        )
    if isinstance(value, str):
        return value
    return np.asarray(value, dtype=space.dtype).reshape(space.shape or ())
