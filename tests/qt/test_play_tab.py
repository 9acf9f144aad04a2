"""The Play tab: keys, buttons and sliders on real environments."""

from __future__ import annotations

import pytest
from PySide6 import QtCore, QtWidgets

from gym_gui.core.paths import DataDir
from gym_gui.core.records import ControlMode, RunState
from gym_gui.services.human_session import PolicySource
from gym_gui.services.key_mappings import load_mapping
from gym_gui.services.registry import RunRegistry
from gym_gui.ui.widgets.play_tab import PlayTab

Key = QtCore.Qt.Key


@pytest.fixture
def open_tab(qtbot, data_dir: DataDir):
    tabs = []

    def open_(env_id: str, **options) -> PlayTab:
        tab = PlayTab(data_dir, **options)
        qtbot.addWidget(tab)
        tabs.append(tab)
        tab.resize(1000, 640)
        tab.show()
        tab.setup.environment.setCurrentText(env_id)
        return tab

    yield open_
    for tab in tabs:
        tab.cleanup()
    assert QtCore.QThreadPool.globalInstance().waitForDone(60_000)


def play(qtbot, tab: PlayTab) -> list:
    steps: list = []
    tab.session.stepped.connect(steps.append)
    tab.setup.play.click()
    qtbot.waitUntil(lambda: tab.hud.text("Step") == "0", timeout=60_000)
    return steps


def test_keys_play_and_backspace_takes_back(qtbot, open_tab, data_dir) -> None:
    stored: list = []
    tab = open_tab("CartPole-v1", on_stored=stored.append)
    tab.setup.seed.setText("7")
    steps = play(qtbot, tab)
    assert tab.hud.text("Seed") == "7"
    qtbot.keyClick(tab.screen_, Key.Key_Right)
    qtbot.waitUntil(lambda: len(steps) == 1)
    assert (steps[0].action, tab.hud.text("Step"), tab.hud.actor.text()) == (1, "1", "you: 1")
    qtbot.waitUntil(lambda: not tab.screen_.image.isNull())
    tab.actions_.buttons[0].click()
    qtbot.waitUntil(lambda: tab.hud.text("Step") == "2")
    qtbot.keyClick(tab.screen_, Key.Key_Backspace)
    qtbot.waitUntil(lambda: tab.hud.text("Step") == "1")
    tab.setup.play.click()
    qtbot.waitUntil(lambda: len(stored) == 1, timeout=30_000)
    assert (stored[0].state, stored[0].steps) == (RunState.FINISHED, 2)
    assert tab.setup.play.text() == "Play"


def test_sliders_and_keys_make_one_action(qtbot, open_tab) -> None:
    tab = open_tab("Pendulum-v1")
    steps = play(qtbot, tab)
    tab.actions_._parts[0].setValue(750)
    tab.actions_.step.click()
    qtbot.waitUntil(lambda: len(steps) == 1)
    assert steps[0].action == [pytest.approx(1.0)]
    qtbot.keyClick(tab.screen_, Key.Key_Left)
    qtbot.waitUntil(lambda: len(steps) == 2)
    assert steps[1].action == [-2.0]


def test_a_held_key_takes_over_and_is_shown_as_an_intervention(qtbot, open_tab) -> None:
    tab = open_tab("Acrobot-v1")
    assert not tab.setup.mode.model().item(1).isEnabled()
    tab.setup.use_agent(PolicySource("random"), "Random")
    tab.setup.mode.setCurrentIndex(list(ControlMode).index(ControlMode.HYBRID_TAKE_OVER) - 2)
    assert tab.setup.control_mode() is ControlMode.HYBRID_TAKE_OVER
    play(qtbot, tab)
    qtbot.keyPress(tab.screen_, Key.Key_Right)
    qtbot.waitUntil(lambda: "intervention" in tab.hud.actor.text())
    qtbot.keyRelease(tab.screen_, Key.Key_Right)
    qtbot.waitUntil(lambda: tab.hud.actor.text().startswith("agent"))
    assert tab.hud.interventions > 0


LONG = """
import gymnasium, numpy
class Long(gymnasium.Env):
    metadata = {"render_modes": ["rgb_array"]}
    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(4)
    def get_action_meanings(self):
        return ["take the long way round by the north"] * 4
    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}
    def render(self):
        return numpy.zeros((40, 40, 3), "uint8")
gymnasium.register("Long-v0", entry_point="long_env:Long")
"""


def test_long_names_of_actions_push_nothing_off_the_screen(
    qtbot, open_tab, tmp_path, monkeypatch
) -> None:
    (tmp_path / "long_env.py").write_text(LONG)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    tab = open_tab("long_env:Long-v0")
    play(qtbot, tab)
    qtbot.waitUntil(lambda: len(tab.actions_.buttons) == 4)

    def in_sight(widget: QtWidgets.QWidget) -> bool:
        return widget.mapTo(tab, QtCore.QPoint(widget.width(), 0)).x() <= tab.width()

    qtbot.waitUntil(lambda: all(map(in_sight, (tab.pause, tab.edit))))
    assert all(map(in_sight, tab.actions_.buttons.values()))


def test_a_changed_key_counts_at_once_and_is_kept(qtbot, open_tab, data_dir) -> None:
    tab = open_tab("CartPole-v1")
    steps = play(qtbot, tab)
    dialog = tab.edit_keys()
    field = dialog.add_row(frozenset(), 1)
    qtbot.keyPress(field, Key.Key_P)
    assert field.chord == {"p"}
    dialog._save()
    qtbot.waitUntil(lambda: load_mapping(data_dir, "CartPole-v1") is not None)
    assert [["p"], 1] in (load_mapping(data_dir, "CartPole-v1") or [])
    qtbot.keyClick(tab.screen_, Key.Key_P)
    qtbot.waitUntil(lambda: len(steps) == 1)
    assert steps[0].action == 1


def test_a_gamepads_cross_acts_as_the_arrows(qtbot, open_tab) -> None:
    tab = open_tab("CartPole-v1")
    steps = play(qtbot, tab)
    tab.gamepad.pressed.emit("pad right")
    tab.gamepad.released.emit("pad right")
    qtbot.waitUntil(lambda: len(steps) == 1)
    assert steps[0].action == 1


def test_closing_the_window_in_the_middle_keeps_every_step(qtbot, open_tab, data_dir) -> None:
    tab = open_tab("CartPole-v1")
    tab.setup.realtime.setChecked(True)
    steps = play(qtbot, tab)
    qtbot.waitUntil(lambda: len(steps) > 10)
    tab.close()
    with RunRegistry(data_dir) as registry:
        (record,) = registry.list()
    QtWidgets.QApplication.processEvents()
    assert record.state is RunState.FINISHED
    assert record.steps >= len(steps)


def test_settings_that_are_no_json_are_said(qtbot, open_tab) -> None:
    tab = open_tab("FrozenLake-v1")
    tab.setup.settings.setText("is_slippery=false")
    tab.setup.play.click()
    assert "not a JSON object" in tab.hint.text()
    assert not tab.session.is_running
