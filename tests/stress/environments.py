"""Try environments of many packages, and print what works with each as a table in Markdown.

    python tests/stress/environments.py [--python PY] [ID ...]

PY: an interpreter with the packages; what is not installed there is left out, and named. Each
environment takes random actions, plain (nothing of gym-gui loaded) and watched by a viewer:

exact    what the watched run printed (steps, rewards, a checksum of all observations) is what the
         plain one printed, to the last bit, and as many steps were recorded
picture  the viewer saw pictures
replay   its episodes, simulated again from what was recorded, agreed with it at every step
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from watching import Watched, run_plain, run_watched

from gym_gui.core.paths import DATA_DIR_VARIABLE

TIMEOUT_S = 900.0

# family, environment, module whose import registers it, steps
ENVIRONMENTS = (
    ("classic control", "CartPole-v1", "", 3000),
    ("classic control", "Pendulum-v1", "", 3000),
    ("classic control", "MountainCarContinuous-v0", "", 3000),
    ("classic control", "Acrobot-v1", "", 3000),
    ("toy text", "Taxi-v4", "", 3000),
    ("toy text", "FrozenLake-v1", "", 3000),
    ("toy text", "CliffWalking-v1", "", 3000),
    ("toy text", "Blackjack-v1", "", 3000),
    ("Box2D", "LunarLander-v3", "", 2000),
    ("Box2D", "BipedalWalker-v3", "", 2000),
    ("Box2D", "CarRacing-v3", "", 200),
    ("MuJoCo", "HalfCheetah-v5", "", 3000),
    ("MuJoCo", "Humanoid-v5", "", 2000),
    ("Atari", "ALE/Pong-v5", "ale_py", 2000),
    ("Atari", "ALE/Breakout-v5", "ale_py", 2000),
    ("MiniGrid", "MiniGrid-DoorKey-8x8-v0", "minigrid", 2000),
    ("highway-env", "highway-v0", "highway_env", 30),
    ("flappy-bird-gymnasium", "FlappyBird-v0", "flappy_bird_gymnasium", 2000),
    ("tetris-gymnasium", "tetris_gymnasium/Tetris", "tetris_gymnasium.envs.tetris", 1000),
    ("gym-pusht", "gym_pusht/PushT-v0", "gym_pusht", 1000),
    ("PettingZoo (turns)", "classic/tictactoe_v3", "pettingzoo", 2000),
    ("PettingZoo (turns)", "classic/connect_four_v3", "pettingzoo", 2000),
    ("PettingZoo (together)", "sisl/pursuit_v5", "pettingzoo", 1000),
    ("PettingZoo (together)", "butterfly/pistonball_v6", "pettingzoo", 1000),
)

PROGRAM = """
import importlib, sys, zlib
env_id, module, steps, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
together, options = how == "together", {"render_mode": how} if how == "rgb_array" else {}
if module:
    importlib.import_module(module)
import numpy as np
crc, total, made = 0, 0.0, 0

