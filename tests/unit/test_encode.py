"""Observations as text: every number reads back as itself, in the array's own type."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gym_gui.worker.encode import ObservationEncoder, compact, reward, text

NAMED = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
BITS = {"float16": np.uint16, "float32": np.uint32, "float64": np.uint64}
encode = ObservationEncoder("whole")


def numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [numbers(part) for part in value]
    return NAMED[value] if isinstance(value, str) else value


@pytest.mark.parametrize("name", BITS)
@given(data=st.data())
def test_every_float_of_an_array_reads_back_as_itself(name: str, data: st.DataObject):
    shape = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    array = data.draw(arrays.arrays(np.dtype(name), shape))
    back = np.array(numbers(json.loads(encode(array))), dtype=name).reshape(array.shape)
    assert np.array_equal(np.isnan(back), np.isnan(array))
    known = ~np.isnan(array)
    assert np.array_equal(back.view(BITS[name])[known], array.view(BITS[name])[known])


@given(arrays.arrays(st.sampled_from([np.dtype("i8"), np.dtype("u1"), np.dtype("?")]), 5))
def test_whole_numbers_and_flags_read_back_as_themselves(array: np.ndarray):
    assert json.loads(encode(array)) == array.tolist()


def test_small_floats_take_no_more_digits_than_they_have():
    assert encode(np.array([0.1, 3, 1e30], np.float32)) == "[0.100000001,3,1.00000002e+30]"
    assert encode(np.array([0.1], np.float16)) == "[0.099976]"
    assert encode(np.array([0.1])) == "[0.1]"


@pytest.mark.parametrize(
    ("given_reward", "written"),
    [(1, 1.0), (np.float32(0.5), 0.5), (np.array([2.5]), 2.5), (np.array([[3]]), 3.0)],
)
def test_a_reward_is_one_number_however_it_is_wrapped(given_reward: Any, written: float):
    assert reward(given_reward) == written


def test_a_reward_of_several_numbers_is_none():
    assert np.isnan(reward(np.array([1.0, 2.0])))


def test_half_characters_are_spelled_out():
    assert json.loads(text("caf\udce9")) == "caf\\udce9"
    assert json.loads(compact({"\ud83d": ["\udce9", "\U0001f600"]})) == {
        "\\ud83d": ["\\udce9", "\U0001f600"]
    }
