"""From a worker and its values to the RunSpec that the daemon takes."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir
from gym_gui.core.records import Live, Recording, RunSpec
from gym_gui.services.trainer.launchers.base import parse_launcher
from gym_gui.services.workers.base import Worker
from gym_gui.services.workers.interpreters import resolve_python
from gym_gui.services.workers.registry import get_worker


def build_spec(
    worker: str | Worker,
    values: Mapping[str, Any],
    *,
    data_dir: DataDir | str | Path | None = None,
    python: str | Path | None = None,
    cwd: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    run_id: str = "",
    name: str = "",
    tags: Sequence[str] = (),
    notes: str = "",
    group: str = "",
    mode: str = "",
    launcher: str = "local",
    group_limit: int = 0,
    recording: Recording | None = None,
    live: str = Live.GRID.value,
    render_budget: float = 0.05,
    max_steps_per_s: float = 0.0,
) -> RunSpec:
    """Return the spec of one run. ``values`` may leave out what has a default.

    mode: ``train``, ``evaluate`` or ``human``; by default what the worker reads from the values.
    python: interpreter, virtual environment or conda environment; this program's own by default.
    Raises UsageError with what to correct.
    """
    chosen = get_worker(worker) if isinstance(worker, str) else worker
    whole = chosen.complete(values)
    parse_launcher(launcher)
    title = name or chosen.default_name(whole)
    run_id = run_id or new_run_id(title)
    folder = data_dir if isinstance(data_dir, DataDir) else DataDir(data_dir)
    seed = whole.get("seed")
    return RunSpec(
        run_id=run_id,
        worker=chosen.name,
        command=chosen.command(whole, python=resolve_python(python), run_dir=folder.run(run_id)),
        cwd=str(Path(cwd).absolute() if cwd else Path.cwd()),
        name=title,
        env={**chosen.environment(whole), **(environment or {})},
        env_id=str(whole.get("env_id") or ""),
        seed=seed if isinstance(seed, int) else None,
        config=whole,
        tags=list(tags),
        notes=notes,
        group=group,
        mode=mode or chosen.mode(whole),
        launcher=launcher,
        group_limit=group_limit,
        recording=recording or Recording(),
        live=live,
        render_budget=render_budget,
        max_steps_per_s=max_steps_per_s,
        created_ns=time.time_ns(),
    )


def again(spec: RunSpec) -> RunSpec:
    """Return the spec of a new run that repeats ``spec`` word for word."""
    run_id = new_run_id(spec.name or spec.worker)
    command = [word.replace(spec.run_id, run_id) for word in spec.command]
    return replace(spec, run_id=run_id, command=command, created_ns=time.time_ns())


def command_line(spec: RunSpec, *, sweep: Sequence[str] = ()) -> str:
    """Return the ``gym-gui run`` line that starts the same run again, quoted for a shell.

    sweep: texts such as ``seed=1-5``; the line then starts every run of that sweep.
    """
    worker = get_worker(spec.worker)
    words = ["gym-gui", "run", "--worker", spec.worker]
    if spec.command and sys.executable not in spec.command[:1] and _is_python(spec.command[0]):
        words += ["--python", spec.command[0]]
    if spec.name and spec.name != worker.default_name(spec.config):
        words += ["--name", spec.name]
    for tag in spec.tags:
        words += ["--tag", tag]
    if spec.cwd != os.getcwd():
        words += ["--cwd", spec.cwd]
    for option, value in (("--group", spec.group), ("--notes", spec.notes)):
        words += [option, value] if value else []
    words += _recording_words(spec)
    for text in sweep:
        words += ["--sweep", text]
    own = worker.arguments(spec.config)
    return shlex.join(words + (["--", *own] if own else []))


def _recording_words(spec: RunSpec) -> list[str]:
    """Return the options for launcher, watching and recording that are not the defaults."""
    default, kept = RunSpec("", "", [], ""), Recording()
    words = ["--launcher", spec.launcher] if spec.launcher != default.launcher else []
    if spec.group_limit:
        words += ["--at-once", str(spec.group_limit)]
    if spec.live != default.live:
        words += ["--live", spec.live]
    if spec.render_budget != default.render_budget:
        words += ["--render-budget", str(spec.render_budget)]
    if spec.max_steps_per_s:
        words += ["--max-steps-per-s", f"{spec.max_steps_per_s:g}"]
    if spec.recording.observations != kept.observations:
        words += ["--observations", spec.recording.observations]
    if spec.recording.frames != kept.frames:
        words.append("--record-frames")
    if spec.recording.spool_policy != kept.spool_policy:
        words += ["--spool-policy", spec.recording.spool_policy]
    return words


def _is_python(path: str) -> bool:
    return Path(path).name.startswith("python")
