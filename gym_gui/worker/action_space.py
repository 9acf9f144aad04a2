"""What a person must know to act in an environment: its actions, their names, its own keys."""

from __future__ import annotations

from typing import Any, Optional

from gym_gui.worker import encode

MOST_NUMBERS = 64  # components of a vector of actions that are offered one by one

# pygame's key codes for keys without a character, as environments' own mappings use them
_KEYS = {1073741903: "right", 1073741904: "left", 1073741905: "down", 1073741906: "up"}
_KEYS.update({275: "right", 276: "left", 274: "down", 273: "up"})  # of older pygame
_NAMES = {32: "space", 13: "return", 9: "tab"}


def described(space: Any) -> dict[str, Any]:
    """Return an action space as plain data: ``kind``, ``text``, bounds, and an ``idle`` action.

    idle: what is done while nothing is pressed; None where there is no plain choice.
    """
    kind = type(space).__name__
    told: dict[str, Any] = {"kind": kind, "text": str(space), "idle": None}
    if kind == "Discrete":
        told.update(n=int(space.n), start=int(space.start), idle=int(space.start))
    elif kind == "MultiDiscrete" and space.nvec.ndim == 1 and space.nvec.size <= MOST_NUMBERS:
        start = getattr(space, "start", space.nvec * 0)
        told.update(nvec=space.nvec.tolist(), start=start.tolist(), idle=start.tolist())
    elif kind == "MultiBinary" and len(space.shape) == 1 and space.shape[0] <= MOST_NUMBERS:
        told.update(n=int(space.shape[0]), idle=[0] * int(space.shape[0]))
    elif kind == "Box" and len(space.shape) == 1 and space.shape[0] <= MOST_NUMBERS:
        low = [max(float(value), -1e6) for value in space.low]
        high = [min(float(value), 1e6) for value in space.high]
        idle = [min(max(0.0, lo), hi) for lo, hi in zip(low, high)]
        whole = str(space.dtype).startswith(("int", "uint"))
        told.update(low=low, high=high, idle=[int(v) for v in idle] if whole else idle, whole=whole)
    else:
        told["kind"] = "other"
    return told


def misfit(space: Any, action: Any) -> str:
    """Return why ``step`` cannot be given an action, "" when it can.

    Numbers beyond a Box's bounds are the environment's own affair: it clips them, or says so.
    """
    try:
        if type(space).__name__ == "Box":
            fits = getattr(action, "shape", None) == space.shape and action.dtype.kind in "fiub"
        else:
            fits = bool(space.contains(action))
    except Exception:  # noqa: BLE001 - a space of somebody's own: the environment decides
        return ""
    return "" if fits else f"{encode.compact(action)} is no action of {space}"


def meanings(env: Any) -> list[str]:
    """Return the names of a discrete space's actions, empty where the environment has none."""
    base = getattr(env, "unwrapped", env)
    own = getattr(base, "get_action_meanings", None)
    if own is not None:
        return [str(name).lower() for name in own()]
    members = getattr(getattr(base, "actions", None), "__members__", None)
    if members:
        return [str(name).replace("_", " ") for name in members]
    return []


def keys_of(env: Any) -> list[list[Any]]:
    """Return the environment's own mapping as pairs of key names and action.

    The pair of no keys is the action of doing nothing.
    """
    own: Optional[Any] = getattr(getattr(env, "unwrapped", env), "get_keys_to_action", None)
    if own is None:
        return []
    try:
        found = own()
    except AttributeError:
        return []  # ALE's, where its actions are continuous
    pairs = []
    for keys, action in found.items():
        pressed = keys if isinstance(keys, tuple) else (keys,)
        names = [_key_name(key) for key in pressed if key is not None]
        pairs.append([names, encode.plain(action)])
    return pairs


def _key_name(key: Any) -> str:
    if isinstance(key, str):
        return {" ": "space"}.get(key, key.lower())
    return _KEYS.get(key) or _NAMES.get(key) or chr(key).lower()
