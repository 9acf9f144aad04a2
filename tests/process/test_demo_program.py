"""The demonstration's own training, as a plain script."""

import re
import subprocess
import sys
from pathlib import Path

import gym_gui.worker.programs

PROGRAM = Path(gym_gui.worker.programs.__file__).with_name("demo_cartpole.py")


def train(*words):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *words], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def test_the_pole_stays_up_longer_within_half_a_minute_at_the_eye_s_pace():
    output = train("--steps", "1800")  # 30 s at 60 steps/s
    means = [float(mean) for mean in re.findall(r"mean return ([\d.]+)", output)]
    assert means[0] < 15
    assert max(means[-2:]) > 3 * means[0]


def test_it_takes_exactly_the_steps_it_was_given():
    assert "trained: steps=777 " in train("--steps", "777")


def test_the_same_seed_gives_the_same_training():
    assert train("--steps", "500", "--seed", "5") == train("--steps", "500", "--seed", "5")
