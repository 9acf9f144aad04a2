"""A picture leaves every generator as it was, whatever its render draws."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gym_gui.worker.state import RandomnessGuard


@pytest.fixture(autouse=True)
def generators():
    """Leave the process's own generators as they were."""
    python, bits = random.getstate(), np.random.get_bit_generator()
    state = np.random.get_state()
    yield
    random.setstate(python)
    np.random.set_bit_generator(bits)
    np.random.set_state(state)


def _globals() -> tuple[Any, ...]:
    state = np.random.get_state(legacy=False)
    inner = {name: np.asarray(part).tolist() for name, part in state["state"].items()}
    return random.getstate(), state["has_gauss"], state["gauss"], inner


DRAWS = {
    "nothing": lambda: None,
    "numpy's integers": lambda: np.random.randint(10),
    "one gaussian of a pair": lambda: np.random.normal(),
    "a pair of gaussians": lambda: np.random.normal(size=2),
    "Python's": random.random,
    "numpy's seed": lambda: np.random.seed(3),
}


@pytest.mark.parametrize("training", DRAWS)
@pytest.mark.parametrize("render", DRAWS)
def test_the_global_generators_go_on_as_if_there_had_been_no_picture(
    training: str, render: str
) -> None:
    np.random.seed(7)
    guard = RandomnessGuard(SimpleNamespace(_np_random=None))
    for _ in range(5):
        DRAWS[training]()
        before = _globals()
        with guard:
            DRAWS[render]()
        assert _globals() == before


def test_another_kind_of_global_generator_is_put_back_too() -> None:
    guard = RandomnessGuard(SimpleNamespace(_np_random=None))
    with guard:
        np.random.random()
    np.random.set_bit_generator(np.random.PCG64(5))
    before = _globals()
    with guard:
        np.random.random()
    assert _globals() == before


def test_the_environments_own_generator_may_keep_its_state_in_arrays() -> None:
    generator = np.random.Generator(np.random.MT19937(5))
    base = SimpleNamespace(_np_random=generator)
    expected = np.random.Generator(np.random.MT19937(5)).random(3).tolist()
    guard = RandomnessGuard(base)
    drawn = []
    for _ in range(3):
        drawn.append(generator.random())
        with guard:
            generator.random()
            base._np_random = np.random.default_rng()
        assert base._np_random is generator
    assert drawn == expected
    assert guard.changed
