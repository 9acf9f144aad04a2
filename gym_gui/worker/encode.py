"""Values of a training loop as JSON text that keeps every number exactly.

``core.numbers`` says how floats are written. numpy is used only through the objects that the script
hands over: nothing is imported for it.
"""

from __future__ import annotations

import json
import math
import sys
from binascii import b2a_base64
from functools import lru_cache
from struct import calcsize, unpack
from typing import Any, Optional, Sequence
from zlib import crc32

from gym_gui.core.numbers import CODES, floats, number


def reward(value: Any) -> float:
    """Return a reward as a float: also that of an array of one number; NaN where it has several."""
    try:
        return float(value)
    except (TypeError, ValueError, DeprecationWarning):  # the last where warnings are errors
        if getattr(value, "size", None) == 1:
            return float(value.item())
        if getattr(value, "shape", None):
            return math.nan
        raise


def text(value: str) -> str:
    """Return a string as JSON text."""
    return json.dumps(sound(value))


def sound(value: str) -> str:
    """Return a string that UTF-8 can hold: halves of surrogate pairs, as in the names of files
    that are no text, are spelled out.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def digest(array: Any) -> str:
    """Return the checksum form of an array: CRC-32 of its bytes in C order, shape and type."""
    data = array if array.flags.c_contiguous else array.tobytes()
    shape = ",".join(map(str, array.shape))
    return f'{{"crc32":{crc32(data)},"shape":[{shape}],"dtype":"{array.dtype}"}}'


def plain(value: Any) -> Any:
    """Return ``value`` as what ``json`` can write: numpy scalars and arrays as Python's own."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return sound(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else json.loads(number(float(value)))
    if isinstance(value, dict):
        return {sound(str(k)): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if hasattr(value, "item") and callable(value.item):
        return plain(value.item())
    return sound(repr(value))


def compact(value: Any) -> str:
    """Return any value as JSON text."""
    return json.dumps(plain(value), separators=(",", ":"))


class Floats:
    """What arrays of floats have in common that come one after another, all of a shape and type.

    Their bytes are then all that has to be taken of them.
    """

    __slots__ = ("cls", "code", "dtype", "shape")
    _known: dict[Any, Floats] = {}

    def __init__(self, array: Any) -> None:
        self.cls = array.__class__
        self.dtype = array.dtype
        self.code = array.dtype.char
        self.shape = array.shape

    @classmethod
    def of(cls, array: Any) -> Optional[Floats]:
        """Return what describes ``array``, the same object for the same; None for other values."""
        dtype = getattr(array, "dtype", None)
        code = getattr(dtype, "char", "")
        if not code or code not in _PACKED or not getattr(dtype, "isnative", False):
            return None
        if not array.size:
            return None
        key = (array.__class__, code, array.shape)
        found = cls._known.get(key)
        if found is None or found.dtype is not dtype:
            found = cls._known[key] = cls(array)
        return found

    def fits(self, value: Any) -> bool:
        """Tell whether ``value`` is such an array."""
        return (
            value.__class__ is self.cls and value.dtype is self.dtype and value.shape == self.shape
        )

    def text(self, data: bytes) -> str:
        """Return an array as JSON text, from its bytes in C order."""
        count = len(data) // calcsize(self.code)
        return floats(unpack(f"{count}{self.code}", data), self.shape, self.code)


_PACKED = "".join(CODES.values()) if sys.byteorder == "little" else ""
whole_numbers: set[Any] = {int}  # classes whose objects are one number for good, numpy's as met


def encode_action(action: Any) -> str:
    """Return an action as JSON text, whole whatever its size."""
    kind = action.__class__
    if kind is int:
        return repr(action)
    try:
        value = action.tolist()
    except AttributeError:
        return compact(action)
    if value.__class__ is int:
        if not hasattr(kind, "__setitem__"):
            whole_numbers.add(kind)
        return repr(value)
    kind = value.__class__
    if kind is float:
        return number(value)
    if kind is list and action.dtype.kind in "fiu":
        written = repr(value)
        if "n" not in written:
            return written
    return compact(value)


def vector_step(rows: Sequence[tuple[Any, ...]], time_ns: int) -> str:
    """Return the body of a ``vstep`` record.

    rows: one step each: stream, index, episode, step, action (JSON text or a whole number),
        reward (float), terminated, truncated, observation (JSON text).
    """
    stream, index, episode, step, action, reward, end, cut, seen = zip(*rows)
    ends = ["true" if over else "false" for over in (*end, *cut)]
    written = (stream, index, episode, step, action, map(number, reward))
    s, i, e, k, a, r = (",".join(map(str, column)) for column in written)
    t, u = ",".join(ends[: len(rows)]), ",".join(ends[len(rows) :])
    return (
        f'"streams":[{s}],"index":[{i}],"episode":[{e}],"step":[{k}],"action":[{a}],'
        f'"reward":[{r}],"terminated":[{t}],"truncated":[{u}],"observation":[{",".join(seen)}],'
        f'"time_ns":{time_ns}'
    )


def packed_steps(described: str, steps: Sequence[bytes], time_ns: int) -> str:
    """Return the body of a ``packed`` record.

    described: what the observations and actions are: see ``describe_packed``.
    steps: each as ``core.numbers.PACKED_STEP`` says.
    """
    data = b2a_base64(b"".join(steps), newline=False).decode()
    return f'"count":{len(steps)},{described},"data":"{data}","time_ns":{time_ns}'


@lru_cache(256)
def describe_packed(observation: Floats, action: Optional[Floats]) -> str:
    """Return the fields that say how steps are packed. action: None for whole numbers."""
    told = f'"dtype":"{observation.dtype}","shape":{list(observation.shape)}'
    if action is not None:
        told += f',"action_dtype":"{action.dtype}","action_shape":{list(action.shape)}'
    return told


class ObservationEncoder:
    """Turns observations into JSON text under one run's recording rules.

    mode: ``auto`` keeps up to ``max_numbers`` numbers whole and a checksum above, ``whole``
    keeps all, ``checksum`` keeps a checksum of every array.
    """

    __slots__ = ("_limit",)

    def __init__(self, mode: str = "auto", max_numbers: int = 64) -> None:
        self._limit = {"whole": 1 << 62, "checksum": -1}.get(mode, max_numbers)

    def floats_of(self, observation: Any) -> Optional[Floats]:
        """Return what describes an observation that is kept whole and all floats, else None."""
        kind = Floats.of(observation)
        return kind if kind is not None and observation.size <= self._limit else None

    def __call__(self, observation: Any) -> str:
        try:
            dtype = observation.dtype
            size = observation.size
        except AttributeError:
            return self._other(observation)
        if size > self._limit:
            return digest(observation)
        kind = dtype.kind
        if kind == "f" and dtype.itemsize <= 4:
            return floats(tuple(observation.ravel().tolist()), observation.shape, dtype.char)
        if kind in "fiu":
            written = repr(observation.tolist())
            if "n" not in written:
                return written
        return compact(observation)

    def _other(self, observation: Any) -> str:
        if observation.__class__ is int:
            return repr(observation)
        if isinstance(observation, dict):
            items = (f"{text(str(k))}:{self(v)}" for k, v in observation.items())
            return "{" + ",".join(items) + "}"
        if isinstance(observation, (list, tuple)):
            return self._sequence(observation)
        if hasattr(observation, "detach"):  # a tensor
            return self(observation.detach().cpu().numpy())
        return compact(observation)

    def _sequence(self, observation: Any) -> str:
        if len(observation) > self._limit >= 0 and not hasattr(observation[0], "dtype"):
            body = compact(observation).encode()
            return f'{{"crc32":{crc32(body)},"shape":[{len(observation)}],"dtype":"json"}}'
        return "[" + ",".join(self(v) for v in observation) + "]"
