"""Makes environments by name, and again from what a run recorded of them."""

from __future__ import annotations

import importlib
import json
from typing import Any

from gym_gui.worker.describe import spec_text
from gym_gui.worker.turn_game import PREFIX, TurnGame

# packages whose import registers environments without an entry point of their own
REGISTERING = ("ale_py", "minigrid", "miniworld", "highway_env", "gymnasium_robotics", "shimmy")


def make(env_id: str, options: dict[str, Any]) -> Any:
    """Make an environment that can be drawn: any registered id, or ``pettingzoo/…``.

    Raises whatever the environment's package raises.
    """
    if env_id.startswith(PREFIX):
        return TurnGame(env_id.replace("/", "."), options)
    import gymnasium

    _register(env_id, gymnasium.registry)
    if "render_mode" not in options and _draws(env_id):
        try:
            return gymnasium.make(env_id, render_mode="rgb_array", **options)
        except TypeError as error:
            if "render_mode" not in str(error):
                raise  # else it is made by a function that does not know of pictures
    return gymnasium.make(env_id, **options)


def _draws(env_id: str) -> bool:
    """Tell whether an environment's class offers pictures; one that cannot be asked does."""
    from gymnasium.envs import registration

    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    creator = registration.spec(name).entry_point
    if isinstance(creator, str):
        creator = registration.load_env_creator(creator)
    if not isinstance(creator, type):
        return True
    return "rgb_array" in (getattr(creator, "metadata", None) or {}).get("render_modes", [])


def _register(env_id: str, registry: Any) -> None:
    if ":" in env_id:
        return  # gymnasium imports the named module itself
    for name in REGISTERING:
        if env_id in registry:
            return
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - a package that is absent or broken: try the next
            continue


def written(env: Any) -> tuple[str, str]:
    """Return what ``again`` needs, as JSON text, and why it is empty where it is."""
    if isinstance(env, TurnGame):
        return json.dumps({"pettingzoo": env.module, "options": env.options}), ""
    return spec_text(env)


def again(text: str) -> Any:
    """Make the environment of a recorded run once more."""
    told = json.loads(text)
    if "pettingzoo" in told:
        return TurnGame(told["pettingzoo"], told["options"])
    import gymnasium
    from gymnasium.envs.registration import EnvSpec

    spec = EnvSpec.from_json(text)
    spec.disable_env_checker = True
    if spec.kwargs.get("render_mode") == "human":
        spec.kwargs.pop("render_mode")
    return gymnasium.make(spec)
