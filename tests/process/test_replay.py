"""Replay shows what a bare environment gives from the same seed and actions, pixel by pixel."""

import json

import gymnasium
import numpy as np
import pytest
from PIL import Image

from gym_gui.commands.pictures import save_gif, save_png
from gym_gui.core.errors import DivergenceError, ReplayError
from gym_gui.services.replay import EpisodeReplay, last_episode
from gym_gui.services.verify import last_report, verify_run
from gym_gui.telemetry.reader import RunReader

SCRIPT = """
import gymnasium, {module}
if hasattr({module}, "ALEInterface"):
    gymnasium.register_envs({module})
env = gymnasium.make("{env_id}")
env.action_space.seed(7)
for episode in range(3):
    env.reset(seed=11 if episode == 0 else None)
    for _ in range({long}):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            break
env.close()
"""


def record(gym_gui, tmp_path, env_id, *options, long=30, module="gymnasium"):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(env_id=env_id, long=long, module=module))
    done = gym_gui("run", "--json", *options, "--", script)
    assert done.returncode == 0, done.stderr
    return gym_gui.data_dir.run(json.loads(done.stdout)["run_id"])


def bare_frames(env_id, episode):
    """Play the script's episodes on an environment that nobody watches."""
    env = gymnasium.make(env_id, render_mode="rgb_array")
    env.action_space.seed(7)
    for number in range(episode + 1):
        env.reset(seed=11 if number == 0 else None)
        frames = [env.render()]
        for _ in range(30):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            frames.append(env.render())
            if terminated or truncated:
                break
    env.close()
    return frames


@pytest.mark.parametrize("env_id", ["CartPole-v1", "FrozenLake-v1", "Pendulum-v1"])
def test_every_frame_of_an_episode_equals_a_bare_environment_s(gym_gui, tmp_path, env_id):
    run_dir = record(gym_gui, tmp_path, env_id)
    episode = 1  # the reset without a seed goes on with the generator's state
    with EpisodeReplay(run_dir, stream=0, episode=episode) as replay:
        moments = list(replay.moments())
    expected = bare_frames(env_id, episode)
    assert [moment.step for moment in moments] == list(range(-1, len(expected) - 1))
    for moment, frame in zip(moments, expected, strict=True):
        assert np.array_equal(moment.frame, frame), moment.step


def test_recorded_frames_equal_a_bare_environment_s(gym_gui, tmp_path):
    run_dir = record(gym_gui, tmp_path, "CartPole-v1", "--record-frames")
    with EpisodeReplay(run_dir, stream=0, episode=0) as replay:
        assert len(replay.recorded) == len(replay.steps)
        moments = list(replay.moments(range(len(replay.steps))))
        assert not replay.simulated
    expected = bare_frames("CartPole-v1", 0)[1:]
    for moment, frame in zip(moments, expected, strict=True):
        assert np.array_equal(moment.frame, frame), moment.step


def test_the_replay_command_writes_the_same_pixels(gym_gui, tmp_path):
    record(gym_gui, tmp_path, "CartPole-v1")
    png, gif = tmp_path / "moment.png", tmp_path / "episode.gif"
    done = gym_gui("replay", "last", "--episode", "0", "--step", "4", "--png", png, "--gif", gif)
    assert done.returncode == 0, done.stderr
    with Image.open(png) as image:
        assert np.array_equal(np.asarray(image), bare_frames("CartPole-v1", 0)[5])
    with Image.open(gif) as image:
        # Pictures that are alike become one that is shown longer.
        assert 1 < image.n_frames <= len(bare_frames("CartPole-v1", 0))


def test_an_animation_runs_at_the_environments_own_pace_unless_told(gym_gui, tmp_path):
    record(gym_gui, tmp_path, "FrozenLake-v1")  # 4 pictures a second
    for words, pace in ((), 250), (("--fps", "10"), 100):
        path = tmp_path / f"{pace}.gif"
        done = gym_gui("replay", "last", "--episode", "0", "--gif", path, *words)
        assert done.returncode == 0, done.stderr
        with Image.open(path) as image:  # pictures that are alike are one, shown longer
            assert image.info["duration"] % pace == 0
            assert image.info["duration"] > 0
        path = tmp_path / f"{pace}-exported.gif"
        assert gym_gui("export", "last", path, "--episode", "0", *words).returncode == 0
        with Image.open(path) as image:
            assert image.info["duration"] % pace == 0
            assert image.info["duration"] > 0


DICE = """
import random
import gymnasium, numpy as np
from gymnasium.envs.registration import register
class Dice(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float64)
    action_space = gymnasium.spaces.Discrete(2)
    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1), {}
    def step(self, action):
        return np.array([random.random()]), 0.0, False, False, {}
"""


STILL = DICE.replace("random.random()", "0.5")
DRAWN = (
    DICE
    + """
    metadata = {"render_modes": ["rgb_array"]}
    render_mode = None
    def render(self):
        return np.full((8, 8, 3), random.randrange(256), np.uint8)
"""
)


