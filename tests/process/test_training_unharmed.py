"""Whatever a script and its environment do: training is untouched, its end is told rightly, and
what was stepped is kept.

Every script runs plain and, all of them beside each other in one daemon, watched by a viewer.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from waiting import wait_until
from watching import Viewer, run_plain

from gym_gui.core.paths import DATA_DIR_VARIABLE, DataDir
from gym_gui.core.records import EpisodeRecord, RunRecord, RunSpec, RunState
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import ensure_daemon, stop_daemon
from gym_gui.services.workers import build_spec
from gym_gui.telemetry.reader import RunReader

PRELUDE = '''
import os, sys, time
import gymnasium as gym
import numpy as np
from gymnasium import spaces

class Walk(gym.Env):
    """A walk along a line; an episode takes ten steps. Its pictures are plain."""
    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}
    observation_space = spaces.Box(-100, 100, (2,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.count = 0.0, 0
        return self.seen(), {}

    def step(self, action):
        self.at += float(self.move(action)) + float(self.np_random.normal())
        self.count += 1
        return self.seen(), self.at, False, self.count == 10, {}

    def move(self, action):
        return action

    def seen(self):
        return np.array([self.at, self.count], np.float32)

    def render(self):
        return np.full((48, 64, 3), self.count, np.uint8)

def play(env, episodes=40, policy=lambda env: env.action_space.sample(), pause_s=0.0005):
    """Play, slowly enough that a viewer comes to look, and tell what happened."""
    env.action_space.seed(7)
    steps, returns = 0, []
    for episode in range(episodes):
        env.reset(seed=episode)
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(policy(env))
            total, over = total + float(reward), terminated or truncated
            steps += 1
            time.sleep(pause_s)
        returns.append(total)
    print(f"steps={steps} episodes={len(returns)} return_sum={sum(returns)!r}", flush=True)

def make(cls, name="Test/Own-v0", **options):
    gym.register(name, entry_point=cls)
    return gym.make(name, **options)
'''

NO_RENDER = """
class Blind(Walk):
    metadata = {"render_modes": []}
    def render(self):
        raise AssertionError("render was called")
play(make(Blind))
"""

RAISES_IN_STEP = """
class Breaks(Walk):
    def step(self, action):
        if self.count == 6:
            raise ValueError("the axle broke")
        return super().step(action)
env = make(Breaks)
env.reset(seed=1)
for _ in range(10):
    env.step(1)
"""

RAISES_IN_STEP_AND_IS_CAUGHT = """
class Breaks(Walk):
    def step(self, action):
        if self.count == 6:
            raise ValueError("the axle broke")
        return super().step(action)
env = make(Breaks)
total, steps = 0.0, 0
for episode in range(5):
    env.reset(seed=episode)
    try:
        while True:
            total += env.step(1)[1]
            steps += 1
    except ValueError:
        pass
print(f"steps={steps} total={total!r}")
"""

RAISES_IN_RENDER = """
class Shy(Walk):
    def render(self):
        raise RuntimeError("no looking")
play(make(Shy))
"""

EXITS_IN_RENDER = """
class Touchy(Walk):
    def render(self):
        sys.exit("I will not be looked at")
play(make(Touchy))
"""

DRAWS_NUMBERS_IN_RENDER = """
import random
class Sparkling(Walk):
    def step(self, action):
        self.at += random.random() + np.random.random()
        return super().step(action)
    def render(self):
        self.np_random.normal(); random.random(); np.random.random()
        return super().render()
random.seed(1)
np.random.seed(1)
play(make(Sparkling))
"""

DICTIONARIES = """
class Robot(Walk):
    observation_space = spaces.Dict({"arm": spaces.Box(-9, 9, (2,)), "on": spaces.Discrete(2)})
    action_space = spaces.Dict({
        "grip": spaces.Discrete(2),
        "pair": spaces.Tuple((spaces.Box(-1, 1, (2,)), spaces.MultiBinary(3))),
    })
    def move(self, action):
        return action["grip"] + action["pair"][0].sum() + action["pair"][1].sum()
    def seen(self):
        return {"arm": np.clip([self.at, 1.0], -9, 9).astype(np.float32), "on": self.count % 2}
