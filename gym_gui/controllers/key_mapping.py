"""From what is pressed to an action: chords, held keys, sticks, for every kind of action space.

An action of several numbers is built up: each chord that is held sets some of its numbers
(``{"0": -1.0}``), sticks set others, and the rest is as the sliders say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

KeyMap = dict[frozenset[str], Any]

NOTHING: frozenset[str] = frozenset()  # the chord whose action is done while nothing is pressed
VECTORS = ("Box", "MultiDiscrete", "MultiBinary")
DEAD_ZONE = 0.15  # of a stick's way
_DIGITS = "1234567890"
_ARROWS = {
    2: ("left", "right"),
    3: ("left", "down", "right"),
    4: ("left", "down", "right", "up"),
}
_PAIRS = (("left", "right"), ("down", "up"), ("a", "d"), ("s", "w"), ("j", "l"), ("k", "i"))
_WASD = {"w": "up", "a": "left", "s": "down", "d": "right"}
_NAMED = {
    "up": ("up",), "down": ("down",), "left": ("left",), "right": ("right",),
    "turn left": ("left",), "turn right": ("right",), "forward": ("up",), "pickup": ("p",),
    "pick up": ("p",), "drop": ("d",), "toggle": ("space",), "done": ("return",),
    "fire": ("space",), "noop": (),
}  # fmt: skip


def default_mapping(about: Mapping[str, Any]) -> KeyMap:
    """Return the environment's own mapping where it has one, else arrows, digits, pairs of keys.

    about: the environment's description, with its action ``space``, ``meanings`` and ``keys``.
    """
    own = {frozenset(names): action for names, action in about.get("keys", ())}
    if own:
        return own | _with_arrows(own)
    space = about.get("space", {})
    if space.get("kind") == "Discrete":
        return _discrete(space.get("start", 0), space["n"], about.get("meanings") or [])
    if space.get("kind") in VECTORS:
        return _vector(space)
    return {}


def _with_arrows(own: KeyMap) -> KeyMap:
    """Let the arrows do what W, A, S and D do, where nothing else uses them."""
    used = set().union(*own)
    if used & set(_WASD.values()):
        return {}
    return {frozenset(_WASD.get(key, key) for key in chord): own[chord] for chord in own}


def _discrete(first: int, count: int, meanings: list[str]) -> KeyMap:
    mapping: KeyMap = {frozenset([d]): first + n for n, d in enumerate(_DIGITS[:count])}
    named = [_NAMED.get(meaning) for meaning in meanings[:count]]
    if any(named):
        for number, keys in enumerate(named):
            if keys is not None:
                mapping[frozenset(keys)] = first + number
    else:
        for number, name in enumerate(_ARROWS.get(count, ())):
            mapping[frozenset([name])] = first + number
    return mapping


def _vector(space: Mapping[str, Any]) -> KeyMap:
    mapping: KeyMap = {}
    if space["kind"] == "MultiBinary":
        for place, digit in zip(range(space["n"]), _DIGITS, strict=False):
            mapping[frozenset([digit])] = {str(place): 1}
        return mapping
    for place, (back, forth) in zip(range(size_of(space)), _PAIRS, strict=False):
        low, high = bounds(space, place)
        if space["kind"] == "Box":
            mapping[frozenset([back])] = {str(place): low}
            mapping[frozenset([forth])] = {str(place): high}
        elif high - low == 1:
            mapping[frozenset([forth])] = {str(place): high}
        else:
            mapping[frozenset([back])] = {str(place): low + 1}
            mapping[frozenset([forth])] = {str(place): low + 2}
    return mapping


def size_of(space: Mapping[str, Any]) -> int:
    """Return how many numbers an action has, 0 where it is no vector."""
    return len(space["idle"]) if space.get("kind") in VECTORS else 0


def bounds(space: Mapping[str, Any], place: int) -> tuple[Any, Any]:
    """Return the smallest and the largest value of one of an action's numbers."""
    if space["kind"] == "Box":
        return space["low"][place], space["high"][place]
    if space["kind"] == "MultiBinary":
        return 0, 1
    start = space["start"][place]
    return start, start + space["nvec"][place] - 1


def action_for(
    mapping: KeyMap,
    held: Iterable[str],
    *,
    base: list[Any] | None = None,
    space: Mapping[str, Any] | None = None,
    sticks: Mapping[int, float] | None = None,
) -> Any:
    """Return the action of what is held, None for nothing that means one.

    Of whole actions, the longest chord's counts. base: the vector that parts are set in;
    sticks: how far each stick is pushed, -1 to 1, by the number that it sets.
    """
    keys = set(held)
    fitting = sorted((chord for chord in mapping if chord and chord <= keys), key=len)
    whole = [mapping[chord] for chord in fitting if not isinstance(mapping[chord], dict)]
    pushed = {place: way for place, way in (sticks or {}).items() if abs(way) > DEAD_ZONE}
    if base is None or not space:
        return whole[-1] if whole else None
    if not fitting and not pushed:
        return None
    action = list(whole[-1]) if whole and isinstance(whole[-1], list) else list(base)
    for chord in fitting:
        part = mapping[chord]
        for place, value in part.items() if isinstance(part, dict) else ():
            action[int(place)] = value
    for place, way in pushed.items():
        if place < len(action) and space["kind"] == "Box":
            low, high = bounds(space, place)
            middle = space["idle"][place]
            action[place] = middle + way * (high - middle if way > 0 else middle - low)
    return action


def to_pairs(mapping: KeyMap) -> list[list[Any]]:
    """Return a mapping as plain data for a file."""
    return [[sorted(chord), action] for chord, action in mapping.items()]


def from_pairs(pairs: Iterable[Any]) -> KeyMap:
    """Return the mapping of ``to_pairs``'s form."""
    return {frozenset(keys): action for keys, action in pairs}


def chord_text(chord: Iterable[str]) -> str:
    """Return a chord as people write it, such as ``Space + →``."""
    signs = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
    return " + ".join(signs.get(key, key.capitalize()) for key in sorted(chord)) or "nothing"
