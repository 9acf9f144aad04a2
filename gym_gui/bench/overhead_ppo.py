"""The three legs on a whole training: PPO in one file, run from start to end in turn."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from gym_gui.core.paths import DataDir

SCRIPT = Path(__file__).resolve().parents[2] / "tests" / "scripts" / "ppo.py"
STEPS = {"CartPole-v1": 40_960, "LunarLander-v3": 40_960}
_SPEED = re.compile(r"^steps_per_s=([0-9.]+)$", re.MULTILINE)
BAR = 0.95


def measure_ppo(env_id: str, *, rounds: int) -> dict[str, Any]:
    """Return PPO's own steps per second, plain and tapped, and the ratio of each round."""
    if not SCRIPT.exists() or importlib.util.find_spec("torch") is None:
        return {"not measured": "needs a checkout with tests/scripts/ppo.py, and torch"}
    plain, tapped = [], []
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as folder:
        words = ["--env-id", env_id, "--total-timesteps", str(STEPS[env_id]), "--log-dir", folder]
        data_dir = DataDir(Path(folder, "data"))
        try:
            for number in range(rounds):
                order = (plain, tapped) if number % 2 == 0 else (tapped, plain)
                for leg in order:
                    leg.append(_plain(words) if leg is plain else _tapped(words, data_dir))
        finally:
            _gym_gui("daemon", "stop", "--data-dir", str(data_dir.root))
    ratios = [b / a for a, b in zip(plain, tapped, strict=True)]
    return {
        "plain_steps_per_s": statistics.median(plain),
        "tapped_steps_per_s": statistics.median(tapped),
        "tapped / plain": {
            "median": statistics.median(ratios),
            "least": min(ratios),
            "most": max(ratios),
            "bar": BAR,
        },
    }


def _plain(words: list[str]) -> float:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=True
    )
    return _speed(done.stdout)


def _tapped(words: list[str], data_dir: DataDir) -> float:
    root = str(data_dir.root)
    done = _gym_gui("run", "--follow", "--data-dir", root, "--", str(SCRIPT), *words)
    return _speed(done)


def _gym_gui(*words: str) -> str:
    with contextlib.suppress(subprocess.CalledProcessError):
        return subprocess.run(
            [sys.executable, "-m", "gym_gui", *words],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "COLUMNS": "200"},
        ).stdout
    return ""


def _speed(output: str) -> float:
    found = _SPEED.search(output)
    if found is None:
        raise RuntimeError("The training printed no speed.")
    return float(found[1])
