"""The ``sb3`` worker: Stable-Baselines3's algorithms, without a script of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec
from gym_gui.services.workers.program import ProgramWorker, absolute


class Sb3Worker(ProgramWorker):
    """Trains, resumes and evaluates A2C, DDPG, DQN, PPO, SAC and TD3."""

    name = "sb3"
    title = "Stable-Baselines3"
    summary = "An algorithm of Stable-Baselines3 on any environment."
    tab_prefix = "SB3-Live"
    program = "sb3_train.py"
    checkpoint_patterns = ("*.zip",)
    metrics_map: Mapping[str, str] = {
        "rollout/ep_rew_mean": "mean episodic return",
        "rollout/ep_len_mean": "mean episodic length",
        "time/fps": "steps per second",
        "train/loss": "loss",
    }

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        paths = {name: absolute(values[name]) for name in ("resume", "evaluate")}
        return super().command({**values, **paths}, python=python, run_dir=run_dir)

    def default_name(self, values: Mapping[str, Any]) -> str:
        return f"{values['algorithm']} {values['env_id']}"

    def mode(self, values: Mapping[str, Any]) -> str:
        return "evaluate" if values["evaluate"] else "train"

    def evaluation(self, spec: RunSpec, checkpoint: Path) -> dict[str, Any] | None:
        kept = ("algorithm", "env_id", "seed")
        return {
            **{name: spec.config[name] for name in kept if name in spec.config},
            "evaluate": str(checkpoint),
        }