def roll_dice(gym_gui, tmp_path, monkeypatch, *options, env=DICE):
    (tmp_path / "dice_env.py").write_text(env)
    script = tmp_path / "train.py"
    script.write_text(
        "import gymnasium, dice_env\n"
        "gymnasium.register('Dice-v0', entry_point='dice_env:Dice', max_episode_steps=5)\n"
        "env = gymnasium.make('Dice-v0')\nenv.reset(seed=1)\n"
        "for _ in range(5):\n    env.step(0)\nenv.reset()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = gym_gui("run", "--json", *options, "--", script)
    assert done.returncode == 0, done.stderr
    return gym_gui.data_dir.run(json.loads(done.stdout)["run_id"])


def test_an_environment_with_luck_of_its_own_is_said_to_have_left_the_recording(
    gym_gui, tmp_path, monkeypatch
):
    roll_dice(gym_gui, tmp_path, monkeypatch)
    done = gym_gui("verify", "last")
    assert done.returncode == 1
    assert "observation" in done.stdout + done.stderr


def test_a_missing_package_is_named_and_leaves_what_was_found_before(
    gym_gui, tmp_path, monkeypatch
):
    run_dir = roll_dice(gym_gui, tmp_path, monkeypatch, env=STILL)
    assert verify_run(run_dir).reproducible
    (tmp_path / "dice_env.py").unlink()
    done = gym_gui("verify", "last")
    assert done.returncode == 1
    assert "dice_env" in done.stderr
    assert "Install it" in done.stderr
    before = last_report(run_dir)
    assert before is not None
    assert before.reproducible


def test_recorded_pictures_are_written_of_what_does_not_repeat_itself(
    gym_gui, tmp_path, monkeypatch
):
    run_dir = roll_dice(gym_gui, tmp_path, monkeypatch, "--record-frames", env=DRAWN)
    with EpisodeReplay(run_dir, stream=0, episode=0) as replay:
        moments = list(replay.moments())
        assert [moment.step for moment in moments][-5:] == [0, 1, 2, 3, 4]
        for moment in moments[-5:]:
            stored = replay._stored_frame(moment.step)
            assert stored is not None
            assert np.array_equal(moment.frame, stored)
    (tmp_path / "dice_env.py").unlink()
    with EpisodeReplay(run_dir, stream=0, episode=0) as replay:
        assert [moment.step for moment in replay.moments()] == [0, 1, 2, 3, 4]
    done = gym_gui("replay", "last", "--headless")
    assert done.returncode == 1
    done = gym_gui("replay", "last", "--gif", tmp_path / "dice.gif")
    assert done.returncode == 0, done.stderr


def test_an_episode_that_was_not_recorded_is_named(gym_gui, tmp_path):
    run_dir = record(gym_gui, tmp_path, "CartPole-v1")
    with pytest.raises(ReplayError, match="episode 99"):
        EpisodeReplay(run_dir, stream=0, episode=99)
    assert last_episode(run_dir) == (0, 2)


def test_a_tampered_recording_is_found_out(gym_gui, tmp_path):
    run_dir = record(gym_gui, tmp_path, "CartPole-v1")
    with EpisodeReplay(run_dir, stream=0, episode=0) as replay:
        replay.steps[3].reward = 2.0
        with pytest.raises(DivergenceError, match="step 3"):
            replay.check()


def test_pictures_are_written_as_they_were(gym_gui, tmp_path):
    run_dir = record(gym_gui, tmp_path, "CartPole-v1")
    with RunReader(run_dir.store) as reader:
        assert reader.totals()["episodes"] == 3
    with EpisodeReplay(run_dir, stream=0, episode=2) as replay:
        moments = list(replay.moments([0, 1, 2]))
    assert save_gif(moments, tmp_path / "a.gif", pace=lambda: 30.0) == 3
    with Image.open(save_png(moments[0], tmp_path / "a.png")) as image:
        assert np.array_equal(np.asarray(image), moments[0].frame)


def test_seeking_back_and_forth_shows_what_playing_through_shows(gym_gui, tmp_path):
    run_dir = record(gym_gui, tmp_path, "Pendulum-v1", long=250)
    with EpisodeReplay(run_dir, stream=0, episode=0) as straight:
        expected = {step: straight.frame(step) for step in range(-1, len(straight))}
    with EpisodeReplay(run_dir, stream=0, episode=0) as replay:
        for step in (150, 149, 20, 199, 100, -1, 198, 99, 101):
            assert np.array_equal(replay.frame(step), expected[step]), step


def test_verification_tells_of_every_episode(gym_gui, tmp_path):
    run_dir = record(gym_gui, tmp_path, "CartPole-v1")
    report = verify_run(run_dir)
    assert (report.episodes, report.repeated, report.findings) == (3, 3, [])
    assert report.reproducible
    assert verify_run(run_dir, sample=2).episodes == 2


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "LunarLander-v3", "ALE/Pong-v5", "MiniGrid-Empty-8x8-v0"]
)
def test_pictures_simulated_again_equal_those_taken_in_training(gym_gui, tmp_path, env_id):
    module = {"ALE": "ale_py", "Min": "minigrid"}.get(env_id[:3], "gymnasium")
    run_dir = record(gym_gui, tmp_path, env_id, "--record-frames", module=module)
    with EpisodeReplay(run_dir, stream=0, episode=1) as taken:
        assert taken.has_frames
        pictures = [taken.frame(step) for step in range(len(taken))]
    with EpisodeReplay(run_dir, stream=0, episode=1) as again:
        again.recorded = set()
        for step, picture in enumerate(pictures):
            assert np.array_equal(again.frame(step), picture), step
        assert again.simulated
        assert again.divergence is None
