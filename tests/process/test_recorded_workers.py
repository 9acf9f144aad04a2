"""Each worker through the whole pipeline: what is recorded is what the program itself reports."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import EpisodeRecord
from gym_gui.telemetry.reader import RunReader


class Recorded:
    """A finished run: what the program printed, and what its file holds."""

    def __init__(self, data_dir: DataDir, summary: dict) -> None:
        self.summary = summary
        self.run: RunDir = data_dir.run(summary["run_id"])
        self.stdout = self.run.stdout.read_text()
        with RunReader(self.run.store) as reader:
            self.steps = reader.totals()["steps"]
            self.episodes: list[EpisodeRecord] = reader.episodes()
            self.metrics = {name: reader.metrics(name) for name in reader.metric_names()}
            self.logs = reader.logs()

    @property
    def finished(self) -> list[EpisodeRecord]:
        return [one for one in self.episodes if one.terminated or one.truncated]

    def reported(self, pattern: str) -> tuple[float, ...]:
        found = re.search(pattern, self.stdout)
        assert found, self.stdout[-2000:]
        return tuple(float(group) for group in found.groups())


@pytest.fixture
def record(gym_gui, data_dir: DataDir):
    def run(*words: object) -> Recorded:
        done = gym_gui("run", "--headless", "--json", *words)
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert (summary["state"], summary["rejected"], summary["dropped"]) == ("finished", 0, 0)
        return Recorded(data_dir, summary)

    return run


def test_a_bdi_run_is_recorded_with_what_the_agent_had_in_mind(record) -> None:
    found = record("--worker", "spade_bdi", "--", "--episodes", "4", "--runtime", "spade")
    counts = found.reported(r"steps=(\d+) episodes=(\d+) return_sum=(\S+)")
    returns = sum(one.return_ for one in found.finished)
    assert (found.steps, len(found.finished), returns) == counts
    minds = [json.loads(line.message) for line in found.logs if line.level == "bdi"]
    assert len(minds) == found.steps
    assert minds[0]["intentions"] == ["go(right, 0, 0, left) <- walk"]


@pytest.mark.torch
@pytest.mark.parametrize("own", [("PPO", "--n-steps", "64", "--num-envs", "2"), ("DQN",)])
def test_a_stable_baselines3_run_is_recorded_exactly(record, own: tuple[str, ...]) -> None:
    words = ("--algorithm", *own, "--total-timesteps", "512")
    found = record("--worker", "sb3", "--", *words)
    counts = found.reported(r"trained timesteps=(\d+) episodes=(\d+) return_sum=(\S+)")
    returns = sum(one.return_ for one in found.finished)
    assert (found.steps, len(found.finished), returns) == counts
    assert found.metrics["rollout/ep_rew_mean"]
    assert (found.run.root / "files" / "final.zip").is_file()


SHELL = """#!/bin/sh
episode=0
while [ $episode -lt 3 ]; do
  step=0
  while [ $step -lt 4 ]; do
    last=false
    [ $step -eq 3 ] && last=true
    printf '{"type":"step","episode":%d,"step":%d,"action":1,"reward":0.5,' $episode $step
    printf '"terminated":%s,"truncated":false,"observation":[1.5]}\\n' $last
    step=$((step + 1))
  done
  printf '{"type":"episode","episode":%d,"length":4,"return":2.0,' $episode
  printf '"terminated":true,"truncated":false}\\n'
  echo "an ordinary line of output"
  episode=$((episode + 1))
done
"""


def test_a_shell_script_is_recorded_through_its_output(record, tmp_path: Path) -> None:
    script = tmp_path / "worker.sh"
    script.write_text(SHELL)
    script.chmod(0o755)
    found = record("--", script)
    assert found.steps == 12
    assert [one.return_ for one in found.finished] == [2.0, 2.0, 2.0]
    assert "an ordinary line of output" in found.stdout
    plain = subprocess.run([str(script)], capture_output=True, text=True, check=True)
    assert found.stdout == plain.stdout, "watching changed what it does"


PURSUIT = {"n_pursuers": 4, "n_evaders": 4, "max_cycles": 40, "shared_reward": False}
IN_PURSUIT = ("--env-id", "sisl/pursuit_v5", "--env-options", json.dumps(PURSUIT))


@pytest.mark.parametrize(
    ("words", "agents"),
    [
        (("--episodes", "10"), ["player_1", "player_2"]),
        (
            (*IN_PURSUIT, "--episodes", "2", "--parallel"),
            [f"pursuer_{number}" for number in range(4)],
        ),
        (
            (*IN_PURSUIT, "--episodes", "1"),
            [f"pursuer_{number}" for number in range(4)],
        ),
    ],
)
def test_every_agents_steps_and_returns_are_recorded(record, words, agents: list[str]) -> None:
    found = record("--worker", "pettingzoo", "--", *words)
    assert found.reported(r"steps=(\d+) ") == (found.steps,)
    (episodes,) = found.reported(r"episodes=(\d+) ")
    for agent in agents:
        (total,) = found.reported(rf"return_sum\[{agent}\]=(\S+)")
        own = [one for one in found.finished if one.agent == agent]
        assert len(own) == episodes
        assert sum(one.return_ for one in own) == pytest.approx(total, abs=1e-9)
