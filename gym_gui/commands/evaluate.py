"""``gym-gui evaluate``: watch a policy that a run saved."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gym_gui.commands.common import (
    data_dir_option,
    find_run,
    has_display,
    json_option,
    print_json,
)
from gym_gui.core.errors import UsageError
from gym_gui.core.paths import DataDir

if TYPE_CHECKING:
    from gym_gui.services.workers import Checkpoint


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
    """Watch a policy that RUN_ID (or `last`) saved: CHECKPOINT, or the newest."""
    from gym_gui.services.workers import get_worker
    from gym_gui.services.workers.evaluation import evaluation_spec

    spec = find_run(data_dir, run_id).spec
    saved = get_worker(spec.worker).checkpoints(spec, data_dir.run(spec.run_id))
    if only_list:
        return _list(saved, as_json=as_json)
    if checkpoint is None and not saved:
        raise UsageError(
            f"The run {spec.run_id} has saved no policy.",
            next_step="Start it with its script's option to save, such as --save-model.",
        )
    again = evaluation_spec(spec, checkpoint or saved[0].path, data_dir=data_dir)
    if headless or as_json or not has_display():
        from gym_gui.commands.headless import run_headless

        return run_headless(data_dir, again, as_json=as_json, follow=False, output=None)
    from gym_gui.commands.window import open_window

    return open_window(data_dir, submit=again)


def _list(saved: list[Checkpoint], *, as_json: bool) -> int:
    if as_json:
        print_json([{**asdict(item), "path": str(item.path)} for item in saved])
        return 0
    for item in saved:
        click.echo(f"{item.path}  {item.size_bytes:,} bytes")
    return 0
