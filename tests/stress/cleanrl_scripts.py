"""Check CleanRL's own scripts, unmodified: counts exact, and training untouched by watching.

    python tests/stress/cleanrl_scripts.py --cleanrl PATH --python PY [--steps N] [SCRIPT ...]

PATH: a CleanRL checkout. PY: an interpreter with torch, tyro, tensorboard and gymnasium 0.29.1,
on which the scripts run whole. Each script runs twice with one seed, plain (nothing of gym-gui
loaded) and watched by a viewer that asks for pictures; what it prints must be the same, character
by character, and the recorded steps, episodes and returns must be those that it prints.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from watching import Counted, run_plain, run_watched

from gym_gui.core.records import RunSpec
from gym_gui.services.workers import build_spec, get_worker

SCRIPTS = (
    "ppo",
    "pqn",
    "dqn",
    "c51",
    "ppo_continuous_action",
    "rpo_continuous_action",
    "sac_continuous_action",
    "td3_continuous_action",
    "ddpg_continuous_action",
)
TIMEOUT_S = 3600.0
_EPISODE = re.compile(r"global_step=(\d+), episodic_return=\[?\s*([-+\d.e]+)\s*\]?")


@dataclass
class Recorded:
    """What the tap kept: rewards of each stream's running episode, finished returns in order."""

    steps: int = 0
    episodes: int = 0
    returns: list[float] = field(default_factory=list)


def settings(script: Path, steps: int) -> dict[str, Any]:
    """Return values that make a run of ``script`` short, of what it has."""
    form = {f.name for f in get_worker("cleanrl").form({"script": str(script)})}
    wanted = {
        "total_timesteps": steps,
        "learning_starts": min(500, steps // 4),
        "cuda": False,
        "num_steps": 128,
    }
    return {"script": str(script), **{k: v for k, v in wanted.items() if k in form}}


def expected_steps(spec: RunSpec) -> int:
    """Return the environment steps that the script's own loop takes."""
    config = spec.config
    envs = config.get("num_envs") or 1
    if config.get("num_steps"):
        batch = config["num_steps"] * envs
        return config["total_timesteps"] // batch * batch
    return config["total_timesteps"] * envs


def recorded(kept: Counted, *, wide: bool) -> Recorded:
    """Sum the returns of what the tap kept as the script's own wrapper sums them.

    It keeps float32 sums. A reward that numpy gave is added in double precision and the sum
    rounded (``wide``); one that Python gave is rounded first.
    """
    found = Recorded(kept.steps, kept.episodes)
    sums: dict[str, np.float32] = {}
    for stream, reward, over in kept.rows:
        before = sums.get(stream, np.float32(0))
        added = np.float64(before) + reward if wide else before + np.float32(reward)
        total = np.float32(added)
        sums[stream] = np.float32(0) if over else total
        if over:
            found.returns.append(float(total))
    return found


def printed(output: str) -> list[tuple[int, float]]:
    return [(int(step), float(value)) for step, value in _EPISODE.findall(output)]


def without_speed(output: str) -> list[str]:
    """Return what was printed but the speed, the only part that may differ."""
    return [line for line in output.splitlines() if not line.startswith("SPS:")]


def as_printed(value: float) -> float:
    """Return what is left of a float32 return once numpy has printed it."""
    return float(str(np.array([value], dtype=np.float32)).strip("[] "))


def problems(spec: RunSpec, plain: str, watched: str, kept: Recorded) -> list[str]:
    """Return what is wrong; empty when all is as it must be."""
    told = printed(watched)
    found = []
    if without_speed(plain) != without_speed(watched):
        found.append("the watched run printed something else than the plain one")
    if kept.steps != expected_steps(spec):
        found.append(f"{kept.steps} steps recorded, {expected_steps(spec)} taken")
    if not told:
        found.append("the script logged no return: it does not run whole on this gymnasium")
    if kept.episodes != len(told):
        found.append(f"{kept.episodes} episodes recorded, {len(told)} printed")
    if [value for _, value in told] != [as_printed(value) for value in kept.returns]:
        found.append("the recorded returns are not those that were printed")
    return found


def check(script: Path, python: str, steps: int, folder: Path) -> list[str]:
    values = settings(script, steps)
    spec = build_spec("cleanrl", values, python=python, data_dir=folder / "data")
    variables = {**spec.env, "CUDA_VISIBLE_DEVICES": ""}
    for part in ("plain", "watched"):
        (folder / part).mkdir()
    plain = run_plain(spec.command, folder / "plain", TIMEOUT_S, **variables)
    watched = run_watched(spec.command, folder / "watched", folder / "data", TIMEOUT_S, **variables)
    for done in (plain, watched.done):
        if done.returncode:
            raise SystemExit(f"{spec.name} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    kept = recorded(watched.counted, wide=True)
    found = problems(spec, plain.stdout, watched.done.stdout, kept)
    if found:
        kept = recorded(watched.counted, wide=False)
        found = problems(spec, plain.stdout, watched.done.stdout, kept)
    if not watched.frames:
        found.append("the viewer saw no picture")
    state = "FAILED" if found else "ok"
    print(
        f"{script.stem:26} {state:6} steps={kept.steps} episodes={kept.episodes} "
        f"return_sum={sum(kept.returns)!r} pictures={watched.frames}",
        flush=True,
    )
    for problem in found:
        print(f"    {problem}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cleanrl", type=Path, required=True, help="a CleanRL checkout")
    parser.add_argument("--python", required=True, help="interpreter with gymnasium 0.29.1")
    parser.add_argument("--steps", type=int, default=2000, help="steps of each run")
    parser.add_argument("scripts", nargs="*", default=SCRIPTS)
    args = parser.parse_args()
    failed = 0
    for name in args.scripts:
        with tempfile.TemporaryDirectory() as folder:
            script = args.cleanrl / "cleanrl" / f"{name}.py"
            failed += bool(check(script, args.python, args.steps, Path(folder)))
    print(f"{len(args.scripts) - failed} of {len(args.scripts)} scripts as they must be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
