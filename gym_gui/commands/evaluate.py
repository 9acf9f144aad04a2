"""``gym-gui evaluate``: watch a policy that a run saved."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gym_gui.commands.common import data_dir_option, has_display, json_option
from gym_gui.core.errors import RunNotFoundError, UsageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec


@click.command()
@click.argument("run_id")
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@click.option("--list", "only_list", is_flag=True, help="Name the policies that were saved.")
@click.option("--headless", is_flag=True, help="No window: progress and summary here.")
@data_dir_option
@json_option
def evaluate(
    run_id: str,
    checkpoint: Path | None,
    only_list: bool,
    headless: bool,
    data_dir: DataDir,
    as_json: bool,
) -> int:
    """Watch a policy that RUN_ID saved: CHECKPOINT, or the newest."""
    from gym_gui.services.workers import build_spec, get_worker

    spec = _spec_of(data_dir, run_id)
    worker = get_worker(spec.worker)
    saved = worker.checkpoints(spec, data_dir.run(run_id))
    if only_list:
        for item in saved:
            click.echo(f"{item.path}  {item.size_bytes} bytes")
        return 0
    if checkpoint is None and not saved:
        raise UsageError(
            f"The run {run_id} has saved no policy.",
            next_step="Start it with its script's option to save, such as --save-model.",
        )
    values = worker.evaluation(spec, checkpoint or saved[0].path)
    if values is None:
        raise UsageError(
            f"The worker {worker.name!r} cannot evaluate a policy.",
            next_step="Run a script of your own that loads it.",
        )
    again = build_spec(
        worker, values, data_dir=data_dir, python=spec.command[0], cwd=spec.cwd, group=spec.group
    )
    if headless or as_json or not has_display():
        from gym_gui.commands.headless import run_headless

        return run_headless(data_dir, again, as_json=as_json, follow=False, output=None)
    from gym_gui.commands.window import open_window

    return open_window(data_dir, submit=again)


def _spec_of(data_dir: DataDir, run_id: str) -> RunSpec:
    try:
        return RunSpec.from_dict(json.loads(data_dir.run(run_id).spec.read_text()))
    except FileNotFoundError:
        raise RunNotFoundError(
            f"There is no run {run_id}.", next_step="Run `gym-gui runs` to see the ids of all runs."
        ) from None
