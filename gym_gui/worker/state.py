"""What an episode needs to be lived again: generator state and the environment's own snapshot.

``before_reset`` and ``after_reset`` fill the ``rng`` and ``snapshot`` fields of a ``reset``
record; ``replay_reset`` brings a freshly made environment of the same spec to that same moment.
"""

from __future__ import annotations

import base64
import functools
import pickle
import sys
from typing import Any, Callable, Optional


def generator_state(generator: Any) -> Optional[dict[str, Any]]:
    """Return a numpy ``Generator``'s state as JSON values (integers as decimal strings)."""
    bits = getattr(generator, "bit_generator", None)
    return None if bits is None else _to_json(bits.state)


def restore_generator(state: dict[str, Any]) -> Any:
    """Build a numpy ``Generator`` from ``generator_state``'s value."""
    import numpy as np

    bits = getattr(np.random, state["bit_generator"])()
    bits.state = _from_json(state)
    return np.random.Generator(bits)


def before_reset(base: Any, seed: Optional[int]) -> Optional[dict[str, Any]]:
    """Return the generator state that an unseeded reset of ``base`` starts from.

    A generator that would be drawn from the system's entropy during the reset is drawn now:
    the same draw, a moment earlier, so that it can be recorded. None when a seed decides, or
    when the environment keeps no generator of gymnasium's kind.
    """
    if seed is not None or not hasattr(base, "_np_random"):
        return None
    if base._np_random is None:
        base.np_random  # noqa: B018 - the property creates the generator
    return generator_state(base._np_random)


def after_reset(base: Any) -> tuple[Optional[dict[str, Any]], Optional[str]]:
    """Return generator state and snapshot (base64) of an environment with state of its own (ALE).

    Both None where the state before the reset says it all.
    """
    ale: Any = getattr(base, "ale", None)
    clone = getattr(ale, "cloneState", None)
    if clone is None:
        return None, None
    try:
        state = clone(include_rng=True)
    except TypeError:
        state = ale.cloneSystemState()
    data = base64.b64encode(pickle.dumps(state)).decode("ascii")
    return generator_state(getattr(base, "_np_random", None)), data


def replay_reset(
    env: Any,
    *,
    seed: Optional[int],
    options: Any = None,
    rng: Optional[dict[str, Any]] = None,
    snapshot: Optional[str] = None,
) -> Any:
    """Reset ``env`` as one ``reset`` record says and return the first observation.

    ``rng``: ``{"before": state or null, "after": state or null}`` of the record.
    """
    base = env.unwrapped
    rng = rng or {}
    before = rng.get("before")
    if seed is None and before is not None:
        base.np_random = restore_generator(before)
    observation, _ = env.reset(seed=seed, options=options)
    if snapshot is not None:
        base.ale.restoreState(pickle.loads(base64.b64decode(snapshot)))
        if rng.get("after") is not None:
            base.np_random = restore_generator(rng["after"])
        observation = base._get_obs()
    return observation


class RandomnessGuard:
    """Puts every generator back as it was: the environment's, Python's and numpy's global one.

    Rendering must never change training; this holds even for a ``render`` that draws numbers.
    One guard serves all pictures of an environment: ``with guard:`` around each.
    with_global: also the global ones; not where other threads draw from them meanwhile.
    """

    def __init__(self, base: Any, *, with_global: bool = True) -> None:
        self._base = base
        self.with_global = with_global
        self._numpy = _NumpyGlobal()
        self.changed = False

    def __enter__(self) -> RandomnessGuard:
        self._generator = getattr(self._base, "_np_random", None)
        bits = getattr(self._generator, "bit_generator", None)
        self._bits = bits
        self._state = None if bits is None else bits.state
        random = sys.modules.get("random") if self.with_global else None
        self._python = random.getstate() if random else None
        if self.with_global:
            self._numpy.keep()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bits is not None and not _same(self._bits.state, self._state):
            self._bits.state = self._state
            self.changed = True
        if self._python is not None:
            sys.modules["random"].setstate(self._python)
        if self.with_global:
            self._numpy.put_back()
        if getattr(self._base, "_np_random", None) is not self._generator:
            self._base._np_random = self._generator
            self.changed = True


def _same(state: Any, other: Any) -> bool:
    """Compare two generator states, whose values may be arrays."""
    if isinstance(state, dict) and isinstance(other, dict):
        return state.keys() == other.keys() and all(_same(state[k], other[k]) for k in state)
    plain, others = (getattr(value, "tolist", None) for value in (state, other))
    return bool(plain() == others()) if plain and others else bool(state == other)


_TWISTER_BYTES = 624 * 4 + 4  # key and position of numpy's MT19937


class _NumpyGlobal:
    """State of numpy's global generator, which takes 40 us to ask for and 40 us to set.

    So it is compared in memory, half a microsecond each. What lies outside of that memory is a
    second gaussian kept from a pair; where none is kept, unmoved memory means unmoved state: a
    new one cannot be made without drawing.
    """

    def __init__(self) -> None:
        self._bits: Any = None
        self._look: Callable[[], bytes] = bytes
        self._seen = b""  # the memory that belongs to _state; empty: must be asked for
        self._state: Any = None

    def keep(self) -> None:
        """Remember the state as it is now."""
        numpy = sys.modules.get("numpy")
        if numpy is None:
            return
        memory = self._memory(numpy)
        if memory and memory == self._seen:
            return
        self._state = numpy.random.get_state(legacy=False)
        self._seen = memory if not self._state["has_gauss"] else b""

    def put_back(self) -> None:
        """Make the state what it was when last kept."""
        if self._state is None:
            return
        numpy = sys.modules["numpy"]
        if not self._seen or self._memory(numpy) != self._seen:
            numpy.random.set_state(self._state)

    def _memory(self, numpy: Any) -> bytes:
        """Return the generator's own memory, or nothing where it cannot be looked at."""
        bits = getattr(getattr(numpy.random.mtrand, "_rand", None), "_bit_generator", None)
        if bits is not self._bits:
            self._bits, self._look, self._seen = bits, _looker(bits), b""
        return self._look()


def _looker(bits: Any) -> Callable[[], bytes]:
    """Return what reads a bit generator's memory; of a kind not known, nothing."""
    if type(bits).__name__ != "MT19937":
        return bytes
    try:
        from ctypes import string_at

        return functools.partial(string_at, bits.ctypes.state_address, _TWISTER_BYTES)
    except (ImportError, AttributeError):  # an interpreter built without ctypes
        return bytes


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _to_json(v) for k, v in value.items()}
    if hasattr(value, "tolist"):
        return _to_json(value.tolist())
    if isinstance(value, list):
        return [_to_json(v) for v in value]
    if isinstance(value, int) and abs(value) >= 1 << 53:
        return str(value)
    return value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _from_json(v) for k, v in value.items()}
    if isinstance(value, list):
        import numpy as np

        return np.array([int(v) for v in value], dtype=np.uint64)
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value
