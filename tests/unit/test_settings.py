"""Preferences: one file for window and command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gym_gui.core.errors import DataDirError
from gym_gui.services.settings import OPTIONS, Settings


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "settings.toml")
    assert {option.key: settings[option.key] for option in OPTIONS} == {
        option.key: option.default for option in OPTIONS
    }
    assert settings.problems == []


def test_every_default_is_accepted_by_its_own_option() -> None:
    assert [option.problem(option.default) for option in OPTIONS] == [""] * len(OPTIONS)


def test_values_and_shortcuts_survive_a_save_with_the_users_comments(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('# mine\n[window]\ntheme = "dark" # at night\nunknown = 3\n')
    settings = Settings.load(path)
    settings["live.render_budget_percent"] = 7.5
    settings.shortcuts["run.new"] = "Ctrl+Shift+R"
    settings.save()
    again = Settings.load(path)
    assert again["window.theme"] == "dark"
    assert again.render_budget == pytest.approx(0.075)
    assert again.shortcuts == {"run.new": "Ctrl+Shift+R"}
    text = path.read_text()
    assert "# mine" in text
    assert "# at night" in text
    assert "unknown = 3" in text


def test_an_unusable_value_is_named_and_the_default_stands_in(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('[window]\ntheme = "pink"\n[live]\nrate_hz = "fast"\n[run]\npython = 3\n')
    settings = Settings.load(path)
    assert settings["window.theme"] == "system"
    assert settings["live.rate_hz"] == 60.0
    assert len(settings.problems) == 3
    assert "system, light, dark" in settings.problems[0]


def test_setting_an_unusable_value_raises_and_leaves_the_old_one(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "settings.toml")
    with pytest.raises(ValueError, match=r"live.rate_hz is not between 1 and 240"):
        settings["live.rate_hz"] = 0.0
    assert settings["live.rate_hz"] == 60.0


def test_a_broken_file_is_kept_beside_when_new_preferences_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[window\n")
    settings = Settings.load(path)
    assert len(settings.problems) == 1
    settings["window.theme"] = "light"
    settings.save()
    assert (tmp_path / "settings.toml.broken").read_text() == "[window\n"
    assert Settings.load(path)["window.theme"] == "light"


def test_saving_where_nothing_can_be_written_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "missing" / "settings.toml")
    settings["window.theme"] = "light"
    with pytest.raises(DataDirError, match="Free or unlock"):
        settings.save()


def test_recording_defaults_reach_a_run(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "settings.toml")
    settings["recording.frames"] = "every_step"
    settings["recording.spool_limit_mb"] = 2
    recording = settings.recording()
    assert recording.frames == "every_step"
    assert recording.spool_limit_bytes == 2_000_000
