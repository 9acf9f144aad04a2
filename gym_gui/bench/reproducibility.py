"""How many recorded episodes live again exactly, step for step, per environment.

Each environment is stepped at random by a script that knows nothing of gym-gui, watched and
recorded like any other; then every episode is simulated again and compared. Where one is not the
same, two bare environments, without anything of ours, play the same seed and actions.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gym_gui.core.paths import DataDir
from gym_gui.services.verify import verify_run

ENVIRONMENTS = (
    ("CartPole-v1", ""),
    ("Acrobot-v1", ""),
    ("MountainCar-v0", ""),
    ("Pendulum-v1", ""),
    ("FrozenLake-v1", ""),
    ("Taxi-v4", ""),
    ("LunarLander-v3", ""),
    ("BipedalWalker-v3", ""),
    ("ALE/Pong-v5", "ale_py"),
    ("HalfCheetah-v5", ""),
    ("MiniGrid-Empty-8x8-v0", "minigrid"),
)
EPISODES, QUICK_EPISODES = 100, 3
_TIMEOUT_S = 1800.0

SCRIPT = """
import importlib, sys
import gymnasium

env_id, module, episodes = sys.argv[1], sys.argv[2], int(sys.argv[3])
if module:
    gymnasium.register_envs(importlib.import_module(module))
env = gymnasium.make(env_id)
env.action_space.seed(1)
for episode in range(episodes):
    env.reset(seed=1 if episode == 0 else None)
    ended = False
    while not ended:
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        ended = terminated or truncated
env.close()
"""

BARE = """
import importlib, sys, zlib
import gymnasium, numpy as np

env_id, module = sys.argv[1:3]
if module:
    gymnasium.register_envs(importlib.import_module(module))
for _ in range(2):
    env = gymnasium.make(env_id)
    env.action_space.seed(1)
    seen = [env.reset(seed=1)[0]]
    for _ in range(1000):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append((observation, reward))
        if terminated or truncated:
            env.reset()
    print(zlib.crc32(repr(seen).encode()))
    env.close()
"""


def measure(*, quick: bool) -> dict[str, Any]:
    """Return, per environment, episodes, how many repeat, steps compared, and seconds taken."""
    episodes = QUICK_EPISODES if quick else EPISODES
    return {
        env_id: measure_one(env_id, module, episodes=episodes) for env_id, module in ENVIRONMENTS
    }


def measure_one(env_id: str, module: str, *, episodes: int) -> dict[str, Any]:
    """Record and simulate again ``episodes`` episodes of one environment."""
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as folder:
        data_dir = DataDir(Path(folder, "data"))
        try:
            run_id = record(data_dir, SCRIPT, env_id, module, str(episodes))
            start = time.perf_counter()
            report = verify_run(data_dir.run(run_id))
            seconds = time.perf_counter() - start
        finally:
            stop_daemon(data_dir)
    result: dict[str, Any] = {
        "episodes": report.episodes,
        "repeated": report.repeated,
        "steps": report.steps,
        "simulated_steps_per_s": round(report.steps / seconds),
    }
    if report.findings:
        found = report.findings[0]
        result["first_difference"] = f"episode {found.episode}, step {found.step}: {found.reason}"
        result["two_bare_runs_differ"] = _bare_runs_differ(env_id, module)
    return result


def record(data_dir: DataDir, script: str, *arguments: str) -> str:
    """Run a script's text watched and recorded, and return the run's id."""
    file = data_dir.root.parent / "script.py"
    file.write_text(script)
    place = ("--data-dir", str(data_dir.root))
    done = _gym_gui("run", "--json", *place, "--", str(file), *arguments)
    done.check_returncode()
    return str(json.loads(done.stdout)["run_id"])


def stop_daemon(data_dir: DataDir) -> None:
    """Stop the daemon that ``record`` started."""
    _gym_gui("daemon", "stop", "--data-dir", str(data_dir.root))


def _gym_gui(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gym_gui", *words],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )


def _bare_runs_differ(env_id: str, module: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", BARE, env_id, module],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    first, second = done.stdout.split()
    return first != second
