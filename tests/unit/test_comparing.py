"""Observations are compared as numbers of their own type, not as texts."""

from __future__ import annotations

import numpy as np
import pytest

from gym_gui.worker.comparing import is_recorded
from gym_gui.worker.encode import ObservationEncoder

SEEN = np.array([0.1, -2.5e-3, np.inf], np.float32)


@pytest.mark.parametrize(
    ("observation", "recorded", "same"),
    [
        (SEEN, [0.10000000149011612, -0.0024999999441206455, "Infinity"], True),
        (SEEN, [0.1, -0.0025, "Infinity"], True),
        (SEEN, [0.1, -0.0025001, "Infinity"], False),
        (SEEN, [0.1, -0.0025], False),
        (SEEN.astype(np.float64), [0.1, -0.0025, "Infinity"], False),
        ({"a": SEEN[:1], "b": 3}, {"a": [0.1], "b": 3}, True),
        ({"a": SEEN[:1], "b": 3}, {"a": [0.1], "b": 4}, False),
        ((SEEN[:1], 2), [[0.1], 2], True),
        (np.array([1, 2]), [1, 3], False),
        (SEEN, {"crc32": 1, "shape": [3], "dtype": "float32"}, False),
    ],
)
def test_digits_do_not_matter_but_numbers_do(observation, recorded, same) -> None:
    assert is_recorded(observation, recorded, ObservationEncoder()) is same
