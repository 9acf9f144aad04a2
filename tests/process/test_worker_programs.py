"""The programs that ship, run in processes of their own."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gym_gui.core.paths import DataDir
from gym_gui.services.workers import build_spec, get_worker
from gym_gui.services.workers.base import PROGRAMS


def run(program: str, *words: str, cwd: Path, fails: bool = False) -> subprocess.CompletedProcess:
    """Run a program in ``cwd``; it must leave no temporary file behind."""
    with tempfile.TemporaryDirectory() as temporary:
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / program), *words],
            env={**os.environ, "TMPDIR": temporary},
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=120,
            check=False,
        )
        caches = "torchinductor_"  # torch's own, made to stay
        assert [name for name in os.listdir(temporary) if not name.startswith(caches)] == []
    assert bool(done.returncode) == fails, done.stderr
    return done


def records(done: subprocess.CompletedProcess, kind: str) -> list[dict]:
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"type"')]
    return [record for record in map(json.loads, lines) if record["type"] == kind]


def minds(done: subprocess.CompletedProcess) -> list[dict]:
    return [json.loads(record["message"]) for record in records(done, "log")]


@pytest.mark.parametrize("runtime", ["agentspeak", "spade"])
def test_the_frozen_lake_program_reaches_its_goal_every_time(runtime: str, tmp_path: Path) -> None:
    done = run("bdi.py", "--runtime", runtime, "--episodes", "5", cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "steps=40 episodes=5 return_sum=5.0"
    mind = minds(done)
    assert [(m["episode"], m["step"]) for m in mind] == [(e, s) for e in range(5) for s in range(8)]
    assert "position(0, 0)" in mind[0]["beliefs"]
    assert mind[0]["intentions"] == ["go(right, 0, 0, left) <- walk"]
    assert mind[1]["removed"] == ["position(0, 0)"]


def test_the_door_key_program_solves_minigrid(tmp_path: Path) -> None:
    done = run("bdi.py", "--program", "door_key", "--episodes", "5", cwd=tmp_path)
    total = float(re.search(r"return_sum=(\S+)", done.stdout)[1])
    assert "episodes=5" in done.stdout
    assert total > 4.5


COACH = "+!advise(Who) <- .send(Who, tell, advice(right)).\n"
PLAYER = """
!play.
+!play <- .next_episode; .send(coach, achieve, advise(player)).
+advice(Action) <- .act(Action); .print("took", Action); .next_episode.
"""


@pytest.mark.parametrize("runtime", ["agentspeak", "spade"])
def test_agents_exchange_messages(runtime: str, tmp_path: Path) -> None:
    (tmp_path / "coach.asl").write_text(COACH)
    (tmp_path / "player.asl").write_text(PLAYER)
    done = run(
        *("bdi.py", "--program", "player.asl", "--peers", "coach.asl", "--runtime", runtime),
        *("--env-id", "FrozenLake-v1", "--episodes", "1"),
        cwd=tmp_path,
    )
    assert "took right" in done.stdout
    assert "steps=1 " in done.stdout


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("bdi.py", "--runtime", "spade", "--port", port, cwd=tmp_path, fails=True)
    assert f"Port {port} is in use" in done.stderr


def test_a_program_that_fails_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "fly.asl").write_text("!play.\n+!play <- .next_episode; .act(fly).\n")
    done = run(
        "bdi.py", "--program", "fly.asl", "--env-id", "FrozenLake-v1", cwd=tmp_path, fails=True
    )
    assert "no action 'fly'; there are left, down, right, up" in done.stderr


OWN_WORLD = """
ACTIONS = {"push": 1}

def beliefs(env, observation, reward, info):
    yield ("cart", float(observation[0]))