def see(value):
    global crc
    if isinstance(value, dict):
        for part in value.values():
            see(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            see(part)
    elif value is not None:
        crc = zlib.crc32(np.ascontiguousarray(np.asarray(value)).tobytes(), crc)

def single():
    global total, made
    import gymnasium as gym
    env = gym.make(env_id, **options)
    space = env.action_space  # some environments make a new one at each reset
    space.seed(1)
    see(env.reset(seed=1)[0])
    while made < steps:
        seen, reward, terminated, truncated, _ = env.step(space.sample())
        made += 1
        total += float(reward)
        see(seen)
        if terminated or truncated:
            see(env.reset()[0])
    env.close()

def many():
    global total, made
    module = importlib.import_module("pettingzoo." + env_id.replace("/", "."))
    env = module.parallel_env() if together else module.env()
    episode = 0
    while made < steps:
        episode += 1
        env.reset(seed=episode)
        for agent in env.possible_agents:
            env.action_space(agent).seed(episode)
        if together:
            while env.agents and made < steps:
                acts = {agent: env.action_space(agent).sample() for agent in env.agents}
                seen, rewards, *_ = env.step(acts)
                made += len(acts)
                total += float(sum(rewards.values()))
                see(seen)
        else:
            for agent in env.agent_iter():
                seen, reward, terminated, truncated, _ = env.last()
                see(seen)
                total += float(reward)
                over = terminated or truncated
                mask = seen.get("action_mask") if isinstance(seen, dict) else None
                env.step(None if over else env.action_space(agent).sample(mask))
                made += not over
    env.close()

many() if module == "pettingzoo" else single()
print(f"steps={made} total={total!r} crc32={crc}")
"""


@dataclass
class Row:
    """What was found out about one environment; texts for the table."""

    family: str
    env_id: str
    exact: str
    picture: str
    replay: str
    trouble: str = ""

    @property
    def works(self) -> bool:
        return self.exact == "yes" and not self.trouble


def versions(python: str) -> str:
    asked = "import sys, gymnasium; print(sys.version.split()[0], gymnasium.__version__)"
    python_version, gymnasium = subprocess.run(
        [python, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()
    return f"Python {python_version}, gymnasium {gymnasium}"


def try_one(family: str, env_id: str, module: str, steps: int, python: str) -> Row | None:
    """Return what works, or None where the interpreter does not have it."""
    kind = "together" if "together" in family else "single"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "program.py"
        program.write_text(PROGRAM)
        command = [python, str(program), env_id, module, str(steps), kind]
        plain = run_plain(command, folder, TIMEOUT_S)
        if plain.returncode:
            absent = any(
                word in plain.stderr for word in ("ModuleNotFound", "NotFound", "No module")
            )
            why = plain.stderr.strip().splitlines()[-1]
            return None if absent else Row(family, env_id, "no", "", "", why)
        watched = run_watched(command, folder, folder / "watched", TIMEOUT_S)
        row = Row(family, env_id, _exact(plain.stdout, watched), _picture(watched), "")
        if not watched.frames and module != "pettingzoo":
            again = [*command[:-1], "rgb_array"]
            if run_watched(again, folder, folder / "again", TIMEOUT_S).frames:
                row.picture = 'if made with `render_mode="rgb_array"`'
        if watched.done.returncode:
            row.trouble = watched.done.stderr.strip().splitlines()[-1]
        row.replay = "–" if module == "pettingzoo" else _replay(command, folder)
        return row


def _exact(plain: str, watched: Watched) -> str:
    same = watched.done.stdout == plain
    counted = f"steps={watched.counted.steps} " in plain
    return "yes" if same and counted else "no"


def _picture(watched: Watched) -> str:
    return "yes" if watched.frames else "no"


def _replay(command: list[str], folder: Path) -> str:
    """Record the run through the daemon, then simulate its episodes again."""
    environment = {**os.environ, DATA_DIR_VARIABLE: str(folder / "data")}

    def gym_gui(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gym_gui", *words],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    try:
        python, script, *arguments = command
        done = gym_gui("run", "--headless", "--json", "--python", python, "--", script, *arguments)
        if done.returncode:
            return "no: " + done.stderr.strip().splitlines()[-1]
        verified = gym_gui("verify", json.loads(done.stdout)["run_id"])
        return "yes" if verified.returncode == 0 else _reason(verified)
    finally:
        gym_gui("daemon", "stop")


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
    return "no: " + lines[0].removeprefix("gym-gui: ")[:90]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter with the packages")
    parser.add_argument("ids", nargs="*", help="only these")
    args = parser.parse_args()
    print(f"{versions(args.python)}\n\n| | Environment | Exact | Picture | Replay |")
    print("|---|---|---|---|---|")
    absent, failed = [], 0
    for family, env_id, module, steps in ENVIRONMENTS:
        if args.ids and env_id not in args.ids:
            continue
        row = try_one(family, env_id, module, steps, args.python)
        if row is None:
            absent.append(env_id)
            continue
        failed += not row.works
        words = (row.family, f"`{row.env_id}`", row.exact, row.picture, row.replay, row.trouble)
        print("| " + " | ".join(filter(None, words)) + " |", flush=True)
    if absent:
        print("\nNot installed there: " + ", ".join(absent))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
