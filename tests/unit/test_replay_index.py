"""Where the episodes are that one wants to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from store_samples import steps_batch, write

from gym_gui.core.errors import ReplayError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import ResetRecord
from gym_gui.services.replay_index import JUMPS, EpisodeIndex, episode_of_seed

NAN = float("nan")


def index(*returns: float, length: tuple[int, ...] = (3, 5, 2, 4)) -> EpisodeIndex:
    count = len(returns)
    numbers = np.arange(count)
    success = np.array([NAN, 0.0, 1.0, 1.0][:count])
    return EpisodeIndex(numbers * 0, numbers, np.array(length[:count]), np.array(returns), success)


def test_jumps_pass_over_returns_that_are_no_number() -> None:
    found = index(NAN, 2.0, -1.0, NAN)
    assert [found.jump(where) for where in ("best", "worst", "longest")] == [1, 2, 1]
    assert [found.jump(where) for where in ("first success", "last")] == [2, 3]


@pytest.mark.parametrize("where", ["best", "worst"])
def test_a_run_without_any_number_says_so(where: str) -> None:
    with pytest.raises(ReplayError, match="is a number"):
        index(NAN, NAN).jump(where)


@pytest.mark.parametrize("where", [jump for jump in JUMPS if jump not in ("largest reward",)])
def test_one_episode_or_none(where: str) -> None:
    if where != "first success":
        assert index(1.0).jump(where) == 0
    with pytest.raises(ReplayError):
        index().jump(where)


@pytest.mark.parametrize(
    ("seed", "wanted", "found"), [(7, 0, 2), (8, 1, 1), (9, 1, 1), (None, 2, 2), (None, 40, 2)]
)
def test_an_episode_of_a_seed_or_else_one_that_is_there(
    tmp_path: Path, seed: int | None, wanted: int, found: int
) -> None:
    run_dir = RunDir(tmp_path)
    batch = steps_batch(0, 30)  # three episodes of ten, and resets after which nothing came
    batch.resets = [ResetRecord(0, number, {2: 7, 4: 9}.get(number)) for number in range(7)]
    write(run_dir.store, batch)
    assert episode_of_seed(run_dir, seed, wanted) == (0, found)
