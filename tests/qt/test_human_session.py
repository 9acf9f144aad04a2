"""Playing by hand: real environments in real processes, recorded step by step."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gym_gui.controllers.session import SessionController
from gym_gui.controllers.session_choice import ActionChooser, Situation
from gym_gui.core.errors import ControlModeError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import STEP_HUMAN, STEP_INTERVENTION, ControlMode, RunState
from gym_gui.services.human_session import PolicySource
from gym_gui.services.registry import RunRegistry
from gym_gui.services.session_recovery import recover_sessions
from gym_gui.services.storage import read_episode
from gym_gui.services.verify import verify_run
from gym_gui.telemetry.reader import RunReader

LAKE = "FrozenLake-v1"
SAFE = {"is_slippery": False}
WAY = (1, 1, 2, 1, 2, 2)  # down, down, right, down, right, right: across the 4x4 lake
GAME = "pettingzoo/classic/tictactoe_v3"


class Played:
    """What a session's signals told."""

    def __init__(self, session: SessionController) -> None:
        self.steps, self.episodes, self.ends, self.images = [], [], [], []
        self.begun: list[str] = []
        self.notices: list[str] = []
        self.records = []
        self.situation = Situation()
        self.mine = False
        session.started.connect(lambda run_id, about: self.begun.append(run_id))
        session.stepped.connect(self.steps.append)
        session.situation_changed.connect(self._look)
        session.episode_finished.connect(self.episodes.append)
        session.ended.connect(self.ends.append)
        session.stored.connect(self.records.append)
        session.noticed.connect(self.notices.append)
        session.frame_ready.connect(self.images.append)

    def _look(self, situation: Situation, mine: bool) -> None:
        self.situation, self.mine = situation, mine

    def ready(self, step: int = 0) -> bool:
        return bool(self.begun) and not self.situation.over and self.situation.step == step


@pytest.fixture
def session(qtbot, data_dir: DataDir):
    session = SessionController(data_dir)
    yield session
    session.stop()


def policy_file(tmp_path: Path, body: str) -> PolicySource:
    file = tmp_path / "policy.py"
    file.write_text(f"def act(observation):\n    {body}\n")
    return PolicySource("python", f"{file}:act")


