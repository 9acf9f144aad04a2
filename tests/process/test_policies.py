"""Saved policies load and act: files of Stable-Baselines3 and CleanRL, functions, and bad ones."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from gym_gui.worker.policies import PolicyError, load, sb3_algorithm

CLEANRL = """
import torch
class QNetwork(torch.nn.Module):
    def __init__(self, env):
        super().__init__()
        numbers, actions = env.single_observation_space.shape[0], env.single_action_space.n
        self.q = torch.nn.Linear(numbers, int(actions))
    def forward(self, x):
        return self.q(x)
if __name__ == "__main__":
    raise SystemExit("this trains")
"""


@pytest.fixture
def cartpole():
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=1)
    yield env
    env.close()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "env_id"),
    [
        ("PPO", "CartPole-v1"),
        ("A2C", "CartPole-v1"),
        ("DQN", "CartPole-v1"),
        ("SAC", "Pendulum-v1"),
    ],
)
def test_a_stable_baselines3_file_acts_as_its_model_does(tmp_path, name, env_id) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    env = gymnasium.make(env_id)
    model = getattr(sb3, name)("MlpPolicy", env, seed=1)
    model.save(tmp_path / "model.zip")
    assert sb3_algorithm(tmp_path / "model.zip") == name
    act = load({"kind": "sb3", "path": str(tmp_path / "model.zip")}, env)
    observation, _ = env.reset(seed=3)
    expected, _ = model.predict(observation, deterministic=True)
    assert np.array_equal(act(observation), expected)
    env.close()


@pytest.mark.torch
def test_a_model_of_other_observations_is_refused(tmp_path, cartpole) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    sb3.PPO("MlpPolicy", "Pendulum-v1").save(tmp_path / "model.zip")
    with pytest.raises(PolicyError, match=r"shape \(3,\), this environment gives \(4,\)"):
        load({"kind": "sb3", "path": str(tmp_path / "model.zip")}, cartpole)


@pytest.mark.torch
def test_a_cleanrl_checkpoint_acts_with_its_scripts_network(tmp_path, cartpole) -> None:
    torch = pytest.importorskip("torch")
    script = tmp_path / "ppo.py"
    script.write_text(CLEANRL)
    network = torch.nn.Linear(4, 2)
    with torch.no_grad():
        network.weight[:], network.bias[:] = 0.0, torch.tensor([0.0, 9.0])
    weights = {f"q.{name}": value for name, value in network.state_dict().items()}
    torch.save(weights, tmp_path / "q.cleanrl_model")
    source = {"kind": "cleanrl", "path": str(tmp_path / "q.cleanrl_model")}
    act = load({**source, "script": str(script)}, cartpole)
    assert int(act(np.ones(4, np.float32))) == 1
    with pytest.raises(PolicyError, match="needs the script"):
        load(source, cartpole)


def test_a_function_of_a_file_or_a_module(tmp_path, cartpole) -> None:
    (tmp_path / "mine.py").write_text("def act(observation):\n    return 1\n")
    assert load({"kind": "python", "path": f"{tmp_path / 'mine.py'}:act"}, cartpole)(None) == 1
    assert load({"kind": "python", "path": "operator:not_"}, cartpole)(0) is True


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing.py", "Name the function"),
        ("nothing.py:act", "There is no file"),
        ("operator:nothing", "no function"),
        ("no_such_module:act", "not installed"),
    ],
)
def test_a_function_that_is_not_there_is_named(cartpole, path, words) -> None:
    with pytest.raises(PolicyError, match=words):
        load({"kind": "python", "path": path}, cartpole)


def test_a_script_that_fails_says_what_it_said(tmp_path, cartpole) -> None:
    (tmp_path / "bad.py").write_text("raise SystemExit('no such weights')\n")
    with pytest.raises(PolicyError, match="no such weights"):
        load({"kind": "python", "path": f"{tmp_path / 'bad.py'}:act"}, cartpole)
