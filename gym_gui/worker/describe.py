"""What a stream says of itself: environment, spec, spaces, and whether it can be made again."""

from __future__ import annotations

import time
from typing import Any, Optional

from gym_gui.core.interrupts import held_back
from gym_gui.worker import encode


def env_id(env: Any) -> str:
    """Return the environment's registered id, else its library's own name, else its class's."""
    spec = getattr(env, "spec", None)
    own = getattr(getattr(spec, "config", None), "task_name", "")  # EnvPool's
    return str(getattr(spec, "id", "") or own or type(getattr(env, "unwrapped", env)).__name__)


def success(info: Any) -> Optional[bool]:
    """Return what the last step's info says of success, None when it says nothing."""
    if isinstance(info, dict):
        for key in ("is_success", "success"):
            value = info.get(key)
            if value is not None and getattr(value, "size", 1) == 1:
                return bool(value)
    return None


def stream_body(tap: Any) -> str:
    """Return the JSON text of a ``stream`` declaration."""
    env = tap.env
    with held_back():  # asked for its spec, gymnasium takes whatever is raised for its failure
        spec_json, trouble = spec_text(env)
    note = "; ".join(part for part in (tap.note, trouble) if part)
    fields = {
        "stream": tap.stream,
        "env_id": env_id(env),
        "spec": spec_json,
        "observation_space": str(getattr(env, "observation_space", "")),
        "action_space": str(getattr(env, "action_space", "")),
        "agents": [],
        "vector": tap.vector,
        "render_mode": getattr(env, "render_mode", None),
        "reproducible": bool(spec_json) and not note,
        "note": note,
    }
    text = ",".join(f'"{k}":{encode.compact(v)}' for k, v in fields.items())
    return f'"time_ns":{time.time_ns()},"event":"stream",{text}'


def spec_text(env: Any) -> tuple[str, str]:
    """Return the spec as JSON text, and why it cannot be made elsewhere ("" when it can)."""
    spec = getattr(env, "spec", None)
    if spec is None or not hasattr(spec, "entry_point"):  # none, or another library's
        return "", "it was not made by gymnasium.make, so it cannot be made again for replay"
    if spec.nondeterministic:
        return _spec_json(spec)[0], "its author declares it nondeterministic"
    entry_point = spec.entry_point
    if not isinstance(entry_point, str):
        module = getattr(entry_point, "__module__", "")
        name = getattr(entry_point, "__qualname__", "")
        if module == "__main__" or "<" in name or not name:
            return "", "its class lives in the script itself and cannot be imported for replay"
        spec = _with_entry_point(spec, f"{module}:{name}")
    elif entry_point.startswith("__main__:"):
        return "", "its class lives in the script itself and cannot be imported for replay"
    return _spec_json(spec)


def _with_entry_point(spec: Any, entry_point: str) -> Any:
    import copy

    spec = copy.copy(spec)
    spec.entry_point = entry_point
    return spec


def _spec_json(spec: Any) -> tuple[str, str]:
    try:
        return spec.to_json(), ""
    except (ValueError, TypeError) as error:
        return "", f"its settings cannot be written down for replay ({error})"
