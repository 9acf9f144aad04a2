"""The short form of ``tests/stress/chaos.py``, and what else may go wrong around a run."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stress.chaos import VICTIMS, WORKER, Chaos, stored_indices
from waiting import wait_until

from gym_gui.core.errors import UsageError
from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord, RunSpec, RunState
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon, stop_daemon
from gym_gui.services.trainer.files import read_json


@pytest.fixture
def chaos(data_dir: DataDir) -> Iterator[Chaos]:
    found = Chaos(data_dir.create(), seed=4)
    yield found
    found.close()


@pytest.mark.parametrize(
    "victims",
    [("worker",), ("proxy",), ("daemon",), ("daemon", "proxy"), ("proxy", "viewer"), VICTIMS],
    ids="+".join,
)
def test_every_step_is_stored_once_whoever_is_killed(
    chaos: Chaos, victims: tuple[str, ...]
) -> None:
    found = chaos.round(victims)
    assert not found.problem, found


@pytest.mark.parametrize("victims", [("worker",), VICTIMS], ids="+".join)
def test_every_packed_step_is_stored_once(chaos: Chaos, victims: tuple[str, ...]) -> None:
    found = chaos.round(victims, vector=True)
    assert not found.problem, found


def _spec(data_dir: DataDir, steps: int, rate_hz: float) -> RunSpec:
    count = str(data_dir.root / "count")
    command = [sys.executable, str(WORKER), count, str(steps), str(rate_hz)]
    return RunSpec(new_run_id("test"), "script", command, str(data_dir.root))


def _wait_for_end(data_dir: DataDir, run_id: str) -> RunRecord:
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        wait_until(lambda: client.get_run(run_id).state.is_final, timeout_s=60)
        return client.get_run(run_id)


def _submit(data_dir: DataDir, spec: RunSpec) -> None:
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        client.submit_run(spec)


def test_a_run_whose_daemon_is_down_from_first_to_last_step_is_stored_whole(
    chaos: Chaos, data_dir: DataDir
) -> None:
    spec = _spec(data_dir, 800, 4000.0)
    _submit(data_dir, spec)
    os.kill(daemon_status(data_dir).pid, signal.SIGKILL)
    run_dir = data_dir.run(spec.run_id)
    wait_until(lambda: (read_json(run_dir.supervisor) or {}).get("ended_ns"), timeout_s=60)
    record = _wait_for_end(data_dir, spec.run_id)
    assert (record.state, record.steps) == (RunState.FINISHED, 800)
    assert stored_indices(run_dir) == list(range(800))


def test_a_locked_database_delays_the_rows_and_loses_none(chaos: Chaos, data_dir: DataDir) -> None:
    spec = _spec(data_dir, 800, 2000.0)
    _submit(data_dir, spec)
    run_dir = data_dir.run(spec.run_id)
    wait_until(run_dir.store.exists)
    other = sqlite3.connect(run_dir.store, timeout=20)
    other.execute("BEGIN IMMEDIATE")
    wait_until(lambda: (read_json(run_dir.supervisor) or {}).get("ended_ns"), timeout_s=60)
    other.rollback()
    other.close()
    record = _wait_for_end(data_dir, spec.run_id)
    assert (record.state, record.steps) == (RunState.FINISHED, 800)


def test_a_torn_last_line_is_set_aside_and_what_came_before_is_kept(
    chaos: Chaos, data_dir: DataDir
) -> None:
    spec = _spec(data_dir, 400, 4000.0)
    _submit(data_dir, spec)
    os.kill(daemon_status(data_dir).pid, signal.SIGKILL)
    run_dir = data_dir.run(spec.run_id)
    wait_until(lambda: (read_json(run_dir.supervisor) or {}).get("ended_ns"), timeout_s=60)
    wait_until(lambda: daemon_status(data_dir).pid == 0)
    channel = next(folder for folder in run_dir.spool.iterdir() if folder.is_dir())
    segment = max(channel.glob("*.jsonl"))
    with segment.open("ab") as file:
        file.write(b'{"type":"step","seq":99999,"str')
    record = _wait_for_end(data_dir, spec.run_id)
    assert (record.state, record.steps) == (RunState.FINISHED, 400)
    assert "broken off" in run_dir.rejected.read_text()


def test_a_line_that_is_no_record_is_counted_and_the_rest_is_kept(
    chaos: Chaos, data_dir: DataDir, tmp_path: Path
) -> None:
    script = tmp_path / "worker.py"
    lines = [
        '{"type":"step","action":1,"reward":1.0,"observation":[0.5]}',
        '{"type":"step","action":1,"reward":"much"}',
        '{"type":"nonsense"}',
        '{"type":"step","action":1,"reward":2.0,"observation":[0.5]}',
    ]
    script.write_text("".join(f"print({line!r}, flush=True)\n" for line in lines))
    command = [sys.executable, str(script)]
    spec = RunSpec(new_run_id("test"), "script", command, str(tmp_path))
    _submit(data_dir, spec)
    record = _wait_for_end(data_dir, spec.run_id)
    assert (record.state, record.steps, record.rejected) == (RunState.FINISHED, 2, 2)
    assert len(data_dir.run(spec.run_id).rejected.read_text().splitlines()) == 2


def test_a_run_is_paused_as_long_as_somebody_says_so(chaos: Chaos, data_dir: DataDir) -> None:
    spec = _spec(data_dir, 3000, 2000.0)
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        client.submit_run(spec)

        def state() -> RunState:
            return client.get_run(spec.run_id).state

        wait_until(lambda: client.get_run(spec.run_id).steps > 0)
        client.control(spec.run_id, paused=True)
        wait_until(lambda: state() is RunState.PAUSED, timeout_s=2.5)
        client.control(spec.run_id)
        wait_until(lambda: state() is not RunState.PAUSED, timeout_s=2.5)
        wait_until(lambda: state().is_final)
        with pytest.raises(UsageError, match="over"):
            client.control(spec.run_id, paused=True)


def test_stopping_the_daemon_leaves_a_run_going_and_the_next_daemon_takes_it_up(
    chaos: Chaos, data_dir: DataDir
) -> None:
    spec = _spec(data_dir, 1500, 2000.0)
    _submit(data_dir, spec)
    run_dir = data_dir.run(spec.run_id)
    wait_until(run_dir.supervisor.exists)
    stop_daemon(data_dir)
    record = _wait_for_end(data_dir, spec.run_id)
    assert (record.state, record.steps) == (RunState.FINISHED, 1500)
