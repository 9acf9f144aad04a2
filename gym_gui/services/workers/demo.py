"""The ``demo`` worker: a short training of our own, to see everything at work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.services.workers.base import PROGRAMS, Field, Kind, Worker


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