play(make(Robot))
"""

IMAGES = """
import zlib
class Camera(Walk):
    observation_space = spaces.Box(0, 255, (84, 84, 3), np.uint8)
    def seen(self):
        return np.full((84, 84, 3), self.count, np.uint8)
play(make(Camera))
print("crc32 of the first step's picture:", zlib.crc32(np.full((84, 84, 3), 1, np.uint8)))
"""

FORKS = """
class Forking(Walk):
    def step(self, action):
        result = super().step(action)
        if self.count == 5:
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        return result
play(make(Forking), episodes=8)
"""

CHILD_STEPS_ON = """
env = make(Walk)
env.reset(seed=1)
for _ in range(4):
    env.step(1)
child = os.fork()
if child == 0:
    for _ in range(3):
        env.step(2)
    os._exit(0)
os.waitpid(child, 0)
for _ in range(6):
    env.step(1)
print("steps=13")
"""

LEAVES_AT_ONCE = """
env = make(Walk)
env.reset(seed=1)
for _ in range(7):
    env.step(1)
os._exit({code})
"""

INTERRUPTED = """
import signal
env = make(Walk)
env.reset(seed=1)
for _ in range(7):
    env.step(1)
os.kill(os.getpid(), signal.{signal})
time.sleep(60)
"""

STEPS_IN_A_SIGNAL_HANDLER = """
import signal
other = make(Walk, "Test/Other-v0")
other.reset(seed=1)
taken, busy = [0], []
def on_alarm(*_):
    if not busy:
        busy.append(1)
        taken[0] += 1
        if other.step(1)[3]:
            other.reset()
        busy.clear()
signal.signal(signal.SIGALRM, on_alarm)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
env = make(Walk)
for episode in range(1000):
    env.reset(seed=episode)
    for _ in range(10):
        env.step(2)
signal.setitimer(signal.ITIMER_REAL, 0)
assert taken[0] > 10
with open("steps.txt", "w") as file:
    file.write(str(10_000 + taken[0]))
"""

TIME_LIMITS = """
import signal, traceback
class Late(TimeoutError):
    pass
class Counted(Walk):
    taken = 0
    def step(self, action):
        Counted.taken += 1
        return super().step(action)
def on_alarm(number, frame):
    global place
    place = traceback.format_stack(frame)
    raise Late("the time is up")
signal.signal(signal.SIGALRM, on_alarm)
env = make(Counted, disable_env_checker=True)
late = 0
for turn in range(100):  # each ends by its alarm, wherever that comes
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0001 * (turn + 1))
        for _ in range(50_000):
            env.reset(seed=turn)
            for _ in range(10):
                env.step(2)
        sys.stderr.write("".join(place))  # where it was swallowed
    except Late:
        late += 1
print(f"{late} ended in time")
with open("steps.txt", "w") as file:
    file.write(str(Counted.taken))
"""

NUMBERS_IN_ARRAYS = """
class Boxed(Walk):
    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, np.array([reward], np.float64), *rest
