"""Vector environments of every kind: what the script counts, and what its environments stepped.

From gymnasium 1.0 on, a step of a vector may be an autoreset of one of its environments: both
numbers are kept, and the resets that took a step's place are marked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from watching import Watched, run_plain, run_watched

from gym_gui.core.paths import DataDir
from gym_gui.telemetry.reader import RunReader

SCRIPT = """
import functools, sys
import gymnasium as gym
import numpy as np

KIND, MODE, CALLS, SIZE = sys.argv[1], sys.argv[2], int(sys.argv[3]), 3

def make():
    return gym.wrappers.RecordEpisodeStatistics(gym.make("CartPole-v1"))

def vector():
    options = {"autoreset_mode": gym.vector.AutoresetMode(MODE)}
    if KIND == "sync":
        return gym.vector.SyncVectorEnv([make] * SIZE, **options)
    if KIND in ("fork", "spawn", "forkserver"):
        return gym.vector.AsyncVectorEnv([make] * SIZE, context=KIND, **options)
    if KIND == "native":
        return gym.make_vec("CartPole-v1", SIZE, vectorization_mode="vector_entry_point")
    return gym.make_vec("CartPole-v1", SIZE, vectorization_mode=KIND[5:], vector_kwargs=options)

def main():
    envs = vector()
    envs.action_space.seed(3)
    envs.reset(seed=5)
    over = np.zeros(SIZE, bool)
    steps = autoresets = episodes = 0
    sums, returns = np.zeros(SIZE), []
    for _ in range(CALLS):
        if MODE == "Disabled" and over.any():
            envs.reset(options={"reset_mask": over})
            over[:] = False
        seen, reward, terminated, truncated, infos = envs.step(envs.action_space.sample())
        resets = over if MODE == "NextStep" else np.zeros(SIZE, bool)
        autoresets += int(resets.sum())
        steps += SIZE - int(resets.sum())
        sums += np.where(resets, 0.0, reward)
        over = terminated | truncated
        returns += [float(value) for value in sums[over]]
        sums[over] = 0.0
    envs.close()
    print(f"global_step={CALLS * SIZE} steps={steps} autoresets={autoresets} "
          f"episodes={len(returns)} return_sum={sum(returns)!r} seen={seen.tolist()!r}")

if __name__ == "__main__":
    main()
"""

CASES = [
    ("sync", "NextStep"),
    ("sync", "SameStep"),
    ("sync", "Disabled"),
    ("fork", "NextStep"),
    ("fork", "SameStep"),
    ("spawn", "NextStep"),
    ("forkserver", "NextStep"),
    ("make-sync", "NextStep"),
    ("make-async", "NextStep"),
    ("native", "NextStep"),
]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.py"
    path.write_text(SCRIPT)
    return path


def both(script: Path, *words: str) -> Watched:
    """Run plain and watched; they must print the same."""
    command = [sys.executable, str(script), *words]
    plain = run_plain(command, script.parent)
    assert plain.returncode == 0, plain.stderr
    watched = run_watched(command, script.parent, script.parent / "data")
    assert watched.done.stdout == plain.stdout, watched.done.stderr
    return watched


@pytest.mark.parametrize(("kind", "mode"), CASES)
def test_steps_autoresets_and_returns_are_the_scripts_own(
    script: Path, kind: str, mode: str
) -> None:
    watched = both(script, kind, mode, "300")
    told = dict(word.split("=") for word in watched.done.stdout.split(" seen=")[0].split())
    kept = watched.counted
    assert kept.warnings == []
    assert kept.steps == int(told["steps"])
    assert kept.autoresets == int(told["autoresets"])
    assert (kept.episodes, sum(kept.returns)) == (int(told["episodes"]), float(told["return_sum"]))
    (totals,) = kept.totals.values()
    assert totals["global_step"] == int(told["global_step"])
    assert kept.streams == 3


def test_both_counts_reach_the_file_and_whoever_asks(gym_gui, data_dir: DataDir, script) -> None:
    done = gym_gui("run", "--headless", "--json", "--", script, "sync", "NextStep", "300")
    summary = json.loads(done.stdout)
    run_dir = data_dir.run(summary["run_id"])
    words = run_dir.stdout.read_text().split(" seen=")[0].split()
    told = {key: float(value) for key, value in (word.split("=") for word in words)}
    assert summary["vector_steps"] == told["global_step"] == 900
    assert (summary["steps"], summary["autoresets"]) == (told["steps"], told["autoresets"])
    with RunReader(run_dir.store) as reader:
        starts = [(one.stream, one.episode) for one in reader.episodes()]
        marked = [reader.is_autoreset(*start) for start in starts]
        assert [episode > 0 for _, episode in starts] == marked
    shown = gym_gui("runs", "show", "last").stdout
    assert f"(the script counts 900, with {int(told['autoresets'])} autoresets)" in shown
