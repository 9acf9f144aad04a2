"""The ``demo`` worker: a short training of our own, to see everything at work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import RunSpec
from gym_gui.services.workers.base import PROGRAMS, Worker
from gym_gui.services.workers.fields import Field, Kind

EYE_STEPS_PER_S = 60.0  # CartPole's own pace: 50 steps are one second of its physics
WINDOW_STEPS = 200_000


def demo_spec(
    data_dir: DataDir,
    *,
    steps: int = WINDOW_STEPS,
    seed: int = 3,
    max_steps_per_s: float = EYE_STEPS_PER_S,
) -> RunSpec:
    """Return the demonstration run; by default at a pace the eye can follow."""
    from gym_gui.services.workers.spec import build_spec

    spec = build_spec(
        "demo",
        {"args": ["--steps", str(steps), "--seed", str(seed)]},
        data_dir=data_dir,
        max_steps_per_s=max_steps_per_s,
    )
    spec.env_id, spec.seed = "CartPole-v1", seed
    return spec


class DemoWorker(Worker):
    """Trains CartPole with the program that ships with gym-gui."""

    name = "demo"
    title = "Demo"
    summary = "A short CartPole training that needs nothing but gymnasium."
    tab_prefix = "Demo-Live"
    accepts_unknown = True
    metrics_map: Mapping[str, str] = {"charts/episodic_return": "episodic return"}

    def form(self, values: Mapping[str, Any]) -> list[Field]:
        return [Field("args", Kind.LIST, [], "further words, passed to the program as they are")]

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        return [python, str(PROGRAMS / "demo_cartpole.py"), *values["args"]]