env = make(Boxed, disable_env_checker=True)
env.reset(seed=1)
print(f"steps=10 total={sum(env.step(1)[1].item() for _ in range(10))!r}")
"""

MADE_BY_HAND = """
play(gym.wrappers.RecordEpisodeStatistics(Walk()), episodes=30)
"""

VECTORS_MADE_BY_HAND = """
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
total, steps = 0.0, 0
for envs in (SyncVectorEnv([Walk] * 3), AsyncVectorEnv([Walk] * 3)):
    envs.action_space.seed(1)
    envs.reset(seed=1)
    for _ in range(50):  # each eleventh row is a reset
        total += envs.step(envs.action_space.sample())[1].sum()
    steps += 3 * (50 - 50 // 11)
    envs.close()
print(f"steps={steps} total={total!r}")
"""

HALF_CHARACTERS = r"""
class Wordy(Walk):
    observation_space = spaces.Text(9)
    def seen(self):
        return "caf\udce9 \ud83d"
env = make(Wordy, disable_env_checker=True)
env.reset(seed=1, options={"name\udce9": "\udce9"})
for _ in range(7):
    env.step(2)
"""

CLOSES_OUTPUT = """
env = make(Walk)
env.reset(seed=1)
env.step(1)
sys.stdout.close(); sys.stderr.close()
os.close(1); os.close(2); os.close(0)
mine = os.open("mine.txt", os.O_CREAT | os.O_WRONLY)  # takes the lowest free number
os.write(mine, b"only mine")
for _ in range(8):
    env.step(1)
"""

CLOSES_EVERYTHING = """
env = make(Walk)
env.reset(seed=1)
for _ in range(5):
    env.step(1)
os.closerange(3, 4096)  # as a program does that makes itself a daemon
files = [open(f"mine{number}.txt", "w") for number in range(40)]
for file in files:
    file.write("only mine")
for _ in range(5):
    env.step(1)
"""

NO_PYGAME = """
sys.modules["pygame"] = None
play(gym.make("CartPole-v1"), episodes=30)
"""

OLD_API = """
class Old(Walk):
    def step(self, action):
        observation, reward, _, over, info = super().step(action)
        return observation, reward, over, info
env = make(Old, disable_env_checker=True)
env.reset(seed=1)
total = sum(env.step(1)[1] for _ in range(5))
print(f"total={total!r}")
"""

ANOTHER_HOOK = """
import importlib.abc, importlib.util, sys

class Hook(importlib.abc.MetaPathFinder):
    inside = False
    def find_spec(self, name, path, target=None):
        if name not in ("gymnasium.envs.registration", "gymnasium") or self.inside:
            return None
        self.inside = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.inside = False
        loader = spec.loader
        class After(importlib.abc.Loader):
            def create_module(self, spec):
                return loader.create_module(spec)
            def exec_module(self, module):
                loader.exec_module(module)
                module.hooked = True
        spec.loader = After()
        return spec

sys.meta_path.insert(0, Hook())
for _ in range(3):
    assert importlib.util.find_spec("gymnasium") is not None
"""

AFTER_ANOTHER_HOOK = """
import gymnasium.envs.registration
assert gymnasium.hooked and gymnasium.envs.registration.hooked
play(make(Walk))
"""

LAZY = """
import importlib.util, sys
spec = importlib.util.find_spec("gymnasium")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = importlib.util.module_from_spec(spec)
sys.modules["gymnasium"] = module
spec.loader.exec_module(module)
"""


LETS_GO = """
import gc, weakref
class Heavy(Walk):
    alive = weakref.WeakSet()
    def __init__(self, render_mode=None):
        super().__init__(render_mode)
        self.alive.add(self)
gym.register("Test/Heavy-v0", entry_point=Heavy)
env = make(Walk)
env.reset(seed=1)
steps = 0
for turn in range(30):  # an evaluation now and then, each in an environment that nobody closes
    other = gym.make("Test/Heavy-v0")
    other.reset(seed=turn)
    for _ in range(5):
        other.step(1)
        env.step(1) if steps % 20 else env.reset()
        steps += 1
        time.sleep(0.002)
    del other
    gc.collect()
    assert len(Heavy.alive) <= 2, len(Heavy.alive)
print("let go")
"""


@dataclass(frozen=True)
class Case:
    """A script, how its run must end, and how many steps must be kept."""

    body: str
    steps: int | None = None  # None: as many as it says itself
    state: RunState = RunState.FINISHED
    cause: str = ""
    first: str = ""  # goes before the imports
    lost: int = 0  # so many steps may be cut off between their end and their record
    frames: bool | None = None  # whether the viewer must have seen pictures; None: may


CASES = {
    "plain": Case("play(make(Walk))", frames=True),
    "no_render": Case(NO_RENDER, frames=False),
    "raises_in_step": Case(RAISES_IN_STEP, 6, RunState.FAILED, "the axle broke"),
    "raises_in_step_and_is_caught": Case(RAISES_IN_STEP_AND_IS_CAUGHT),
    "raises_in_render": Case(RAISES_IN_RENDER, frames=False),
    "exits_in_render": Case(EXITS_IN_RENDER, frames=False),
    "draws_numbers_in_render": Case(DRAWS_NUMBERS_IN_RENDER, frames=True),
    "dictionaries": Case(DICTIONARIES),
    "images": Case(IMAGES),
    "forks": Case(FORKS),
    "child_steps_on": Case(CHILD_STEPS_ON),
    "leaves_at_once": Case(LEAVES_AT_ONCE.format(code=0), 7),
    "leaves_at_once_failing": Case(LEAVES_AT_ONCE.format(code=3), 7, RunState.FAILED, "code 3"),
    "interrupted": Case(INTERRUPTED.format(signal="SIGINT"), 7, RunState.FAILED, "SIGINT"),
    "killed": Case(INTERRUPTED.format(signal="SIGKILL"), 7, RunState.FAILED, "SIGKILL"),
    "steps_in_a_signal_handler": Case(STEPS_IN_A_SIGNAL_HANDLER),
    "time_limits": Case(TIME_LIMITS, lost=100),
    "numbers_in_arrays": Case(NUMBERS_IN_ARRAYS),
    "made_by_hand": Case(MADE_BY_HAND, frames=True),
    "vectors_made_by_hand": Case(VECTORS_MADE_BY_HAND),
    "half_characters": Case(HALF_CHARACTERS, 7),
    "closes_output": Case(CLOSES_OUTPUT, 9),
    "closes_everything": Case(CLOSES_EVERYTHING, 10),
    "no_pygame": Case(NO_PYGAME, frames=False),
    "old_api": Case(OLD_API, 0),
    "lets_go": Case(LETS_GO, 292, frames=True),
    "another_hook": Case(AFTER_ANOTHER_HOOK, first=ANOTHER_HOOK),
    "lazily_imported": Case("play(make(Walk))", first=LAZY),
}


@dataclass
class Result:
    """One script's plain and watched run."""

    plain: Any
    record: RunRecord
    stdout: str
    stderr: str
    folder: Path
    frames: int
    steps: int
    episodes: list[EpisodeRecord]
    warnings: list[str]
    observations: list[Any]

    def counted(self) -> int:
        """Return how many steps the script counted; a file has it where it differs from a plain
        run's."""
        file = self.folder / "steps.txt"
        return int(file.read_text() if file.exists() else self.said("steps"))

    def said(self, name: str) -> str:
        words = dict(word.split("=") for word in self.stdout.split() if "=" in word)
        return words[name]


def write(name: str, case: Case, folder: Path) -> Path:
    for part in ("plain", "watched"):
        (folder / name / part).mkdir(parents=True)
    script = folder / name / "train.py"
    script.write_text(case.first + PRELUDE + textwrap.dedent(case.body))
    return script


@pytest.fixture(scope="module")
def results(
    tmp_path_factory: pytest.TempPathFactory, _runtime_root: Path
) -> Iterator[dict[str, Result]]:
    folder = tmp_path_factory.mktemp("unharmed")
    data_dir = DataDir(folder / "data")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("XDG_RUNTIME_DIR", str(_runtime_root))
        patch.setenv(DATA_DIR_VARIABLE, str(folder / "home"))
        scripts = {name: write(name, case, folder) for name, case in CASES.items()}
        plain = {
            name: pool.submit(run_plain, [sys.executable, str(path)], path.parent / "plain")
            for name, path in scripts.items()
        }
        with SyncTrainerClient(ensure_daemon(data_dir)) as client, Viewer(data_dir.ring_dir) as eye:
            specs = {
                name: build_spec(
                    "script",
                    {"script": str(path)},
                    data_dir=data_dir,
                    cwd=path.parent / "watched",
                    render_budget=0.3,
                )
                for name, path in scripts.items()
            }
            for spec in specs.values():
                client.submit_run(spec)

            def all_ended() -> bool:
                records = [client.get_run(spec.run_id) for spec in specs.values()]
                return all(record.state.is_final for record in records)

            wait_until(all_ended, timeout_s=150, what="all runs' end")
            ended = {name: client.get_run(spec.run_id) for name, spec in specs.items()}
        stop_daemon(data_dir)
        yield {
            name: _result(ended[name], spec, data_dir, plain[name].result(), eye)
            for name, spec in specs.items()
        }


def _result(record: RunRecord, spec: RunSpec, data_dir: DataDir, plain: Any, eye: Viewer) -> Result:
    run_dir = data_dir.run(spec.run_id)
    with RunReader(run_dir.store) as reader:
        streams = [info.stream for info in reader.streams()]
        return Result(
            plain=plain,
            record=record,
            stdout=run_dir.stdout.read_text(),
            stderr=run_dir.stderr.read_text(),
            folder=Path(spec.cwd),
            frames=eye.frames.get(spec.run_id, 0),
            steps=reader.totals()["steps"],
            episodes=reader.episodes(),
            warnings=[entry.data["message"] for entry in reader.events("warning")],
            observations=[step.observation for s in streams[:1] for step in reader.steps(s, 0, 1)],
        )


@pytest.mark.parametrize("name", CASES)
def test_what_it_prints_and_how_it_ends_is_as_without_us(
    name: str, results: dict[str, Result]
) -> None:
    result = results[name]
    assert result.stdout == result.plain.stdout, result.stderr
    told = SimpleNamespace(code=result.record.exit_code, signal=result.record.signal)
    code = result.plain.returncode
    assert (told.code, told.signal) == ((code, None) if code >= 0 else (None, -code))


@pytest.mark.parametrize("name", CASES)
def test_its_state_is_right_and_every_step_is_kept(name: str, results: dict[str, Result]) -> None:
    case, result = CASES[name], results[name]
    assert result.record.state is case.state, result.stderr
    assert case.cause in result.record.cause
    assert (result.record.rejected, result.record.dropped) == (0, 0)
    steps = result.counted() if case.steps is None else case.steps
    assert result.steps == result.record.steps
    assert steps - case.lost <= result.steps <= steps, result.stderr
    if "return_sum=" in result.stdout:
        finished = [one for one in result.episodes if one.terminated or one.truncated]
        assert len(finished) == int(result.said("episodes"))
        assert sum(one.return_ for one in finished) == float(result.said("return_sum"))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.frames is not None])
