"""The dialog that starts a run, driven as a person would."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from PySide6 import QtCore

from gym_gui.controllers.background import Background
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.services.settings import Settings
from gym_gui.services.workers.presets import Presets
from gym_gui.ui.widgets.start_run_dialog import StartRunDialog

SCRIPT = '''
from dataclasses import dataclass
import tyro

@dataclass
class Args:
    seed: int = 1
    """seed of the experiment"""
    env_id: str = "CartPole-v1"
    """the environment"""
    learning_rate: float = 2.5e-4
    """step size"""
    track: bool = False

args = tyro.cli(Args)
'''


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def dialog(qtbot, data_dir: DataDir, script: Path):
    dialog = StartRunDialog(None, data_dir, script=str(script))
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.done(0)
    assert QtCore.QThreadPool.globalInstance().waitForDone(60_000)


def test_background_answers_on_the_thread_that_asked(qtbot) -> None:
    background, seen = Background(), []
    background.run(
        threading.get_ident,
        done=lambda ident: seen.append((ident, threading.get_ident())),
        failed=seen.append,
    )
    qtbot.waitUntil(lambda: bool(seen))
    ran_on, answered_on = seen[0]
    assert answered_on == threading.get_ident() != ran_on


def test_background_hands_an_error_to_its_caller(qtbot) -> None:
    background, seen = Background(), []
    background.run(lambda: 1 / 0, done=seen.append, failed=lambda error: seen.append(type(error)))
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == [ZeroDivisionError]


def test_the_command_line_follows_what_is_typed(qtbot, dialog, script: Path) -> None:
    qtbot.waitUntil(lambda: str(script) in dialog._line.text())
    folder = script.parent
    assert dialog._line.text() == f"gym-gui run --worker cleanrl --cwd {folder} -- {script}"
    editor = dialog._form._rows["learning_rate"][1]
    editor.set_value("0.01")
    qtbot.waitUntil(lambda: "--learning-rate 0.01" in dialog._line.text())


def test_a_wrong_value_is_marked_and_stops_the_start(qtbot, dialog) -> None:
    qtbot.waitUntil(lambda: bool(dialog._line.text()))
    dialog._form._rows["seed"][1].set_value("many")
    qtbot.waitUntil(lambda: not dialog._start.isEnabled())
    assert "'many' is no value for --seed." in dialog._problem.text()


def test_a_sweep_requests_one_run_for_each_combination(qtbot, dialog) -> None:
    dialog._sweep.set_state({"rows": [["seed", "1-2"], ["learning_rate", "0.1, 0.2"]]})
    qtbot.waitUntil(lambda: dialog._start.text() == "Start 4 runs")
    specs = []
    dialog.run_requested.connect(specs.append)
    dialog.accept()
    assert [(s.config["seed"], s.config["learning_rate"]) for s in specs] == [
        (1, 0.1),
        (1, 0.2),
        (2, 0.1),
        (2, 0.2),
    ]
    assert len({spec.run_id for spec in specs}) == 4
    assert {spec.group for spec in specs} == {specs[0].group}


def test_the_last_values_come_back_in_the_next_dialog(qtbot, dialog, data_dir: DataDir) -> None:
    dialog._form._rows["learning_rate"][1].set_value("0.05")
    dialog.accept()
    qtbot.waitUntil(lambda: bool(Presets(data_dir).last()))
    again = StartRunDialog(None, data_dir)
    qtbot.addWidget(again)
    qtbot.waitUntil(lambda: "0.05" in again._line.text())
    again.reject()


def test_run_again_with_shows_the_values_of_the_run(qtbot, dialog, data_dir: DataDir) -> None:
    dialog._form._rows["seed"][1].set_value("7")
    (spec,) = dialog.specs()
    again = StartRunDialog(None, data_dir, spec=spec)
    qtbot.addWidget(again)
    (second,) = again.specs()
    assert second.config == spec.config
    assert second.command == spec.command
    assert second.run_id != spec.run_id
    again.reject()


def test_the_environments_of_the_interpreter_are_offered(qtbot, dialog) -> None:
    box = dialog._form._rows["env_id"][1].input
    qtbot.waitUntil(lambda: box.findText("Acrobot-v1") >= 0, timeout=60_000)
    assert box.currentText() == "CartPole-v1"
    assert sys.executable == dialog.specs()[0].command[0]


def test_the_line_of_a_sweep_starts_the_whole_sweep(qtbot, dialog, script: Path) -> None:
    dialog._sweep.set_state({"rows": [["seed", "1-3"], ["learning_rate", "0.1, 0.2"]]})
    qtbot.waitUntil(lambda: "--sweep" in dialog._line.text())
    assert "--sweep seed=1-3 --sweep learning_rate=0.1,0.2 -- " in dialog._line.text()
    assert dialog._sweep._preview.text().startswith("6 runs:\ntrain seed=1 learning_rate=0.1")


def test_a_run_of_another_folder_is_run_again_from_there(qtbot, data_dir: DataDir, script: Path):
    spec = RunSpec("r-1", "script", [sys.executable, "train.py"], str(script.parent))
    spec.config = {"script": "train.py", "args": ["--seed", "3"]}
    again = StartRunDialog(None, data_dir, spec=spec)
    qtbot.addWidget(again)
    (second,) = again.specs()
    assert second.command == [sys.executable, str(script), "--seed", "3"]
    assert (second.cwd, second.config["seed"]) == (str(script.parent), 3)
    again.reject()


def test_a_new_run_begins_with_the_preferences(qtbot, data_dir: DataDir, script: Path) -> None:
    settings = Settings(data_dir.root / "settings.toml")
    settings["live.render_budget_percent"] = 12.5
    settings["recording.observations"] = "whole"
    settings["run.interpreters"] = ["/opt/rl/bin/python"]
    dialog = StartRunDialog(None, data_dir, script=str(script), settings=settings)
    qtbot.addWidget(dialog)
    (spec,) = dialog.specs()
    assert (spec.render_budget, spec.recording.observations) == (0.125, "whole")
    qtbot.waitUntil(lambda: dialog._python.box.findText("/opt/rl/bin/python") > 0)
    dialog.reject()


def test_an_environment_that_is_not_installed_is_doubted_but_may_start(qtbot, dialog) -> None:
    editor, note = dialog._form._rows["env_id"][1:]
    qtbot.waitUntil(lambda: editor.input.findText("Acrobot-v1") >= 0, timeout=60_000)
    editor.set_value("CartPool-v1")
    qtbot.waitUntil(lambda: "Not registered" in note.text())
    assert dialog._start.isEnabled()
    editor.set_value("CartPole-v1")
    qtbot.waitUntil(lambda: note.text() == "The environment")
