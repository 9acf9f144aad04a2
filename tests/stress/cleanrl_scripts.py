"""Check CleanRL's own scripts, unmodified: counts exact, and training untouched by watching.

    python tests/stress/cleanrl_scripts.py --cleanrl PATH --python PY [--steps N] [SCRIPT ...]

PATH: a CleanRL checkout. PY: an interpreter with torch, tyro, tensorboard and gymnasium 0.29.1,
on which the scripts run whole. Each script runs twice with one seed, plain (nothing of gym-gui
loaded) and watched; what it prints must be the same, character by character, and the recorded
steps, episodes and returns must be those that it prints.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.services.workers import build_spec, get_worker
from gym_gui.worker.install import prepare

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


def run(spec: RunSpec, folder: Path, extra: dict[str, str]) -> str:
    """Run the script in ``folder`` and return what it printed. Raises SystemExit if it failed."""
    folder.mkdir(parents=True)
    environment = {**os.environ, **spec.env, **extra, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        spec.command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{spec.name} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def lines_of(spool: Path) -> Iterator[dict[str, Any]]:
    for channel in sorted(spool.iterdir()):
        for segment in sorted(channel.glob("*.jsonl")):
            with open(segment) as file:
                yield from map(json.loads, file)


def recorded(spool: Path, *, wide: bool) -> Recorded:
    """Count what the spool holds; returns are summed as the script's own wrapper sums them.

    It keeps float32 sums. A reward that numpy gave is added in double precision and the sum
    rounded (``wide``); one that Python gave is rounded first.
    """
    found = Recorded()
    sums: dict[int, np.float32] = {}
    for line in lines_of(spool):
        kind = line["type"]
        if kind in ("step", "vstep"):
            rows = _rows(line)
            for stream, reward, over in rows:
                found.steps += 1
                before = sums.get(stream, np.float32(0))
                added = np.float64(before) + reward if wide else before + np.float32(reward)
                total = np.float32(added)
                sums[stream] = total
                if over:
                    found.returns.append(float(total))
                    sums[stream] = np.float32(0)
        elif kind == "episode" and (line["terminated"] or line["truncated"]):
            found.episodes += 1
    return found


def _rows(line: dict[str, Any]) -> list[tuple[int, float, bool]]:
    if line["type"] == "step":
        return [(line["stream"], line["reward"], line["terminated"] or line["truncated"])]
    return [
        (stream, reward, bool(terminated or truncated))
        for stream, reward, terminated, truncated in zip(
            line["streams"], line["reward"], line["terminated"], line["truncated"], strict=True
        )
    ]


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
    data_dir = DataDir(folder / "data").create()
    values = settings(script, steps)
    spec = build_spec("cleanrl", values, python=python, data_dir=data_dir)
    plain = run(spec, folder / "plain", {})
    run_dir = data_dir.run(spec.run_id)
    rings = folder / "rings"
    rings.mkdir(mode=0o700)
    watched = run(spec, folder / "watched", prepare(run_dir, spec, rings))
    kept = recorded(run_dir.spool, wide=True)
    found = problems(spec, plain, watched, kept)
    if found:
        kept = recorded(run_dir.spool, wide=False)
        found = problems(spec, plain, watched, kept)
    state = "FAILED" if found else "ok"
    print(
        f"{script.stem:26} {state:6} steps={kept.steps} episodes={kept.episodes} "
        f"return_sum={sum(kept.returns)!r}",
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
