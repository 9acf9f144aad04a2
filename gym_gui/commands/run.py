"""``gym-gui run``: any training script, unmodified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gym_gui.commands.common import data_dir_option, has_display, json_option
from gym_gui.core.paths import DataDir
from gym_gui.core.records import Frames, Live, Observations, Recording, SpoolPolicy


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("script", default="")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--worker", help="Kind of worker. [default: told from the script]")
@click.option("--python", help="Interpreter or environment to run it in. [default: this one]")
@click.option("--name", default="", help="Name of the run. [default: the script's]")
@click.option("--seed", type=int, help="Seed, for scripts whose worker knows how to pass it on.")
@click.option("--tag", "tags", multiple=True, help="Tag of the run; may be given more than once.")
@click.option("--notes", default="", help="Free text kept with the run.")
@click.option("--group", default="", help="Group of runs that belong together.")
@click.option(
    "--cwd",
    type=click.Path(exists=True, file_okay=False),
    help="Folder it runs in. [default: this one]",
)
@click.option(
    "--launcher",
    default="local",
    show_default=True,
    help="Where it trains: local, or a Ray cluster, http://HOST:8265 (docs/remote.md).",
)
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="NAME=VALUES",
    help="One run for each value, such as seed=1-5; several sweeps are combined.",
)
@click.option(
    "--at-once",
    type=click.IntRange(min=0),
    default=0,
    help="Runs of the group that train at the same time; the others wait. [0: all]",
)
@click.option("--headless", "--wait", is_flag=True, help="No window: progress and summary here.")
@click.option("--follow", is_flag=True, help="Like --headless, showing the script's own output.")
@click.option("--detach", is_flag=True, help="Start it, print its id, and return at once.")
@click.option(
    "--max-steps-per-s", type=click.FloatRange(min=0), default=0.0, help="Pace. [0: free]"
)
@click.option(
    "--live",
    type=click.Choice([kind.value for kind in Live]),
    default=Live.GRID.value,
    show_default=True,
    help="Environments seen live: the first, all side by side, or none.",
)
@click.option(
    "--render-budget",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Share of the training's time that watching may cost.",
)
@click.option(
    "--observations",
    type=click.Choice([kind.value for kind in Observations]),
    default=Observations.AUTO.value,
    show_default=True,
    help="How much of each observation is kept.",
)
@click.option(
    "--spool-policy",
    type=click.Choice([kind.value for kind in SpoolPolicy]),
    default=SpoolPolicy.KEEP.value,
    show_default=True,
    help="When the disk is full.",
)
@click.option("--record-frames", is_flag=True, help="Keep every frame (replay needs none).")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder for the pictures (headless)."
)
@data_dir_option
@json_option
def run(
    script: str,
    arguments: tuple[str, ...],
    worker: str | None,
    python: str | None,
    name: str,
    seed: int | None,
    tags: tuple[str, ...],
    notes: str,
    group: str,
    cwd: str | None,
    launcher: str,
    sweeps: tuple[str, ...],
    at_once: int,
    headless: bool,
    follow: bool,
    detach: bool,
    max_steps_per_s: float,
    live: str,
    render_budget: float,
    observations: str,
    spool_policy: str,
    record_frames: bool,
    output: Path | None,
    data_dir: DataDir,
    as_json: bool,
) -> int:
    """Train SCRIPT with its ARGUMENTS, watched and recorded, without a change to it.

    Put -- before the script, so that its options stay its own:

    \b
      gym-gui run -- ppo.py --env-id CartPole-v1
      gym-gui run --python ~/envs/rl --headless -- train.py --seed 3
      gym-gui run --worker sb3 -- --algorithm DQN --env-id CartPole-v1
      gym-gui run --sweep seed=1-5 --sweep lr=0.01,0.001 --at-once 2 -- ppo.py
    """
    from gym_gui.commands.sweep import run_sweep
    from gym_gui.services.workers.registry import detect_worker, get_worker
    from gym_gui.services.workers.script import script_path
    from gym_gui.services.workers.spec import build_spec
    from gym_gui.services.workers.sweep import read_sweep, sweep_specs

    kind = worker or detect_worker(str(script_path(script)))
    chosen = get_worker(kind)
    values = chosen.values([script, *arguments] if script else [])
    if seed is not None:
        values["seed"] = seed
    frames = Frames.EVERY_STEP if record_frames else Frames.OFF
    options: dict[str, Any] = {
        "data_dir": data_dir,
        "python": python,
        "cwd": cwd,
        "name": name,
        "tags": tags,
        "notes": notes,
        "group": group,
        "launcher": launcher,
        "group_limit": at_once,
        "recording": Recording(
            observations=observations, frames=frames.value, spool_policy=spool_policy
        ),
        "live": live,
        "render_budget": render_budget,
        "max_steps_per_s": max_steps_per_s,
    }
    waits = headless or follow or as_json or not has_display()
    if sweeps:
        specs = sweep_specs(chosen, values, read_sweep(sweeps), **options)
        code = run_sweep(data_dir, specs, wait=waits and not detach, as_json=as_json)
        if waits or detach:
            return code
        from gym_gui.commands.window import open_window

        return open_window(data_dir, select_run=specs[0].run_id)
    spec = build_spec(chosen, values, **options)
    if detach:
        from gym_gui.commands.daemon import submit_detached

        return submit_detached(data_dir, spec, as_json=as_json)
    if waits:
        from gym_gui.commands.headless import run_headless

        return run_headless(data_dir, spec, as_json=as_json, follow=follow, output=output)
    from gym_gui.commands.window import open_window

    return open_window(data_dir, submit=spec)
