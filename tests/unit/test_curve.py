"""The learning curve's picture."""

import numpy as np
import pytest
from PIL import Image

from gym_gui.commands.curve import SIZE, moving_mean, save_curve


def test_moving_mean_is_the_mean_of_the_values_so_far_then_of_the_window():
    values = np.array([2.0, 4.0, 6.0, 8.0])
    assert moving_mean(values, 2).tolist() == [2.0, 3.0, 5.0, 7.0]


@pytest.mark.parametrize(
    "returns", [[], [5.0], [3.0, 3.0], [-200.0, -100.0], list(range(9000)), [float("nan"), 1.0]]
)
def test_any_series_of_returns_gives_a_picture(returns, tmp_path):
    path = save_curve(returns, tmp_path / "curve.png", title="returns")
    with Image.open(path) as image:
        assert image.size == SIZE
        assert len(image.getcolors(100_000)) > 2


def test_better_returns_are_drawn_higher(tmp_path):
    path = save_curve([0.0] * 50 + [100.0] * 50, tmp_path / "curve.png", title="")
    with Image.open(path) as image:
        pixels = np.asarray(image)
    line = (pixels == (28, 92, 176)).all(axis=2)
    left, right = line[:, 150], line[:, 850]
    assert np.argmax(left) > np.argmax(right)
