"""From keys to actions, for every kind of action space."""

from __future__ import annotations

import json

import pytest

from gym_gui.controllers.key_mapping import (
    NOTHING,
    action_for,
    default_mapping,
    from_pairs,
    to_pairs,
)
from gym_gui.core.errors import DataDirError
from gym_gui.core.paths import DataDir
from gym_gui.services.key_mappings import load_mapping, save_mapping

BOX = {"kind": "Box", "low": [-2.0, 0.0], "high": [2.0, 1.0], "idle": [0.0, 0.0]}


def test_the_longest_chord_wins() -> None:
    mapping = {frozenset(["a"]): 0, frozenset(["b"]): 1, frozenset(["a", "b"]): 2}
    held = (["a"], ["b"], ["a", "b"], ["c"])
    assert [action_for(mapping, keys) for keys in held] == [0, 1, 2, None]


def test_an_environments_own_keys_are_used_and_the_arrows_beside_wasd() -> None:
    about = {"keys": [[["d"], 2], [["d", "space"], 4], [[], 0]]}
    mapping = default_mapping(about)
    assert mapping[frozenset(["d", "space"])] == 4
    assert mapping[frozenset(["right", "space"])] == 4
    assert mapping[NOTHING] == 0


@pytest.mark.parametrize(
    ("about", "keys", "action"),
    [
        ({"space": {"kind": "Discrete", "n": 2, "start": 0}}, ["right"], 1),
        ({"space": {"kind": "Discrete", "n": 4, "start": 3}}, ["up"], 6),
        ({"space": {"kind": "Discrete", "n": 9, "start": 0}}, ["9"], 8),
        (
            {
                "space": {"kind": "Discrete", "n": 3, "start": 0},
                "meanings": ["turn left", "forward", "toggle"],
            },
            ["space"],
            2,
        ),
    ],
)
def test_an_environment_without_keys_gets_some(about, keys, action) -> None:
    assert action_for(default_mapping(about), keys) == action


def test_parts_of_an_action_are_put_together() -> None:
    mapping = default_mapping({"space": BOX})
    assert action_for(mapping, ["left", "up"], base=[0.5, 0.25], space=BOX) == [-2.0, 1.0]
    assert action_for(mapping, ["up"], base=[0.5, 0.25], space=BOX) == [0.5, 1.0]
    assert action_for(mapping, [], base=[0.5, 0.25], space=BOX) is None


def test_a_stick_sets_a_number_by_how_far_it_is_pushed() -> None:
    pushed = action_for({}, [], base=[0.0, 0.0], space=BOX, sticks={0: -0.5, 1: 0.1})
    assert pushed == [-1.0, 0.0]  # the second one is within the dead zone


def test_several_discrete_numbers_and_bits() -> None:
    several = {"kind": "MultiDiscrete", "nvec": [3, 2], "start": [0, 0], "idle": [0, 0]}
    mapping = default_mapping({"space": several})
    assert action_for(mapping, ["right", "up"], base=[0, 0], space=several) == [2, 1]
    bits = {"kind": "MultiBinary", "n": 3, "idle": [0, 0, 0]}
    mapping = default_mapping({"space": bits})
    assert action_for(mapping, ["1", "3"], base=[0, 0, 0], space=bits) == [1, 0, 1]


def test_a_mapping_is_kept_for_its_environment_alone(data_dir: DataDir) -> None:
    mapping = {frozenset(["a", "b"]): [1.5, 0.0], NOTHING: 2}
    save_mapping(data_dir, "X-v0", to_pairs(mapping))
    save_mapping(data_dir, "Y-v0", [])
    assert from_pairs(load_mapping(data_dir, "X-v0") or []) == mapping
    save_mapping(data_dir, "X-v0", None)
    assert load_mapping(data_dir, "X-v0") is None
    assert load_mapping(data_dir, "Y-v0") == []


def test_a_damaged_file_of_keys_counts_as_none(data_dir: DataDir) -> None:
    path = data_dir.create().root / "keys.json"
    path.write_text("{")
    assert load_mapping(data_dir, "X-v0") is None
    save_mapping(data_dir, "X-v0", [[["a"], 1]])
    assert json.loads(path.read_text()) == {"X-v0": [[["a"], 1]]}


def test_keys_that_cannot_be_saved_are_said(data_dir: DataDir) -> None:
    (data_dir.create().root / "keys.json").mkdir()
    with pytest.raises(DataDirError, match="cannot be written"):
        save_mapping(data_dir, "X-v0", [])
