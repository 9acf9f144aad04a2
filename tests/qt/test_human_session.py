"""Playing by hand: real environments in real processes, recorded step by step."""

from __future__ import annotations

import pytest
from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.human_input import HumanInputController, default_mapping
from gym_gui.controllers.session import SessionController
from gym_gui.core.errors import ControlModeError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import STEP_HUMAN, STEP_INTERVENTION, ControlMode, RunState
from gym_gui.services.registry import RunRegistry
from gym_gui.services.storage import read_episode
from gym_gui.telemetry.reader import RunReader
from gym_gui.ui.widgets.play_tab import PlayTab

LAKE = "FrozenLake-v1"
SAFE = {"is_slippery": False}
WAY = (1, 1, 2, 1, 2, 2)  # down, down, right, down, right, right: across the 4x4 lake


class Played:
    """What a session's signals told."""

    def __init__(self, session: SessionController) -> None:
        self.steps, self.episodes, self.ends, self.images = [], [], [], []
        self.begun: list[str] = []
        session.started.connect(lambda run_id, about: self.begun.append(run_id))
        session.stepped.connect(self.steps.append)
        session.episode_finished.connect(self.episodes.append)
        session.ended.connect(self.ends.append)
        session.frame_ready.connect(self.images.append)


@pytest.fixture
def session(qtbot, data_dir: DataDir):
    session = SessionController(data_dir)
    yield session
    session.stop()


def test_a_played_episode_is_in_store_registry_and_ring(
    qtbot, session: SessionController, data_dir: DataDir
) -> None:
    played = Played(session)
    run_id = session.start(LAKE, options=SAFE, seed=3)
    qtbot.waitUntil(lambda: bool(played.begun), timeout=30_000)
    for number, action in enumerate(WAY, 1):
        session.perform_human_action(action)
        qtbot.waitUntil(lambda n=number: len(played.steps) == n)
    qtbot.waitUntil(lambda: len(played.episodes) == 1)
    session.stop()
    qtbot.waitUntil(lambda: played.ends == [""])
    run = data_dir.run(run_id)
    with RunReader(run.store) as reader:
        steps = reader.steps(0, 0, 100)
        assert [step.action for step in steps] == list(WAY)
        assert {step.flags & STEP_HUMAN for step in steps} == {STEP_HUMAN}
        assert reader.episodes()[0].return_ == 1.0
        assert reader.reset(0, 0).seed == 3
        assert reader.streams()[0].env_id == LAKE
    with RunRegistry(data_dir) as registry:
        record = registry.get(run_id)
        assert (record.state, record.steps) == (RunState.FINISHED, 6)
    first = sorted((run.root / "episodes").glob("*.jsonl"))[0]
    assert len(read_episode(first)) == 8  # its reset, six steps, its totals
    assert not played.images[-1].isNull()


def test_human_input_in_agent_only_mode_is_refused(qtbot, session: SessionController) -> None:
    session.policy = lambda observation: 1
    session.start(LAKE, options=SAFE, mode=ControlMode.AGENT_ONLY)
    for refused in (session.perform_human_action, session.hold_action):
        with pytest.raises(ControlModeError, match="agent alone is in control"):
            refused(1)


def test_a_mode_with_an_agent_needs_a_policy(session: SessionController) -> None:
    with pytest.raises(ControlModeError, match="needs a policy"):
        session.start(LAKE, mode=ControlMode.HYBRID_TAKE_OVER)


def test_taking_over_records_what_the_agent_would_have_done(
    qtbot, session: SessionController
) -> None:
    session.policy = lambda observation: 0
    played = Played(session)
    session.start("CartPole-v1", mode=ControlMode.HYBRID_TAKE_OVER, realtime=True)
    qtbot.waitUntil(lambda: len(played.steps) >= 2, timeout=30_000)
    session.hold_action(1)
    taken_over = STEP_HUMAN | STEP_INTERVENTION
    qtbot.waitUntil(lambda: played.steps[-1].flags & taken_over == taken_over)
    assert (played.steps[-1].action, played.steps[-1].proposed_action) == (1, 0)
    session.hold_action(None)
    qtbot.waitUntil(lambda: played.steps[-1].flags == 0)
    assert (played.steps[-1].action, played.steps[-1].proposed_action) == (0, 0)


def test_an_environment_that_cannot_be_made_says_why(qtbot, session: SessionController) -> None:
    played = Played(session)
    session.start("NoSuchEnvironment-v0")
    qtbot.waitUntil(lambda: bool(played.ends), timeout=30_000)
    assert "NoSuchEnvironment" in played.ends[0]


def test_the_longest_chord_wins(session: SessionController, data_dir: DataDir) -> None:
    data_dir.create()
    keys = HumanInputController(session, data_dir)
    keys.load("X-v0", {"space": {"kind": "Discrete", "n": 3, "start": 0}})
    keys.set_mapping({frozenset(["a"]): 0, frozenset(["b"]): 1, frozenset(["a", "b"]): 2})
    assert [keys.action_for(held) for held in (["a"], ["b"], ["a", "b"], ["c"])] == [0, 1, 2, None]
    again = HumanInputController(session, data_dir)
    again.load("X-v0", {})
    assert again.mapping == keys.mapping


def test_an_environments_own_keys_are_used() -> None:
    about = {"space": {"kind": "Discrete", "n": 2, "start": 0}, "keys": [[["w", "d"], 7]]}
    assert default_mapping(about) == {frozenset(["w", "d"]): 7}
    del about["keys"]
    assert default_mapping(about)[frozenset(["right"])] == 1


def test_keys_play_in_the_tab(qtbot, data_dir: DataDir) -> None:
    tab = PlayTab(data_dir)
    qtbot.addWidget(tab)
    tab.resize(1000, 600)
    tab.show()
    played = Played(tab.session)
    tab.environment.setCurrentText("CartPole-v1")
    tab.play.click()
    qtbot.waitUntil(lambda: bool(played.images), timeout=30_000)
    key = QtGui.QKeyEvent(
        QtCore.QEvent.Type.KeyPress,
        QtCore.Qt.Key.Key_Right,
        QtCore.Qt.KeyboardModifier.NoModifier,
    )
    QtWidgets.QApplication.sendEvent(tab.screen, key)
    qtbot.waitUntil(lambda: len(played.steps) == 1)
    assert played.steps[0].action == 1
    assert "human: 1" in tab.hud.text()
    tab.play.click()
    qtbot.waitUntil(lambda: played.ends == [""], timeout=30_000)
    tab.cleanup()
    assert QtCore.QThreadPool.globalInstance().waitForDone(60_000)
