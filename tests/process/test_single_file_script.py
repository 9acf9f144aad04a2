"""A single-file PPO in CleanRL's style, byte for byte as its author left it, watched and recorded.

Nothing may change: what the watched run prints (every return, and the sum of its final weights)
is what it prints where nothing of ours is loaded.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DATA_DIR_VARIABLE
from gym_gui.fastlane import FastLaneReader, FastLaneState
from gym_gui.telemetry.reader import RunReader

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "ppo.py"
STEPS, ENVS = 4096, 4
LEARNT = re.compile(r"^(?:global_step|total_steps)=.*$", re.MULTILINE)  # all but its speed


def words(vector, log_dir):
    return [
        "--env-id", "CartPole-v1", "--total-timesteps", str(STEPS), "--seed", "7",
        "--vector", vector, "--log-dir", str(log_dir),
    ]  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("vector", ["sync", "async"])
def test_an_unmodified_ppo_script_is_watched_and_recorded_and_learns_the_same(
    gym_gui, tmp_path, vector
):
    script = shutil.copy(SCRIPT, tmp_path / "train.py")
    plain = subprocess.run(
        [sys.executable, script, *words(vector, tmp_path / "plain")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    watched, seen = train_watched(gym_gui, script, words(vector, tmp_path / "watched"))

    assert LEARNT.findall(watched) == LEARNT.findall(plain.stdout)
    assert seen, "no frame was shown"
    assert Path(script).read_bytes() == SCRIPT.read_bytes()

    printed = [float(value) for value in re.findall(r"episodic_return=([\d.]+)", plain.stdout)]
    folder = next(gym_gui.data_dir.runs.iterdir())
    with RunReader(folder / "telemetry.sqlite") as store:
        ended = [e for e in store.episodes() if e.terminated or e.truncated]
        assert sorted(e.return_ for e in ended) == sorted(printed)
        steps = store.totals()["steps"]
        ((resets,),) = store.query("SELECT count(*) FROM resets")
        names = store.metric_names()
    # The script's own count has the vector steps in which gymnasium 1.x resets an environment.
    assert steps + resets - ENVS == STEPS
    assert {"losses/policy_loss", "charts/episodic_return"} <= set(names)


def train_watched(gym_gui, script, arguments):
    """Run it as a user would, with a viewer that asks for every picture; return its output."""
    program = subprocess.Popen(
        [sys.executable, "-m", "gym_gui", "run", "--follow", "--", script, *arguments],
        env={**os.environ, DATA_DIR_VARIABLE: str(gym_gui.data_dir.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = 0
    reader = None
    try:
        while program.poll() is None:
            reader = reader or attach(gym_gui)
            if reader is not None:
                reader.lease(60.0, 0.5, 5.0)
                state, _ = reader.latest_frame()
                seen += state is FastLaneState.FRAME
                if state not in (FastLaneState.FRAME, FastLaneState.IDLE):
                    reader.close()
                    reader = None
    finally:
        if reader is not None:
            reader.close()
    output, errors = program.communicate(timeout=60)
    assert program.returncode == 0, errors
    return output, seen


def attach(gym_gui):
    for folder in gym_gui.data_dir.runs.glob("*"):
        try:
            return FastLaneReader.attach(folder.name, ring_dir=gym_gui.data_dir.ring_dir)
        except GymGuiError:
            continue
    return None
