"""Each kind of worker: the same numbers plain and watched, bit for bit, and recorded exactly."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from watching import Watched, run_plain, run_watched

from gym_gui.services.workers.base import PROGRAMS
from gym_gui.worker.describe import env_id, spec_text

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PURSUIT = json.dumps({"n_pursuers": 4, "n_evaders": 4, "max_cycles": 60, "shared_reward": False})
RUNS = {
    "own_environment": (EXAMPLES / "own_environment.py", "--episodes", "15"),
    "bdi": (PROGRAMS / "bdi.py", "--episodes", "30"),
    "bdi_minigrid": (PROGRAMS / "bdi.py", "--program", "door_key", "--episodes", "5"),
    "bdi_spade": (PROGRAMS / "bdi.py", "--episodes", "3", "--runtime", "spade"),
    "pettingzoo_four_together": (
        *(PROGRAMS / "multi_agent_train.py", "--env-id", "sisl/pursuit_v5", "--parallel"),
        *("--env-options", PURSUIT, "--episodes", "3"),
    ),
    "pettingzoo_four_in_turns": (
        *(PROGRAMS / "multi_agent_train.py", "--env-id", "sisl/pursuit_v5"),
        *("--env-options", PURSUIT, "--episodes", "2"),
    ),
}
SEEN = ("pettingzoo_four_together", "pettingzoo_four_in_turns")  # long enough for a viewer
SB3 = {
    "PPO": ("--n-steps", "128", "--total-timesteps", "1024", "--num-envs", "2"),
    "DQN": ("--total-timesteps", "1024", "--hyperparameters", '{"learning_starts": 100}'),
}


def both(tmp_path: Path, script: Path, *words: str) -> tuple[str, Watched]:
    """Run plain and watched; return the plain run's last line and the watched run."""
    command = [sys.executable, str(script), *words]
    for part in ("plain", "watched"):
        (tmp_path / part).mkdir()
    plain = run_plain(command, tmp_path / "plain")
    assert plain.returncode == 0, plain.stderr
    watched = run_watched(command, tmp_path / "watched", tmp_path / "data")
    assert watched.done.returncode == 0, watched.done.stderr
    return plain.stdout.splitlines()[-1], watched


@pytest.mark.parametrize("name", RUNS)
def test_a_watched_run_ends_in_the_same_numbers(name: str, tmp_path: Path) -> None:
    told, watched = both(tmp_path, *RUNS[name])  # type: ignore[arg-type]
    assert watched.done.stdout.splitlines()[-1] == told
    assert watched.counted.steps == int(re.search(r"steps=(\d+)", told)[1])  # type: ignore[index]
    assert watched.counted.warnings == []
    assert watched.frames or name not in SEEN
    sums = [float(value) for value in re.findall(r"return_sum\S*?=(\S+)", told)]
    if len(sums) == 1:
        assert sum(watched.counted.returns) == sums[0]
    else:
        assert sum(watched.counted.returns) == pytest.approx(sum(sums), abs=1e-9)


@pytest.mark.torch
@pytest.mark.parametrize("algorithm", SB3)
def test_stable_baselines3_learns_the_same_while_watched(algorithm: str, tmp_path: Path) -> None:
    words = ("--algorithm", algorithm, "--output", "out", *SB3[algorithm])
    told, watched = both(tmp_path, PROGRAMS / "sb3_train.py", *words)
    without_time = re.compile(r" seconds=.*")
    last = watched.done.stdout.splitlines()[-1]
    assert without_time.sub("", last) == without_time.sub("", told)
    found = re.search(r"timesteps=(\d+) episodes=(\d+) return_sum=(\S+)", told)
    assert found
    counted = watched.counted
    assert (counted.steps, counted.episodes) == (int(found[1]), int(found[2]))
    assert sum(counted.returns) == float(found[3])
    assert _weights(tmp_path / "plain") == _weights(tmp_path / "watched")


def _weights(folder: Path) -> dict[str, bytes]:
    import torch
    from stable_baselines3.common.save_util import load_from_zip_file

    _, parameters, _ = load_from_zip_file(folder / "out" / "final.zip", device="cpu")
    state = parameters["policy"]
    return {
        name: value.numpy().tobytes() for name, value in state.items() if torch.is_tensor(value)
    }


class EnvPoolsSpec:
    """As EnvPool's: neither made by gymnasium nor to be made again by it."""

    class config:
        task_name = "Pong"


def test_a_vector_of_another_library_is_named_and_not_made_again() -> None:
    class Vector:
        spec = EnvPoolsSpec()

    assert env_id(Vector()) == "Pong"
    text, why = spec_text(Vector())
    assert text == ""
    assert "not made by gymnasium.make" in why
