"""``gym-gui import``: data of others as a run."""

from __future__ import annotations

from pathlib import Path

import click

from gym_gui.commands.common import data_dir_option, json_option, print_json, record_as_dict
from gym_gui.core.paths import DataDir


@click.command(name="import")
@click.argument("source")
@data_dir_option
@json_option
def import_(source: str, data_dir: DataDir, as_json: bool) -> int:
    """Make a run of SOURCE: somebody's run, TensorBoard's folder, or a Minari dataset's id.

    \b
      gym-gui import telemetry.sqlite
      gym-gui import runs/CartPole-v1__ppo__1
      gym-gui import cartpole/random-v0
    """
    from gym_gui.services.adopting import take_run
    from gym_gui.services.importing import import_minari

    path = Path(source)
    record = take_run(data_dir, path) if path.exists() else import_minari(data_dir, source)
    if as_json:
        print_json(record_as_dict(record))
    else:
        click.echo(f"{record.run_id}: {record.spec.name}, {record.steps:,} steps.")
    return 0
