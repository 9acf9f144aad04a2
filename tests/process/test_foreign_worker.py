"""A worker in another language: its printed records and pictures."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec, RunState
from gym_gui.fastlane import FastLaneReader, FastLaneState
from gym_gui.fastlane.liveness import rings
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import ensure_daemon, stop_daemon
from gym_gui.telemetry.reader import RunReader

PIXELS = bytes(range(24))  # 2 rows, 4 columns
WORKER = """
import json, sys, time
stop = sys.argv[1]
payload = {"width": 4, "height": 2, "channels": 3, "data": sys.argv[2]}
step = 0
import os
while not os.path.exists(stop):
    print(json.dumps({"type": "step", "action": step % 2, "reward": 0.5, "terminated": False,
        "truncated": False, "observation": [step], "render_payload": payload}), flush=True)
    step += 1
    time.sleep(0.005)
print("stepped", step)
"""


@pytest.fixture
def client(data_dir: DataDir) -> Iterator[SyncTrainerClient]:
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        yield client
    stop_daemon(data_dir)


def test_a_printed_picture_is_shown_live_and_its_step_is_stored(
    client: SyncTrainerClient, data_dir: DataDir, tmp_path: Path
) -> None:
    script, stop = tmp_path / "worker.py", tmp_path / "stop"
    script.write_text(WORKER)
    words = [str(stop), base64.b64encode(PIXELS).decode()]
    command = [sys.executable, str(script), *words]
    spec = RunSpec(new_run_id("test"), "script", command, str(tmp_path))
    client.submit_run(spec)
    wait_until(lambda: rings(spec.run_id, data_dir.ring_dir))
    with FastLaneReader.attach(spec.run_id, ring_dir=data_dir.ring_dir) as first:
        first.lease(60.0, 0.05, 30.0)
        wait_until(lambda: first.latest_frame()[0] is FastLaneState.REPLACED)
    with FastLaneReader.attach(spec.run_id, ring_dir=data_dir.ring_dir) as reader:
        reader.lease(60.0, 0.05, 30.0)
        frame = wait_until(lambda: reader.latest_frame()[1])
        assert (frame.data, frame.height, frame.width) == (PIXELS, 2, 4)
        assert frame.metrics.last_reward == 0.5
    stop.touch()
    wait_until(lambda: client.get_run(spec.run_id).state.is_final)
    record = client.get_run(spec.run_id)
    stepped = int(data_dir.run(spec.run_id).stdout.read_text().split()[-1])
    assert (record.state, record.steps, record.rejected) == (RunState.FINISHED, stepped, 0)
    with RunReader(data_dir.run(spec.run_id).store) as stored:
        assert [step.observation for step in stored.steps(0, 0, 3)] == [[0], [1], [2]]
