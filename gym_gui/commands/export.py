"""``gym-gui export``: a run's records in forms that others read."""

from __future__ import annotations

from pathlib import Path

import click

from gym_gui.commands.common import (
    data_dir_option,
    find_run,
    json_option,
    print_json,
    show_progress,
)
from gym_gui.core.paths import DataDir


@click.command()
@click.argument("run")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--what",
    type=click.Choice(["steps", "episodes", "metrics"]),
    default="steps",
    show_default=True,
    help="What a table holds.",
)
@click.option("--to", type=click.Choice(["minari", "tensorboard"]), help="Not a file: see above.")
@click.option("--stream", type=click.IntRange(min=0), help="Only this environment instance.")
@click.option("--episode", type=click.IntRange(min=0), help="Of pictures. [default: the last one]")
@click.option("--step", type=click.IntRange(min=-1), help="Of a .png; -1 is the reset.")
@click.option(
    "--fps",
    type=click.FloatRange(min=1),
    help="Pictures a second. [default: the environment's own pace]",
)
@click.option("--by-human", is_flag=True, help="Of a dataset: only episodes a human acted in.")
@click.option("--hud", is_flag=True, help="Draw step, return, reward and action in.")
@data_dir_option
@json_option
def export(
    run: str,
    path: Path,
    what: str,
    to: str | None,
    stream: int | None,
    episode: int | None,
    step: int | None,
    fps: float | None,
    by_human: bool,
    hud: bool,
    data_dir: DataDir,
    as_json: bool,
) -> int:
    """Write what was recorded of RUN in a form that others read; the ending of PATH says which.

    .csv, .jsonl and .parquet are tables, .mp4, .gif and .png pictures of an episode. With
    --to minari PATH is a dataset's id, with --to tensorboard a folder.

    \b
      gym-gui export last steps.parquet
      gym-gui export last returns.csv --what episodes
      gym-gui export last episode.mp4 --episode 3 --hud
      gym-gui export last cartpole/ppo-v0 --to minari
      gym-gui export last cartpole/human-v0 --to minari --by-human
    """
    from gym_gui.services.exporting import Export, export

    run_dir = data_dir.run(find_run(data_dir, run).run_id)
    wanted = Export(path, to or "", what, stream, episode, step, fps, hud, by_human)
    count = export(run_dir, wanted, progress=show_progress)
    if as_json:
        print_json({"run_id": run_dir.run_id, "path": str(path), "written": count})
    else:
        click.echo(f"Written to {path}" + (f": {count:,}." if count else "."))
    return 0