def own_environment(tmp_path: Path, monkeypatch, text: str) -> str:
    """Make a module with one environment ``Own-v0`` that any child can import."""
    (tmp_path / "own_env.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "own_env:Own-v0"


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
        assert (record.state, record.steps, record.episodes) == (RunState.FINISHED, 6, 1)
    assert not run.spool.exists()
    first = sorted((run.root / "episodes").glob("*.jsonl"))[0]
    assert len(read_episode(first)) == 8  # its reset, six steps, its totals
    assert not played.images[-1].isNull()


def test_human_input_in_agent_only_mode_is_refused(qtbot, session: SessionController) -> None:
    session.start(LAKE, options=SAFE, mode=ControlMode.AGENT_ONLY, policy=PolicySource("random"))
    for refused in (session.perform_human_action, session.hold_action):
        with pytest.raises(ControlModeError, match="agent alone is in control"):
            refused(1)


def test_a_mode_with_an_agent_needs_a_policy(session: SessionController) -> None:
    with pytest.raises(ControlModeError, match="Without a policy"):
        session.start(LAKE, mode=ControlMode.HYBRID_TAKE_OVER)
    assert not session.is_running


def test_taking_over_records_what_the_agent_would_have_done(
    qtbot, session: SessionController, tmp_path: Path
) -> None:
    played = Played(session)
    session.start(
        "Pendulum-v1",
        mode=ControlMode.HYBRID_TAKE_OVER,
        policy=policy_file(tmp_path, "return observation[:1] * 0 + 0.5"),
    )
    qtbot.waitUntil(lambda: len(played.steps) >= 2, timeout=30_000)
    session.hold_action([-2.0])
    taken_over = STEP_HUMAN | STEP_INTERVENTION
    qtbot.waitUntil(lambda: played.steps[-1].flags & taken_over == taken_over)
    assert (played.steps[-1].action, played.steps[-1].proposed_action) == ([-2.0], [0.5])
    session.hold_action(None)
    qtbot.waitUntil(lambda: played.steps[-1].flags == 0)
    assert (played.steps[-1].action, played.steps[-1].proposed_action) == ([0.5], [0.5])


def test_a_tap_between_two_steps_acts_once() -> None:
    chooser = ActionChooser(mode=ControlMode.HUMAN_ONLY, realtime=True, has_policy=False)
    chooser.hold(1)
    chooser.hold(None)
    chosen = [chooser.next_choice() for _ in range(2)]
    assert [choice and choice.action for choice in chosen] == [1, 0]


def test_a_key_that_stays_down_acts_on_after_a_reset() -> None:
    chooser = ActionChooser(mode=ControlMode.HUMAN_ONLY, realtime=True, has_policy=False)
    chooser.hold(1)
    chooser.forget_presses()
    choice = chooser.next_choice()
    assert choice is not None
    assert choice.action == 1


def test_an_environment_that_cannot_be_made_says_why(qtbot, session: SessionController) -> None:
    played = Played(session)
    session.start("NoSuchEnvironment-v0")
    qtbot.waitUntil(lambda: bool(played.ends), timeout=30_000)
    assert "NoSuchEnvironment" in played.ends[0]


def test_a_policy_that_cannot_be_loaded_says_why(
    qtbot, session: SessionController, tmp_path: Path
) -> None:
    played = Played(session)
    source = PolicySource("sb3", str(tmp_path / "no.zip"))
    session.start(LAKE, policy=source, mode=ControlMode.AGENT_ONLY)
    qtbot.waitUntil(lambda: bool(played.ends), timeout=30_000)
    assert "no model of Stable-Baselines3" in played.ends[0]


def test_steps_taken_back_stay_and_the_rest_is_an_episode_of_its_own(
    qtbot, session: SessionController, data_dir: DataDir
) -> None:
    played = Played(session)
    run_id = session.start("CartPole-v1", seed=5)
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    for number, action in enumerate((1, 0, 1), 1):
        session.perform_human_action(action)
        qtbot.waitUntil(lambda n=number: played.ready(n))
    for left in (2, 1):
        session.undo()
        qtbot.waitUntil(lambda n=left: played.ready(n))
    session.perform_human_action(1)
    qtbot.waitUntil(lambda: played.ready(2))
    session.stop()
    with RunReader(data_dir.run(run_id).store) as reader:
        actions = [[s.action for s in reader.episode_steps(0, number)] for number in (0, 1)]
        seeds = [reader.reset(0, number).seed for number in (0, 1)]
    assert actions == [[1, 0, 1], [1, 1]]
    assert seeds == [5, 5]
    assert verify_run(data_dir.run(run_id)).repeated == 2


DICE = """
import os, random
import gymnasium
class Dice(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (1,))
    action_space = gymnasium.spaces.Discrete(3)
    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.low, {}
    def step(self, action):
        if action == 2:
            os._exit(7)
        return self.observation_space.low + random.random(), 0.0, False, False, {}
gymnasium.register("Own-v0", entry_point="own_env:Dice")
"""


def test_what_does_not_repeat_itself_is_not_taken_back_and_a_crash_keeps_every_step(
    qtbot, session: SessionController, data_dir: DataDir, tmp_path: Path, monkeypatch
) -> None:
    played = Played(session)
    run_id = session.start(own_environment(tmp_path, monkeypatch, DICE))
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    for number in range(1, 21):
        session.perform_human_action(1)
        qtbot.waitUntil(lambda n=number: played.ready(n))
    session.undo()
    qtbot.waitUntil(lambda: bool(played.notices))
    assert "does not repeat itself" in played.notices[0]
    session.perform_human_action(2)
    qtbot.waitUntil(lambda: bool(played.ends))
    assert "process ended" in played.ends[0]
    with RunReader(data_dir.run(run_id).store) as reader:
        assert len(reader.steps(0, 0, 100)) == 20
    with RunRegistry(data_dir) as registry:
        record = registry.get(run_id)
        assert (record.state, record.steps) == (RunState.FAILED, 20)


SPACES = """
import gymnasium
from gymnasium import spaces
SPACES = {
    "discrete": spaces.Discrete(3, start=5),
    "several": spaces.MultiDiscrete([3, 2, 5]),
    "bits": spaces.MultiBinary(3),
    "box": spaces.Box(-2.0, 2.0, (2,)),
    "dict": spaces.Dict({"go": spaces.Discrete(2), "way": spaces.Box(-1.0, 1.0, (2,))}),
}
class Any(gymnasium.Env):
    observation_space = spaces.Discrete(2)
    def __init__(self, space, render_mode=None):
        self.action_space = SPACES[space]
    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}
    def step(self, action):
        assert self.action_space.contains(action), action
        return 1, 1.0, False, False, {}
gymnasium.register("Own-v0", entry_point="own_env:Any", disable_env_checker=True)
"""


@pytest.mark.parametrize(
    ("space", "action"),
    [
        ("discrete", 6),
        ("several", [2, 1, 4]),
        ("bits", [1, 0, 1]),
        ("box", [0.5, -2.0]),
        ("dict", {"go": 1, "way": [0.5, 0.25]}),
    ],
)
def test_actions_of_every_kind_are_played_without_a_picture_too(
    qtbot, session: SessionController, data_dir, tmp_path, monkeypatch, space, action
) -> None:
    played = Played(session)
    env_id = own_environment(tmp_path, monkeypatch, SPACES)
    run_id = session.start(env_id, options={"space": space})
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    session.perform_human_action(action)
    qtbot.waitUntil(lambda: played.ready(1))
    assert played.steps[0].action == action
    session.stop()
    assert verify_run(data_dir.run(run_id)).reproducible


def test_a_game_of_turns_against_a_policy(
    qtbot, session: SessionController, data_dir: DataDir, tmp_path: Path
) -> None:
    played = Played(session)
    first_legal = policy_file(tmp_path, 'return int(observation["action_mask"].argmax())')
    run_id = session.start(
        GAME, mode=ControlMode.HYBRID_TURN_BASED, policy=first_legal, frames_per_s=60.0
    )
    qtbot.waitUntil(lambda: played.ready() and played.mine, timeout=30_000)
    session.perform_human_action(4)  # the middle; the policy then takes 0, 1, 2 in turn
    qtbot.waitUntil(lambda: played.ready(2) and played.mine)
    with pytest.raises(ControlModeError, match="not allowed now"):
        session.perform_human_action(4)
    session.perform_human_action(3)
    qtbot.waitUntil(lambda: played.ready(4) and played.mine)
    session.undo()
    qtbot.waitUntil(lambda: played.ready(2) and played.mine)
    session.perform_human_action(3)
    qtbot.waitUntil(lambda: played.ready(4) and played.mine)
    session.perform_human_action(5)
    qtbot.waitUntil(lambda: played.situation.over)
    session.stop()
    qtbot.waitUntil(lambda: bool(played.records))
    last = {episode.agent: episode for episode in played.episodes[-2:]}
    assert {agent: episode.return_ for agent, episode in last.items()} == {
        "player_1": 1.0,
        "player_2": -1.0,
    }
    with RunReader(data_dir.run(run_id).store) as reader:
        steps = reader.episode_steps(0, 1)
    assert [step.action for step in steps] == [4, 0, 3, 1, 5]
    assert [step.agent for step in steps] == ["player_1", "player_2"] * 2 + ["player_1"]
    assert [bool(step.flags & STEP_HUMAN) for step in steps] == [True, False, True, False, True]
    assert verify_run(data_dir.run(run_id)).reproducible


def test_two_people_play_at_one_keyboard(qtbot, session: SessionController) -> None:
    played = Played(session)
    session.start(GAME)
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    for number, action in enumerate((0, 1, 2), 1):
        session.perform_human_action(action)
        qtbot.waitUntil(lambda n=number: played.ready(n) and played.mine)
    assert [step.agent for step in played.steps] == ["player_1", "player_2", "player_1"]
    assert {step.flags for step in played.steps} == {STEP_HUMAN}


DOOMED = """
import os, sys
from PySide6 import QtCore
from gym_gui.controllers.session import SessionController
from gym_gui.core.paths import DataDir
app = QtCore.QCoreApplication([])
session = SessionController(DataDir(sys.argv[1]))
session.situation_changed.connect(lambda situation, mine: session.perform_human_action(
    situation.step % 2))
session.stepped.connect(lambda step: print(step.episode, step.step, step.action, flush=True))
session.start("Acrobot-v1")
app.exec()
"""


def test_every_step_shown_before_a_kill_is_there_after_the_next_start(
    data_dir: DataDir, tmp_path: Path
) -> None:
    script = tmp_path / "doomed.py"
    script.write_text(DOOMED)
    command = [sys.executable, str(script), str(data_dir.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        shown = [child.stdout.readline() for _ in range(60)]
        child.send_signal(signal.SIGKILL)
        shown += child.stdout.read().splitlines(keepends=True)
    (record,) = recover_sessions(data_dir)
    assert (record.state, "every step played is kept" in record.cause) == (RunState.FAILED, True)
    assert recover_sessions(data_dir) == []
    with RunReader(data_dir.run(record.run_id).store) as reader:
        stored = [f"{s.episode} {s.step} {s.action}\n" for s in reader.steps(0, 0, 10_000)]
    assert shown == stored[: len(shown)]


def test_a_session_that_is_going_on_is_left_alone(
    qtbot, session: SessionController, data_dir: DataDir
) -> None:
    played = Played(session)
    session.start(LAKE)
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    assert recover_sessions(data_dir) == []
    session.perform_human_action(0)
    qtbot.waitUntil(lambda: len(played.steps) == 1)


def test_a_full_disk_holds_the_game_up_and_keeps_what_was_shown(
    qtbot, session: SessionController, data_dir: DataDir, tmp_path: Path, monkeypatch
) -> None:
    """The child may write no file larger than 6 kB: its spool is full after some steps."""
    wrapper = tmp_path / "python"
    wrapper.write_text(
        "#!/bin/sh\n"
        'case "$*" in *worker.play*) trap "" XFSZ; ulimit -S -f 12;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    wrapper.chmod(0o700)
    played = Played(session)
    run_id = session.start("Acrobot-v1", python=str(wrapper))
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    while not played.notices:
        count = played.situation.step
        session.perform_human_action(1)
        qtbot.waitUntil(lambda c=count: played.situation.step > c or bool(played.notices))
    assert "No room" in played.notices[0]
    shown = len(played.steps)
    assert shown > 5
    session.stop(timeout_s=1.0)
    qtbot.waitUntil(lambda: bool(played.records))
    with RunReader(data_dir.run(run_id).store) as reader:
        assert len(reader.steps(0, 0, 1000)) == shown
