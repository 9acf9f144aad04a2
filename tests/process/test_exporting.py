"""Exports read back through the programs they are made for."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import gymnasium
import minari
import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from gym_gui.core.errors import ReplayError, StorageError, UsageError
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import EpisodeRecord, ResetRecord, RunSpec, RunState, StepRecord
from gym_gui.services.exporting import Export, export, pictures
from gym_gui.services.exporting.work import ExportCancelledError
from gym_gui.services.importing import import_minari
from gym_gui.services.registry import RunRegistry
from gym_gui.services.telemetry import batch_of
from gym_gui.services.verify import verify_run
from gym_gui.telemetry.batch import EventEntry, MetricEntry, RecordBatch
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

EPISODES = 3


def play(env: gymnasium.Env, episode: int, first: int) -> list:
    observation, _ = env.reset(seed=episode)
    env.action_space.seed(episode)
    records: list = [ResetRecord(0, episode, seed=episode, observation=observation.tolist())]
    total, ended, truncated, step = 0.0, False, False, 0
    while not (ended or truncated):
        action = int(env.action_space.sample())
        observation, reward, ended, truncated, _ = env.step(action)
        total += float(reward)
        records.append(
            StepRecord(
                0, first + step, episode, step, action, float(reward), ended, truncated,
                observation=observation.tolist(), time_ns=10**18 + first + step,
            )
        )  # fmt: skip
        step += 1
    begin = 10**18 + first
    records.append(
        EpisodeRecord(
            0, episode, step, total, ended, truncated, begin, begin + step, first_index=first
        )
    )
    return records


@pytest.fixture
def run_dir(data_dir: DataDir) -> RunDir:
    data_dir.create()
    spec = RunSpec("run-1", "script", [], "/")
    with RunRegistry(data_dir) as registry:
        registry.add(spec, state=RunState.FINISHED)
    folder = data_dir.run("run-1")
    folder.root.mkdir()
    env = gymnasium.make("CartPole-v1")
    assert env.spec is not None
    stream = {"stream": 0, "env_id": "CartPole-v1", "spec": env.spec.to_json()}
    records: list = []
    for episode in range(EPISODES):
        steps = sum(isinstance(record, StepRecord) for record in records)
        records += play(env, episode, steps)
    env.close()
    with TelemetrySQLiteStore(folder.store) as store, store.atomic():
        store.write_spec(spec)
        store.write(RecordBatch("c", 1, 1, events=[EventEntry(1, "stream", stream)]))
        store.write(batch_of(records, run_id="run-1", channel="c", first_seq=2))
        metrics = [MetricEntry(900 + i, "loss", i / 2, i, 10**18) for i in range(5)]
        store.write(RecordBatch("c", 900, 905, metrics=metrics))
    return folder


def steps_of(run_dir: RunDir) -> list[StepRecord]:
    with RunReader(run_dir.store) as reader:
        return reader.steps(0, 0, 10_000)


def test_tables_hold_what_was_recorded(run_dir, tmp_path):
    steps = steps_of(run_dir)
    assert export(run_dir, Export(tmp_path / "s.csv")) == len(steps)
    with (tmp_path / "s.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [json.loads(row["observation"]) for row in rows] == [s.observation for s in steps]
    assert [int(row["action"]) for row in rows] == [s.action for s in steps]
    export(run_dir, Export(tmp_path / "s.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [line["observation"] for line in lines] == [s.observation for s in steps]
    assert [line["terminated"] for line in lines] == [s.terminated for s in steps]
    export(run_dir, Export(tmp_path / "s.parquet"))
    table = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    assert table["reward"].to_pylist() == [s.reward for s in steps]
    assert export(run_dir, Export(tmp_path / "e.parquet", what="episodes")) == EPISODES
    assert export(run_dir, Export(tmp_path / "m.csv", what="metrics")) == 5


def test_a_minari_dataset_reads_back_with_equal_contents(run_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    export(run_dir, Export(Path("cartpole/random-v0"), "minari"))
    dataset = minari.load_dataset("cartpole/random-v0")
    steps = steps_of(run_dir)
    assert dataset.total_episodes == EPISODES
    assert dataset.total_steps == len(steps)
    for number, episode in enumerate(dataset.iterate_episodes()):
        mine = [step for step in steps if step.episode == number]
        assert np.array_equal(episode.actions, [step.action for step in mine])
        assert np.array_equal(episode.rewards, [step.reward for step in mine])
        recorded = np.array([step.observation for step in mine], dtype=np.float32)
        assert np.array_equal(episode.observations[1:], recorded)
        assert list(episode.terminations) == [step.terminated for step in mine]
    with pytest.raises(UsageError, match="exists"):
        export(run_dir, Export(Path("cartpole/random-v0"), "minari"))
    with pytest.raises(UsageError):
        export(run_dir, Export(Path("no version"), "minari"))
    with pytest.raises(UsageError, match="no id"):
        export(run_dir, Export(Path("no_version"), "minari"))
    (tmp_path / "file").write_text("")
    with monkeypatch.context() as changed:
        changed.setenv("MINARI_DATASETS_PATH", str(tmp_path / "file" / "datasets"))
        with pytest.raises(StorageError, match="cannot be written"):
            export(run_dir, Export(Path("cartpole/random-v1"), "minari"))
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["cartpole"]


def test_event_files_read_back_through_tensorboard(run_dir, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert export(run_dir, Export(tmp_path / "tb", "tensorboard")) == 2 * EPISODES + 5
    found = EventAccumulator(str(tmp_path / "tb")).Reload()
    assert [event.value for event in found.Scalars("loss")] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert len(found.Scalars("episode/return")) == EPISODES


def test_a_folder_that_holds_anything_is_left_as_it_is(run_dir, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    export(run_dir, Export(mine, "tensorboard"))
    before = sorted(mine.iterdir())
    assert len(before) == 1
    with pytest.raises(UsageError, match="not empty"):
        export(run_dir, Export(mine, "tensorboard"))
    assert sorted(mine.iterdir()) == before


def test_pictures_that_change_their_size_fill_the_video_of_the_first(tmp_path):
    import imageio_ffmpeg

    frames = [np.full((size, size + 9, 3), size, np.uint8) for size in (33, 50, 20)]
    assert pictures._mp4(tmp_path / "v.mp4", iter(frames), lambda: 10.0) == 3
    assert imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "v.mp4"))[0] == 3


def test_an_episode_becomes_a_video_an_animation_and_a_picture(run_dir, tmp_path):
    length = sum(step.episode == 1 for step in steps_of(run_dir))
    wanted = {"episode": 1, "stream": 0}
    assert export(run_dir, Export(tmp_path / "e.mp4", hud=True, **wanted)) == length + 1
    assert (tmp_path / "e.mp4").read_bytes()[4:8] == b"ftyp"
    assert export(run_dir, Export(tmp_path / "e.gif", **wanted)) == length + 1
    with Image.open(tmp_path / "e.gif") as image:
        assert getattr(image, "n_frames", 1) > 1
    assert export(run_dir, Export(tmp_path / "e.png", step=2, **wanted)) == 1
    with Image.open(tmp_path / "e.png") as image:
        assert image.size == (600, 400)


def test_an_export_broken_off_leaves_nothing_and_the_old_file(run_dir, tmp_path):
    for name in ("s.csv", "e.gif"):
        (tmp_path / name).write_text("before")
        with pytest.raises(ExportCancelledError):
            export(run_dir, Export(tmp_path / name, episode=1), progress=lambda done, total: False)
        assert (tmp_path / name).read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "e.gif", "s.csv"]


def test_what_cannot_be_written_says_why(run_dir, tmp_path):
    with pytest.raises(UsageError, match="ending"):
        export(run_dir, Export(tmp_path / "x.doc"))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        export(run_dir, Export(tmp_path / "file" / "x.csv"))


def test_the_commands_export_and_repair(run_dir, gym_gui, tmp_path):
    done = gym_gui("export", "last", tmp_path / "r.csv", "--what", "episodes", "--json")
    assert json.loads(done.stdout)["written"] == EPISODES, done.stderr
    assert json.loads(gym_gui("repair", "last", "--json").stdout)["was_sound"]
    with run_dir.store.open("r+b") as file:
        file.write(b"\0" * 200)
    mended = gym_gui("repair", "last", "--json")
    assert mended.returncode == 0, mended.stderr
    assert Path(json.loads(mended.stdout)["damaged_file"]).exists()
    assert json.loads(gym_gui("repair", "last", "--json").stdout)["was_sound"]


def test_a_minari_dataset_comes_back_as_a_run(run_dir, data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    export(run_dir, Export(Path("cartpole/random-v0"), "minari"))
    record = import_minari(data_dir, "cartpole/random-v0")
    assert (record.episodes, record.spec.env_id) == (EPISODES, "CartPole-v1")
    with pytest.raises(ReplayError, match="imported without the state"):
        verify_run(data_dir.run(record.run_id))
    mine, theirs = steps_of(run_dir), steps_of(data_dir.run(record.run_id))
    assert [step.action for step in theirs] == [step.action for step in mine]
    assert [step.observation for step in theirs] == [step.observation for step in mine]
    with RunRegistry(data_dir) as registry:
        assert registry.get(record.run_id).steps == len(mine)
    with pytest.raises(UsageError, match="no dataset"):
        import_minari(data_dir, "nothing/here-v0")
    with pytest.raises(ExportCancelledError):
        import_minari(data_dir, "cartpole/random-v0", progress=lambda done, total: False)
    for damaged in (tmp_path / "datasets").rglob("*.arrow"):
        damaged.write_bytes(b"no")
    with pytest.raises(UsageError, match="cannot be read"):
        import_minari(data_dir, "cartpole/random-v0")
    assert len(list(data_dir.runs.iterdir())) == 2


def test_a_tensorboard_folder_comes_back_as_a_run(run_dir, gym_gui, data_dir, tmp_path):
    export(run_dir, Export(tmp_path / "tb", "tensorboard"))
    done = gym_gui("import", tmp_path / "tb", "--json")
    record = json.loads(done.stdout)
    with RunReader(data_dir.run(record["run_id"]).store) as reader:
        assert [metric.value for metric in reader.metrics("loss")] == [0.0, 0.5, 1.0, 1.5, 2.0]
        assert len(reader.metrics("episode/return")) == EPISODES
    (tmp_path / "empty").mkdir()
    assert "no TensorBoard scalars" in gym_gui("import", tmp_path / "empty").stderr
