"""The one entry for telemetry: agents' batches and human sessions' records."""

from __future__ import annotations

import stat

import pytest
from store_samples import steps_batch

from gym_gui.core.errors import ProtocolError, RunNotFoundError, StorageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import (
    STEP_HUMAN,
    EpisodeRecord,
    ResetRecord,
    RunSpec,
    StepRecord,
)
from gym_gui.services.storage import StorageRecorderService, read_episode
from gym_gui.services.telemetry import TelemetryService
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.run_bus import Policy, topic


@pytest.fixture
def service(data_dir: DataDir):
    with TelemetryService(data_dir.create()) as found:
        yield found


def session(episode: int, steps: int = 3) -> list[ResetRecord | StepRecord | EpisodeRecord]:
    first = episode * steps
    return [
        ResetRecord(0, episode, seed=episode, observation=[0.0, float("inf")]),
        *(
            StepRecord(
                stream=0,
                index=first + i,
                episode=episode,
                step=i,
                action=[0.5, 1.0],
                reward=1.0,
                terminated=i == steps - 1,
                truncated=False,
                observation={"a": [1, 2]},
                flags=STEP_HUMAN,
                proposed_action=[0.0, 0.0],
            )
            for i in range(steps)
        ),
        EpisodeRecord(0, episode, steps, float(steps), True, False, first_index=first),
    ]


def test_a_batch_reaches_store_and_subscribers_with_its_streams_numbered(service):
    told = []
    live = service.bus.subscribe([topic("run-1")], policy=Policy.NEWEST_FIRST)
    service.open_run(
        "run-1",
        spec=RunSpec("run-1", "script", [], "/"),
        on_committed=lambda batches, totals: told.append(totals.steps),
    )
    service.open_run("run-1")
    assert service.high_water("run-1", "7-abc") == 0
    assert service.publish(steps_batch(0, 50))
    assert service.publish(steps_batch(0, 50, channel="8-x"))
    assert service.flush("run-1")
    assert [batch.stream_ids for batch in live.take()] == [{0: 0}, {0: 1}]
    assert service.high_water("run-1", "7-abc") == 50
    assert service.statistics("run-1").sink.steps == 100
    assert told[-1] == 100
    assert service.close_run("run-1").left == 0
    assert service.close_run("run-1").written == 0


def test_the_committed_mark_is_read_from_the_file_at_the_next_opening(service):
    service.open_run("run-1")
    service.publish(steps_batch(0, 50))
    service.close_run("run-1")
    service.open_run("run-1")
    assert service.high_water("run-1", "7-abc") == 50


def test_what_cannot_be_is_refused_before_the_bus(service):
    with pytest.raises(RunNotFoundError):
        service.publish(steps_batch(0, 1))
    service.open_run("run-1")
    wrong = steps_batch(0, 5)
    wrong.steps.reward = [1.0]
    with pytest.raises(ProtocolError):
        service.publish(wrong)
    nameless = steps_batch(0, 5)
    nameless.run_id = ""
    with pytest.raises(ProtocolError):
        service.publish(nameless)
    assert service.bus.published == 0


def test_a_human_session_is_kept_in_store_and_ring(service, data_dir, tmp_path):
    service.open_run("run-1")
    with StorageRecorderService(tmp_path / "ring") as recorder:
        seq = 1
        for episode in range(2):
            records = session(episode)
            assert service.record(
                "run-1", records, channel="human", first_seq=seq, recorder=recorder
            )
            seq += len(records)
        files = recorder.paths()
    service.close_run("run-1")
    assert [len(read_episode(file)) for file in files] == [5, 5]
    assert read_episode(files[1]) == session(1)
    with RunReader(data_dir.run("run-1").store) as reader:
        step = reader.steps(0, 4, 1)[0]
        assert (step.action, step.proposed_action) == ([0.5, 1.0], [0.0, 0.0])
        assert step.flags & STEP_HUMAN
        assert step.observation == {"a": [1, 2]}
        assert reader.reset(0, 1) == session(1)[0]
        assert reader.totals()["episodes"] == 2
        assert reader.channels() == {"human": 10}


def test_the_ring_lets_the_oldest_episodes_go(tmp_path):
    with StorageRecorderService(tmp_path / "ring", max_episodes=3) as recorder:
        for episode in range(5):
            for record in session(episode):
                recorder.record(record)
        stats = recorder.statistics()
        assert (stats.episodes, stats.removed) == (3, 2)
        assert [read_episode(path)[0].episode for path in recorder.paths()] == [2, 3, 4]
        assert stat.S_IMODE(recorder.paths()[0].stat().st_mode) == 0o600
    with StorageRecorderService(tmp_path / "ring", max_episodes=3) as again:
        for record in session(5):
            again.record(record)
        assert [read_episode(path)[0].episode for path in again.paths()] == [3, 4, 5]


def test_the_ring_is_bounded_in_bytes_too_but_keeps_the_newest(tmp_path):
    with StorageRecorderService(tmp_path / "ring", max_bytes=10) as recorder:
        for episode in range(3):
            for record in session(episode):
                recorder.record(record)
        assert len(recorder.paths()) == 1


def test_an_episode_torn_in_the_middle_keeps_its_whole_lines(tmp_path):
    with StorageRecorderService(tmp_path / "ring") as recorder:
        for record in session(0):
            recorder.record(record)
        (path,) = recorder.paths()
    path.write_bytes(path.read_bytes()[:-10])
    assert read_episode(path) == session(0)[:-1]
    path.write_text('{"type":"mood"}\n')
    with pytest.raises(StorageError):
        read_episode(path)
