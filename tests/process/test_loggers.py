"""A run's own loggers: the tap tells where they write, so that no run shows another's files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import find_event_folders, told_places
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import ensure_daemon, stop_daemon

WRITER = """
import sys
import gymnasium
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter("runs/shared") as writer:
    for step in range(20):
        writer.add_scalar("loss", float(sys.argv[1]), step)
env = gymnasium.make("CartPole-v1")
env.reset(seed=1)
env.step(0)
env.close()
"""


@pytest.fixture
def client(data_dir: DataDir) -> Iterator[SyncTrainerClient]:
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        yield client
    stop_daemon(data_dir)


@pytest.mark.torch
def test_runs_that_write_into_one_folder_show_each_their_own(
    client: SyncTrainerClient, data_dir: DataDir, tmp_path: Path
) -> None:
    script = tmp_path / "train.py"
    script.write_text(WRITER)
    specs = []
    for name, value in (("first", "1.5"), ("second", "2.5")):
        command = [sys.executable, str(script), value]
        specs.append(RunSpec(name, "script", command, str(tmp_path)))
        client.submit_run(specs[-1])
    for spec, value in zip(specs, (1.5, 2.5), strict=True):
        wait_until(lambda spec=spec: client.get_run(spec.run_id).state.is_final, timeout_s=120)
        run_dir = data_dir.run(spec.run_id)
        (place,) = told_places(run_dir, "tensorboard")
        assert place.path == tmp_path / "runs" / "shared"
        (events,) = find_event_folders(spec, run_dir)
        events.update()
        assert list(events.scalars["loss"].value) == [value] * 20
        # The environment was made by the script, so the run's settings did not tell it.
        wait_until(lambda spec=spec: client.get_run(spec.run_id).spec.env_id == "CartPole-v1")
