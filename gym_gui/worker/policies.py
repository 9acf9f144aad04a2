"""Saved policies as functions from an observation to an action, in the environment's process.

random                          any action; in a game, any legal one
python   file.py:function       a callable that takes the observation
python   package.module:name
sb3      model.zip              a Stable-Baselines3 model, its algorithm told by the file
cleanrl  model.cleanrl_model    a state dictionary, and the script that saved it
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable

from gym_gui.core.errors import GymGuiError

KINDS = ("random", "python", "sb3", "cleanrl")
Policy = Callable[[Any], Any]


class PolicyError(GymGuiError):
    """A policy cannot be loaded, or does not fit the environment."""


def load(source: dict[str, str], env: Any) -> Policy:
    """Return the policy of ``{"kind": .., "path": .., "script": ..}`` for ``env``.

    Raises PolicyError with the cause.
    """
    loaders = {"random": _random, "python": _python, "sb3": _sb3, "cleanrl": _cleanrl}
    kind = source.get("kind", "")
    if kind not in loaders:
        raise PolicyError(f"A policy of the kind {kind!r} is not known.")
    try:
        return loaders[kind](source, env)
    except PolicyError:
        raise
    except ImportError as error:
        raise PolicyError(
            f"The policy needs {error.name or error}, which is not installed in {sys.executable}."
        ) from error
    except (Exception, SystemExit) as error:
        raise PolicyError(f"The policy cannot be loaded: {error}") from error


def fitted(env: Any, action: Any) -> Any:
    """Return a policy's action in the shape of the space: of a vector of one, its number.

    Raises PolicyError for no action at all.
    """
    if action is None:
        raise PolicyError("it gave no action")
    shape = getattr(env.action_space, "shape", None)
    if shape == () and getattr(action, "shape", ()) == (1,):
        return action[0]
    return action


def _random(_source: dict[str, str], env: Any) -> Policy:
    def choose(observation: Any) -> Any:
        mask = observation.get("action_mask") if isinstance(observation, dict) else None
        return env.action_space.sample() if mask is None else env.action_space.sample(mask)

    return choose


def _python(source: dict[str, str], _env: Any) -> Policy:
    place, _, name = source["path"].rpartition(":")
    if not place:
        raise PolicyError("Name the function too, such as policy.py:act.")
    if place.endswith(".py"):
        path = Path(place).expanduser().resolve()
        if not path.is_file():
            raise PolicyError(f"There is no file {path}.")
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    found = getattr(module, name, None)
    if not callable(found):
        raise PolicyError(f"{place} has no function {name}.")
    return found


def _sb3(source: dict[str, str], env: Any) -> Policy:
    path = Path(source["path"]).expanduser()
    name = sb3_algorithm(path)
    model = getattr(importlib.import_module("stable_baselines3"), name).load(path, device="cpu")
    bare = model.observation_space.__class__.__name__ != "Dict"
    theirs = env.observation_space
    if bare and theirs.__class__.__name__ == "Dict" and "observation" in theirs.spaces:
        theirs = theirs["observation"]
    _check_shape(model.observation_space, theirs)

    def choose(observation: Any) -> Any:
        mask = None
        if bare and isinstance(observation, dict):
            mask, observation = observation.get("action_mask"), observation["observation"]
        action = model.predict(observation, deterministic=True)[0]
        legal = mask is None or mask[int(action)]
        return action if legal else env.action_space.sample(mask)

    return choose


def sb3_algorithm(path: Path) -> str:
    """Return the class that saved a Stable-Baselines3 file. Raises PolicyError."""
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise PolicyError(f"{path} is no model of Stable-Baselines3: {error}.") from error
    module = str((data.get("policy_class") or {}).get("__module__", ""))
    if module.startswith("stable_baselines3.common"):
        return "PPO" if "clip_range" in data else "A2C"
    for name in ("DQN", "SAC", "TD3"):
        if module == f"stable_baselines3.{name.lower()}.policies":
            return name
    raise PolicyError(f"The algorithm of {path.name} is not known (its policy is of {module}).")


def _cleanrl(source: dict[str, str], env: Any) -> Policy:
    import gymnasium

    from gym_gui.worker.programs import cleanrl_evaluate as cleanrl

    if not source.get("script"):
        raise PolicyError("A CleanRL checkpoint needs the script that saved it.")
    module = cleanrl.load_script(source["script"])
    envs = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make(env.spec)])
    network = cleanrl.load_network(module, envs, source["path"])
    envs.close()

    def choose(observation: Any) -> Any:
        import numpy

        return cleanrl.choose(network, numpy.asarray(observation)[None])[0]

    return choose


def _check_shape(wanted: Any, given: Any) -> None:
    mine, theirs = getattr(wanted, "shape", None), getattr(given, "shape", None)
    images = mine is not None and len(mine) == 3 and sorted(mine) == sorted(theirs or ())
    if mine != theirs and not images:
        raise PolicyError(
            f"The policy was trained on observations of shape {mine}, this environment gives "
            f"{theirs}: it saw them through wrappers of its script."
        )
