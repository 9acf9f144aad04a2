"""From a run and a policy that it saved to the run that plays it."""

from __future__ import annotations

from pathlib import Path

from gym_gui.core.errors import UsageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.services.workers.registry import get_worker
from gym_gui.services.workers.spec import build_spec


def evaluation_spec(spec: RunSpec, checkpoint: Path, *, data_dir: DataDir) -> RunSpec:
    """Return the spec that plays ``checkpoint`` of the run of ``spec``, in its interpreter.

    Raises UsageError where the run's worker cannot evaluate.
    """
    worker = get_worker(spec.worker)
    values = worker.evaluation(spec, checkpoint)
    if values is None:
        raise UsageError(
            f"The worker {worker.title or worker.name} cannot evaluate a policy.",
            next_step="Run a script of your own that loads it.",
        )
    return build_spec(
        worker,
        values,
        data_dir=data_dir,
        python=spec.command[0],
        cwd=spec.cwd,
        environment=spec.env,
        name=f"{spec.name}: {checkpoint.name}" if spec.name else "",
        group=spec.group,
    )
