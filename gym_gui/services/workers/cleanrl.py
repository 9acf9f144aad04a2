"""The ``cleanrl`` worker: single-file scripts in CleanRL's style, unmodified."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec
from gym_gui.services.workers.base import PROGRAMS, Worker
from gym_gui.services.workers.fields import Field, Kind
from gym_gui.services.workers.parameters import script_fields
from gym_gui.services.workers.program import absolute
from gym_gui.services.workers.script import ARGS_FIELD, SCRIPT_FIELD, script_path

EVALUATE_FIELD = Field(
    "evaluate_checkpoint",
    Kind.PATH,
    "",
    "a policy that the script saved: watch it instead of training",
    option="--evaluate-checkpoint",
    group="Evaluation",
)
EPISODES_FIELD = Field(
    "evaluate_episodes",
    Kind.INT,
    10,
    "how many episodes of it to watch",
    option="--evaluate-episodes",
    minimum=1,
    group="Evaluation",
)


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
        return [SCRIPT_FIELD, *own, EVALUATE_FIELD, EPISODES_FIELD, ARGS_FIELD]

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        script = script_path(values["script"])
        if values["evaluate_checkpoint"]:
            return [python, *_evaluation(script, values)]
        ours = {field.name: field.default for field in (EVALUATE_FIELD, EPISODES_FIELD)}
        return [python, *self.arguments({**values, "script": str(script), **ours})]

    def mode(self, values: Mapping[str, Any]) -> str:
        return "evaluate" if values["evaluate_checkpoint"] else "train"

    def evaluation(self, spec: RunSpec, checkpoint: Path) -> dict[str, Any] | None:
        return {**spec.config, "evaluate_checkpoint": str(checkpoint)}

    def environment(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Add the checkout to the module path: CleanRL's scripts import ``cleanrl_utils``."""
        variables = super().environment(values)
        checkout = script_path(values["script"]).parents[1]
        if (checkout / "cleanrl_utils").is_dir():
            path = [str(checkout), os.environ.get("PYTHONPATH", "")]
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        return variables

    def remark(self, metric_names: Sequence[str], *, episodes: int) -> str:
        """Say so where the script logged losses but no return, as CleanRL's do on gymnasium 1.x."""
        if not metric_names or not episodes or any("return" in name for name in metric_names):
            return ""
        return (
            "the script logged no return of its own (CleanRL's scripts log none on gymnasium 1.x); "
            "those shown here were recorded from the environment"
        )

    def default_name(self, values: Mapping[str, Any]) -> str:
        return Path(values["script"]).stem


def _evaluation(script: Path, values: Mapping[str, Any]) -> list[str]:
    words = ["--script", str(script), "--checkpoint", absolute(values["evaluate_checkpoint"])]
    words += ["--episodes", str(values["evaluate_episodes"])]
    for name, option in (("env_id", "--env-id"), ("seed", "--seed")):
        words += [option, str(values[name])] if values.get(name) is not None else []
    return [str(PROGRAMS / "cleanrl_evaluate.py"), *words]
