"""Many runs of one script: submitted by one line, so many at a time as were allowed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec, RunState
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import ensure_daemon, stop_daemon

SLEEPER = """
import os, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
"""
TRAIN = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--lr", type=float, default=0.1)
print(parser.parse_args())
"""


@pytest.fixture
def client(data_dir: DataDir) -> Iterator[SyncTrainerClient]:
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        yield client
    stop_daemon(data_dir)


def submit(client: SyncTrainerClient, folder: Path, name: str) -> None:
    (folder / "sleep.py").write_text(SLEEPER)
    command = [sys.executable, str(folder / "sleep.py"), str(folder / f"stop-{name}")]
    spec = RunSpec(name, "script", command, str(folder), group="sweep", group_limit=1)
    client.submit_run(spec)


def test_no_more_runs_of_a_group_train_at_once_than_were_allowed(
    client: SyncTrainerClient, data_dir: DataDir, tmp_path: Path
) -> None:
    def states() -> list[RunState]:
        return [client.get_run(name).state for name in ("a", "b", "c", "d")]

    for name in ("a", "b", "c", "d"):
        submit(client, tmp_path, name)
    queued = RunState.QUEUED
    wait_until(lambda: states() == [RunState.RUNNING, queued, queued, queued])
    client.cancel_run("b")
    assert client.get_run("b").state is RunState.CANCELLED
    (tmp_path / "stop-a").touch()
    wait_until(lambda: states()[2] is RunState.RUNNING)
    assert states()[3] is queued

    stop_daemon(data_dir)  # what waits goes on waiting under the next daemon
    with SyncTrainerClient(ensure_daemon(data_dir)) as second:
        wait_until(lambda: second.get_run("c").state is RunState.RUNNING)
        assert second.get_run("d").state is queued
        (tmp_path / "stop-c").touch()
        (tmp_path / "stop-d").touch()
        wait_until(lambda: second.get_run("d").state is RunState.FINISHED)


def test_one_line_trains_every_combination(gym_gui, data_dir: DataDir, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    sweeps = ("--sweep", "seed=1-2", "--sweep", "lr=0.1,0.5", "--at-once", "2")
    done = gym_gui("run", "--headless", "--json", *sweeps, "--", str(script))
    try:
        runs = json.loads(done.stdout)
        assert [(run["name"], run["state"]) for run in runs] == [
            (f"train seed={seed} lr={lr}", "finished") for seed in (1, 2) for lr in ("0.1", "0.5")
        ]
        said = data_dir.run(runs[3]["run_id"]).stdout.read_text()
        assert said.strip() == "Namespace(seed=2, lr=0.5)"
        assert len({run["group"] for run in runs}) == 1
    finally:
        gym_gui("daemon", "stop")


def test_a_sweep_that_says_nothing_is_refused(gym_gui, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    done = gym_gui("run", "--headless", "--sweep", "seed", "--", str(script))
    assert done.returncode == 2
    assert "seed=1-5" in done.stderr