def test_pictures_are_seen_where_the_environment_gives_them(
    name: str, results: dict[str, Result]
) -> None:
    assert (results[name].frames > 0) is CASES[name].frames


@pytest.mark.parametrize("name", ["raises_in_render", "exits_in_render", "no_pygame", "old_api"])
def test_what_failed_of_ours_is_said_once(name: str, results: dict[str, Result]) -> None:
    result = results[name]
    assert len(result.warnings) == 1
    assert result.stderr.count("gym-gui: ") == 1


def test_files_of_the_script_hold_only_its_own(results: dict[str, Result]) -> None:
    files = [
        *results["closes_output"].folder.glob("mine*"),
        *results["closes_everything"].folder.glob("mine*"),
    ]
    assert len(files) == 41
    assert {path.read_text() for path in files} == {"only mine"}


def test_pictures_as_observations_are_kept_as_their_checksum(results: dict[str, Result]) -> None:
    result = results["images"]
    (seen,) = result.observations
    assert (seen["shape"], seen["dtype"]) == ([84, 84, 3], "uint8")
    assert str(seen["crc32"]) == result.stdout.split()[-1]


def test_dictionaries_are_kept_whole(results: dict[str, Result]) -> None:
    (seen,) = results["dictionaries"].observations
    assert seen["on"] == 1
    assert len(seen["arm"]) == 2
