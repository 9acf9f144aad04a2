"""Playing what does not behave: environments and agents that fail, hang, or are made oddly."""

from __future__ import annotations

import pytest
from test_human_session import Played, own_environment, policy_file

from gym_gui.controllers import session_thread
from gym_gui.controllers.session import SessionController
from gym_gui.core.paths import DataDir
from gym_gui.core.records import STEP_HUMAN, STEP_INTERVENTION, ControlMode, RunState
from gym_gui.services.verify import verify_run
from gym_gui.telemetry.reader import RunReader

ODD = """
import sys, time
import gymnasium, numpy
made = 0
class Odd(gymnasium.Env):
    metadata = {{"render_modes": ["rgb_array"]}}
    observation_space = gymnasium.spaces.Box(0, 100, (1,))
    action_space = gymnasium.spaces.Discrete(2)
    render_mode = None
    count = 0
    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return numpy.zeros(1, "float32"), {{}}
    def step(self, action):
        self.count += 1
        {step}
        return numpy.full(1, self.count, "float32"), {reward}, self.count == 9, False, {{}}
    def render(self):
        {render}
        return numpy.zeros((8, 8, 3), "uint8")
def make():
    global made
    made += 1
    {make}
    return Odd()
gymnasium.register("Own-v0", entry_point="own_env:make", disable_env_checker=True)
"""


def odd(tmp_path, monkeypatch, **parts: str) -> str:
    usual = {"step": "pass", "reward": "1.0", "render": "pass", "make": "pass"}
    return own_environment(tmp_path, monkeypatch, ODD.format(**{**usual, **parts}))


@pytest.fixture
def session(qtbot, data_dir: DataDir):
    session = SessionController(data_dir)
    yield session
    session.stop()


def take_steps(qtbot, session: SessionController, played: Played, count: int) -> None:
    for number in range(1, count + 1):
        session.perform_human_action(1)
        qtbot.waitUntil(lambda n=number: played.ready(n))


def test_it_is_played_whatever_draws_reads_and_rewards_oddly(
    qtbot, session: SessionController, data_dir: DataDir, tmp_path, monkeypatch
) -> None:
    """Made by a function without render_mode; reads stdin; its reward is NaN in an array."""
    played = Played(session)
    blanks: list[str] = []
    session.blank.connect(blanks.append)
    env_id = odd(
        tmp_path, monkeypatch, step="sys.stdin.readline()",
        reward='numpy.array([float("nan")])', render='raise ValueError("no paint")',
    )  # fmt: skip
    run_id = session.start(env_id)
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    take_steps(qtbot, session, played, 3)
    assert "no paint" in blanks[0]
    session.undo()
    qtbot.waitUntil(lambda: played.ready(2))
    session.perform_human_action(0)
    qtbot.waitUntil(lambda: played.ready(3))
    session.stop()
    assert verify_run(data_dir.run(run_id)).repeated == 2


@pytest.mark.parametrize("action", [7, "left", [1], {"a": 1}])
def test_what_is_no_action_of_the_space_is_refused_and_the_game_goes_on(
    qtbot, session: SessionController, action
) -> None:
    played = Played(session)
    session.start("CartPole-v1", seed=1)
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    session.perform_human_action(action)
    qtbot.waitUntil(lambda: bool(played.notices))
    assert "is no action of Discrete(2)" in played.notices[0]
    take_steps(qtbot, session, played, 1)
    assert [step.action for step in played.steps] == [1]


def test_a_second_environment_that_fails_costs_only_the_undo(
    qtbot, session: SessionController, tmp_path, monkeypatch
) -> None:
    played = Played(session)
    make = 'assert made == 1, "the port is in use"'
    session.start(odd(tmp_path, monkeypatch, make=make))
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    take_steps(qtbot, session, played, 2)
    session.undo()
    qtbot.waitUntil(lambda: bool(played.notices))
    assert "the port is in use" in played.notices[0]
    session.perform_human_action(1)
    qtbot.waitUntil(lambda: played.ready(3))


def test_an_agent_that_takes_over_in_the_middle_is_asked_first(
    qtbot, session: SessionController, tmp_path
) -> None:
    played = Played(session)
    session.start("CartPole-v1", seed=1, policy=policy_file(tmp_path, "return 0"))
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    take_steps(qtbot, session, played, 2)
    session.set_mode(ControlMode.HYBRID_TAKE_OVER)
    session.hold_action(1)
    qtbot.waitUntil(lambda: len(played.steps) > 3)
    found = [(step.flags, step.proposed_action) for step in played.steps[:4]]
    intervened = (STEP_HUMAN | STEP_INTERVENTION, 0)
    assert found == [(STEP_HUMAN, None)] * 2 + [intervened] * 2
    session.set_mode(ControlMode.HUMAN_ONLY)
    session.set_mode(ControlMode.AGENT_ONLY)
    qtbot.waitUntil(lambda: any(step.flags == 0 for step in played.steps))
    assert not played.ends


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 1 / 0", "The agent failed: ZeroDivisionError"),
        ("return None", "it gave no action"),
        ("return [0, 1]", "[0,1] is no action of Discrete(2)"),
    ],
)
def test_an_agent_that_fails_is_named_not_the_environment(
    qtbot, session: SessionController, tmp_path, body: str, words: str
) -> None:
    played = Played(session)
    source = policy_file(tmp_path, body)
    session.start("CartPole-v1", policy=source, mode=ControlMode.AGENT_ONLY)
    qtbot.waitUntil(lambda: bool(played.ends), timeout=30_000)
    assert words in played.ends[0]
    assert "process ended" not in played.ends[0]


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ({"step": "time.sleep(1e6 * (self.count == 3))"}, RunState.FINISHED),
        ({"step": "assert self.count < 3"}, RunState.FAILED),
    ],
)
def test_one_that_hangs_or_crashes_ends_and_its_episode_is_listed(
    qtbot, session: SessionController, data_dir, tmp_path, monkeypatch, parts, state
) -> None:
    monkeypatch.setattr(session_thread, "PATIENCE_S", 0.3)
    played = Played(session)
    run_id = session.start(odd(tmp_path, monkeypatch, **parts))
    qtbot.waitUntil(lambda: played.ready(), timeout=30_000)
    take_steps(qtbot, session, played, 2)
    session.perform_human_action(1)
    if state is RunState.FINISHED:
        session.request_stop()
    qtbot.waitUntil(lambda: bool(played.records), timeout=10_000)
    assert played.records[0].state is state
    with RunReader(data_dir.run(run_id).store) as reader:
        (episode,) = reader.episodes()
    assert (episode.length, episode.return_) == (2, 2.0)
    assert not episode.terminated
    assert verify_run(data_dir.run(run_id)).reproducible


def test_one_that_hangs_while_it_is_made_is_ended(
    qtbot, session: SessionController, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(session_thread, "PATIENCE_S", 0.3)
    played = Played(session)
    session.start(odd(tmp_path, monkeypatch, make="time.sleep(1e6)"))
    session.request_stop()
    qtbot.waitUntil(lambda: bool(played.ends), timeout=10_000)
    assert played.ends == [""]
