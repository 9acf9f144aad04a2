"""Watch a policy that a script in CleanRL's style saved, without training it.

The script is imported, not run: its ``make_env`` and its network are used as they are. Statistics
that a normalising wrapper gathered during the training are not in the file, so such policies are
watched with fresh ones.
"""

import argparse
import importlib.util
import inspect
import sys
from pathlib import Path

NETWORKS = ("Agent", "Actor", "QNetwork")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--script", required=True, help="the script that trained it")
    parser.add_argument("--checkpoint", required=True, help="the file it saved")
    parser.add_argument("--env-id", default="CartPole-v1", help="the environment")
    parser.add_argument("--episodes", type=int, default=10, help="episodes to play")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first episode")
    return parser.parse_args()


def load_script(path):
    """Import the script under another name, so that its training does not begin."""
    path = Path(path).resolve()
    sys.path[:0] = [str(path.parent), str(path.parent.parent)]
    spec = importlib.util.spec_from_file_location("evaluated_script", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def call_with(function, known):
    """Call ``function`` with those of ``known`` that it takes."""
    names = inspect.signature(function).parameters
    missing = [
        name
        for name, parameter in names.items()
        if name not in known and parameter.default is parameter.empty
    ]
    if missing:
        raise SystemExit(f"{function.__name__} takes {', '.join(missing)}: not known here.")
    return function(**{name: known[name] for name in names if name in known})


def load_network(module, envs, checkpoint):
    """Return the script's network with the saved weights."""
    import torch

    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    settings = {}
    if isinstance(saved, dict) and "model_weights" in saved:
        settings, saved = saved.get("args", {}), saved["model_weights"]
    weights = saved[0] if isinstance(saved, (tuple, list)) else saved
    names = [name for name in NETWORKS if hasattr(module, name)]
    if not names:
        raise SystemExit(f"{module.__file__} has none of the classes {', '.join(NETWORKS)}.")
    network = call_with(getattr(module, names[0]), {**settings, "envs": envs, "env": envs})
    network.load_state_dict(weights)
    return network.eval()


def choose(network, observation):
    """Return the policy's actions: its distribution's, its deterministic ones, or the best."""
    import torch

    tensor = torch.as_tensor(observation, dtype=torch.float32)
    with torch.no_grad():
        for name in ("get_action_and_value", "get_action"):
            if hasattr(network, name):
                return getattr(network, name)(tensor)[0].numpy()
        answer = network(tensor)
        if type(network).__name__ == "QNetwork":
            return answer.argmax(dim=1).numpy()
        return answer.numpy()


def main():
    args = arguments()
    import gymnasium

    module = load_script(args.script)
    known = {
        "env_id": args.env_id,
        "seed": args.seed,
        "idx": 0,
        "capture_video": False,
        "run_name": "evaluation",
        "gamma": 0.99,
    }
    envs = gymnasium.vector.SyncVectorEnv([call_with(module.make_env, known)])
    network = load_network(module, envs, args.checkpoint)
    observation, _ = envs.reset(seed=args.seed)
    played, total = 0, 0.0
    while played < args.episodes:
        observation, reward, terminated, truncated, _ = envs.step(choose(network, observation))
        total += float(reward[0])
        if terminated[0] or truncated[0]:
            print(f"evaluation episode={played} return={total!r}", flush=True)
            played, total = played + 1, 0.0
    envs.close()


if __name__ == "__main__":
    main()
