"""Prepares a run's folder so that the worker's interpreter starts the tap by itself."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Mapping, Optional, Union

from gym_gui.core.paths import TAP_VARIABLE, RunDir, private_dir
from gym_gui.core.records import RunSpec

_PACKAGES = ("core", "fastlane", "worker")
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


def prepare(
    run_dir: RunDir,
    spec: RunSpec,
    ring_dir: Union[str, Path],
    base: Optional[Mapping[str, str]] = None,
) -> dict[str, str]:
    """Copy the tap into ``runs/<id>/tap``, write ``tap.json``, return the variables it needs.

    They go over ``spec.env`` and ``base`` (by default this process's environment), whose
    ``PYTHONPATH`` is kept behind the tap's folder. Safe to call again.
    """
    private_dir(run_dir.root)
    private_dir(run_dir.spool)
    copy_code(run_dir.tap)
    template = Path(__file__).with_name("sitecustomize_template.py")
    shutil.copyfile(template, run_dir.tap / "sitecustomize.py")
    _write_config(run_dir, spec, ring_dir)
    python_path = spec.env.get(
        "PYTHONPATH", (os.environ if base is None else base).get("PYTHONPATH", "")
    )
    parts = [str(run_dir.tap), *(p for p in python_path.split(os.pathsep) if p)]
    return {
        "PYTHONPATH": os.pathsep.join(parts),
        TAP_VARIABLE: str(run_dir.tap_config),
        # A watched pygame environment initialises SDL, which would swallow the SIGTERM of a stop.
        "SDL_NO_SIGNAL_HANDLERS": "1",
    }


def copy_code(target: Path) -> None:
    """Copy what runs in the worker's interpreter, and nothing else of ours, into a folder."""
    source = Path(__file__).resolve().parent.parent
    package = private_dir(target) / "gym_gui"
    package.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(source / "__init__.py", package / "__init__.py")
    for name in _PACKAGES:
        shutil.copytree(source / name, package / name, ignore=_IGNORED, dirs_exist_ok=True)


def _write_config(run_dir: RunDir, spec: RunSpec, ring_dir: Union[str, Path]) -> None:
    config = {
        "run_id": spec.run_id,
        "run_dir": str(run_dir.root),
        "spool_dir": str(run_dir.spool),
        "ring_dir": str(ring_dir),
        "recording": asdict(spec.recording),
        "live": spec.live,
        "render_budget": spec.render_budget,
        "max_steps_per_s": spec.max_steps_per_s,
        "agent_name": spec.name or spec.worker,
    }
    temporary = run_dir.tap_config.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
    os.replace(temporary, run_dir.tap_config)
