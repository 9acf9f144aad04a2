"""The ``cleanrl`` worker: single-file scripts in CleanRL's style, unmodified."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.services.workers.base import Field, Worker
from gym_gui.services.workers.parameters import script_fields
from gym_gui.services.workers.script import ARGS_FIELD, SCRIPT_FIELD, script_path


class CleanRlWorker(Worker):
    """Runs a script whose settings are a tyro ``Args`` dataclass or an argparse parser."""

    name = "cleanrl"
    title = "CleanRL"
    summary = "A single-file script in CleanRL's style; its settings become the form."
    tab_prefix = "CleanRL-Live"
    takes_script = True
    accepts_unknown = True
    checkpoint_patterns = ("runs/*/*.cleanrl_model", "runs/**/*.pt", "runs/**/*.zip")
    metrics_map: Mapping[str, str] = {
        "charts/episodic_return": "episodic return",
        "charts/episodic_length": "episodic length",
        "charts/SPS": "steps per second",
        "charts/learning_rate": "learning rate",
    }

    def form(self, values: Mapping[str, Any]) -> list[Field]:
        script = values.get("script")
        own = script_fields(script_path(script)) if script else []
        return [SCRIPT_FIELD, *own, ARGS_FIELD]

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        script = script_path(values["script"])
        words = self.arguments({**values, "script": str(script)})
        return [python, *words]

    def environment(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Add the checkout to the module path: CleanRL's scripts import ``cleanrl_utils``."""
        variables = super().environment(values)
        checkout = script_path(values["script"]).parents[1]
        if (checkout / "cleanrl_utils").is_dir():
            path = [str(checkout), os.environ.get("PYTHONPATH", "")]
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        return variables

    def default_name(self, values: Mapping[str, Any]) -> str:
        return Path(values["script"]).stem