"""


def test_a_world_of_ones_own_gives_beliefs_and_actions(tmp_path: Path) -> None:
    (tmp_path / "world.py").write_text(OWN_WORLD)
    (tmp_path / "cart.asl").write_text(
        "!play.\n+!play <- .next_episode; !!push.\n+!push : over <- !!play.\n"
        "+!push : cart(X) <- .act(push); !!push.\n"
    )
    done = run(
        *("bdi.py", "--program", "cart.asl", "--env-id", "CartPole-v1", "--world", "world.py"),
        *("--episodes", "2"),
        cwd=tmp_path,
    )
    assert re.search(r"steps=\d+ episodes=2 ", done.stdout)


@pytest.mark.torch
@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
def test_stable_baselines3_trains_saves_resumes_and_evaluates(
    algorithm: str, tmp_path: Path
) -> None:
    own = ("--n-steps", "128") if algorithm == "PPO" else ()
    train = ("--algorithm", algorithm, "--total-timesteps", "512", "--output", "out", *own)
    first = run("sb3_train.py", *train, cwd=tmp_path)
    assert "trained timesteps=512 " in first.stdout
    assert "rollout/ep_rew_mean" in {record["name"] for record in records(first, "metric")}
    saved = tmp_path / "out" / "final.zip"
    resumed = run("sb3_train.py", *train, "--resume", str(saved), cwd=tmp_path)
    assert "trained timesteps=1024 " in resumed.stdout
    evaluate = ("--algorithm", algorithm, "--evaluate", str(saved), "--episodes", "2")
    shown = run("sb3_train.py", *evaluate, cwd=tmp_path)
    assert len(records(shown, "metric")) == 2


def test_agents_that_take_turns_learn(tmp_path: Path) -> None:
    done = run("multi_agent_train.py", "--episodes", "300", cwd=tmp_path)
    names = {record["name"] for record in records(done, "metric")}
    assert {"return/player_1", "return/player_2"} <= names
    assert re.search(r"steps=\d+ episodes=300", done.stdout)


def test_four_agents_learn_in_parallel(tmp_path: Path) -> None:
    options = json.dumps({"n_pursuers": 4, "n_evaders": 4, "max_cycles": 50})
    done = run(
        *("multi_agent_train.py", "--env-id", "sisl/pursuit_v5", "--parallel"),
        *("--env-options", options, "--episodes", "2"),
        cwd=tmp_path,
    )
    assert len(re.findall(r"return_sum\[pursuer_\d\]", done.stdout)) == 4


def test_an_unknown_multi_agent_environment_is_named(tmp_path: Path) -> None:
    done = run("multi_agent_train.py", "--env-id", "classic/none_v0", cwd=tmp_path, fails=True)
    assert "There is no PettingZoo environment classic/none_v0" in done.stderr


STYLE = """
import os
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
import tyro


@dataclass
class Args:
    exp_name: str = os.path.basename(__file__)[: -len(".py")]
    seed: int = 1
    env_id: str = "CartPole-v1"


def make_env(env_id, seed, idx, capture_video, run_name):
    def thunk():
        return gym.wrappers.RecordEpisodeStatistics(gym.make(env_id))

    return thunk


class QNetwork(torch.nn.Module):
    def __init__(self, env):
        super().__init__()
        self.network = torch.nn.Linear(int(np.prod(env.single_observation_space.shape)), 2)

    def forward(self, x):
        return self.network(x)


if __name__ == "__main__":
    args = tyro.cli(Args)
    envs = gym.vector.SyncVectorEnv([make_env(args.env_id, args.seed, 0, False, "x")])
    os.makedirs("runs/one")
    torch.save(QNetwork(envs).state_dict(), f"runs/one/{args.exp_name}.cleanrl_model")
"""


@pytest.mark.torch
def test_a_policy_saved_by_a_script_in_cleanrls_style_is_evaluated(tmp_path: Path) -> None:
    script = tmp_path / "dqn.py"
    script.write_text(STYLE)
    worker = get_worker("cleanrl")
    spec = build_spec(worker, {"script": str(script)}, cwd=tmp_path)
    subprocess.run(spec.command, cwd=spec.cwd, check=True, timeout=60)
    (saved,) = worker.checkpoints(spec, DataDir(tmp_path / "data").run(spec.run_id))
    values = worker.evaluation(spec, saved.path)
    assert values is not None
    again = build_spec(worker, {**values, "evaluate_episodes": 3}, cwd=tmp_path)
    assert (spec.mode, again.mode) == ("train", "evaluate")
    done = subprocess.run(
        again.command, cwd=again.cwd, check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.count("evaluation episode=") == 3
