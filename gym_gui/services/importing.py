"""Data of others as runs to look at and compare: Minari datasets and TensorBoard folders.

An import is a finished run with a store of its own. One that fails leaves no run behind.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gym_gui.core.errors import GymGuiError, UsageError
from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir, private_dir
from gym_gui.core.records import (
    EpisodeRecord,
    ResetRecord,
    RunRecord,
    RunSpec,
    RunState,
    StepRecord,
)
from gym_gui.services.exporting.work import Progress, advance, silent
from gym_gui.services.registry import RunRegistry
from gym_gui.services.replay import IMPORTED
from gym_gui.services.telemetry import SessionRecord, batch_of
from gym_gui.telemetry.batch import EventEntry, MetricEntry, RecordBatch
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

_CHANNEL = "import"
_PAGE = 10_000
Fill = Callable[[TelemetrySQLiteStore, str], None]


def import_minari(data_dir: DataDir, dataset_id: str, *, progress: Progress = silent) -> RunRecord:
    """Make a run of a local Minari dataset: its steps, episodes and first observations.

    Raises UsageError when there is no such dataset, it is damaged, or minari is not installed.
    """
    from gym_gui.services.exporting.minari_dataset import read_dataset, unreadable

    dataset = read_dataset(dataset_id)
    env = dataset.env_spec
    spec = _spec(f"minari {dataset_id}", env_id=env.id if env else "", source=dataset_id)

    def fill(store: TelemetrySQLiteStore, run_id: str) -> None:
        try:
            _fill_minari(store, run_id, dataset, progress)
        except (GymGuiError, MemoryError):
            raise
        except Exception as error:
            raise unreadable(dataset_id, error) from error

    return _make(data_dir, spec, fill)


def import_tensorboard(
    data_dir: DataDir, folder: Path, *, progress: Progress = silent
) -> RunRecord:
    """Make a run of a folder's TensorBoard scalars. Raises UsageError when it holds none."""
    from gym_gui.services.learner_logs import EventFolder

    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", next_step="Check its path.")
    events = EventFolder(folder)
    while events.update():  # a part at a time
        continue
    if not events.scalars:
        raise UsageError(
            f"{folder} holds no TensorBoard scalars.",
            next_step="Name the folder of one run, which holds its event file.",
        )

    def fill(store: TelemetrySQLiteStore, run_id: str) -> None:
        _fill_scalars(store, run_id, events.scalars, progress)

    return _make(data_dir, _spec(folder.name, source=str(folder.absolute())), fill)


def _spec(name: str, *, source: str, env_id: str = "") -> RunSpec:
    return RunSpec(
        run_id=new_run_id("import"),
        worker="import",
        command=[],
        cwd="",
        name=name,
        env_id=env_id,
        config={"source": source},
        created_ns=time.time_ns(),
    )


def _make(data_dir: DataDir, spec: RunSpec, fill: Fill) -> RunRecord:
    data_dir.create()
    folder = data_dir.run(spec.run_id)
    private_dir(folder.root)
    try:
        folder.spec.write_text(json.dumps(spec.to_dict()), encoding="utf-8")
        with TelemetrySQLiteStore(folder.store) as store:
            with store.atomic():
                store.write_spec(spec)
            fill(store, spec.run_id)
            totals = store.totals()
    except BaseException:
        shutil.rmtree(folder.root, ignore_errors=True)
        raise
    with RunRegistry(data_dir) as registry:
        return registry.add(
            spec,
            state=RunState.FINISHED,
            started_ns=spec.created_ns,
            ended_ns=time.time_ns(),
            steps=totals.steps,
            episodes=totals.episodes,
            last_return=totals.last_return,
            best_return=totals.best_return,
            size_bytes=registry.size_bytes(spec.run_id),
        )


def _fill_minari(
    store: TelemetrySQLiteStore, run_id: str, dataset: Any, progress: Progress
) -> None:
    env = dataset.env_spec
    stream = {
        "stream": 0,
        "env_id": env.id if env else "",
        "spec": env.to_json() if env else "",
        "observation_space": str(dataset.observation_space),
        "action_space": str(dataset.action_space),
        "reproducible": False,
        "note": IMPORTED,
    }
    seq, first = 2, 0
    with store.atomic():
        store.write(RecordBatch(_CHANNEL, 1, 1, events=[EventEntry(1, "stream", stream)]))
    for number, episode in enumerate(dataset.iterate_episodes()):
        records = list(_minari_episode(episode, number, first))
        batch = batch_of(records, run_id=run_id, channel=_CHANNEL, first_seq=seq)
        with store.atomic():
            store.write(batch)
        seq, first = batch.last_seq + 1, first + len(batch.steps)
        advance(progress, number + 1, dataset.total_episodes)


def _minari_episode(episode: Any, number: int, first: int) -> Iterator[SessionRecord]:
    """Yield an episode's records; times count steps, since the dataset has none."""
    length = len(episode.rewards)
    yield ResetRecord(0, number, observation=_plain(_at(episode.observations, 0)), time_ns=first)
    for step in range(length):
        yield StepRecord(
            stream=0,
            index=first + step,
            episode=number,
            step=step,
            action=_plain(_at(episode.actions, step)),
            reward=float(episode.rewards[step]),
            terminated=bool(episode.terminations[step]),
            truncated=bool(episode.truncations[step]),
            observation=_plain(_at(episode.observations, step + 1)),
            time_ns=first + step,
        )
    yield EpisodeRecord(
        stream=0,
        episode=number,
        length=length,
        return_=float(np.sum(episode.rewards)),
        terminated=bool(length and episode.terminations[-1]),
        truncated=bool(length and episode.truncations[-1]),
        start_ns=first,
        end_ns=first + length,
        first_index=first,
    )


def _at(column: Any, place: int) -> Any:
    """Return one entry of a column, whose spaces may lie inside one another."""
    if isinstance(column, Mapping):
        return {name: _at(part, place) for name, part in column.items()}
    if isinstance(column, tuple):
        return [_at(part, place) for part in column]
    return column[place]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _fill_scalars(
    store: TelemetrySQLiteStore, run_id: str, scalars: Mapping[str, Any], progress: Progress
) -> None:
    total = sum(len(found.step) for found in scalars.values())
    seq = 1
    for name, found in scalars.items():
        for start in range(0, len(found.step), _PAGE):
            page = slice(start, start + _PAGE)
            entries = _entries(name, seq, found.step[page], found.value[page], found.wall_s[page])
            last_seq = seq + len(entries) - 1
            with store.atomic():
                store.write(RecordBatch(_CHANNEL, seq, last_seq, metrics=entries, run_id=run_id))
            seq = last_seq + 1
            advance(progress, seq - 1, total)


def _entries(
    name: str, seq: int, steps: Sequence[int], values: Sequence[float], walls: Sequence[float]
) -> list[MetricEntry]:
    return [
        MetricEntry(seq + number, name, float(value), int(step), int(wall * 1e9))
        for number, (step, value, wall) in enumerate(zip(steps, values, walls, strict=True))
    ]
