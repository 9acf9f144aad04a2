"""``gym-gui run``: any training script, unmodified."""

from __future__ import annotations

from pathlib import Path

import click

from gym_gui.commands.common import data_dir_option, has_display, json_option
from gym_gui.core.paths import DataDir
from gym_gui.core.records import Frames, Observations, Recording


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
@click.option("--headless", "--wait", is_flag=True, help="No window: progress and summary here.")
@click.option("--follow", is_flag=True, help="Like --headless, showing the script's own output.")
@click.option("--detach", is_flag=True, help="Start it, print its id, and return at once.")
@click.option(
    "--max-steps-per-s", type=click.FloatRange(min=0), default=0.0, help="Pace. [0: free]"
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
    headless: bool,
    follow: bool,
    detach: bool,
    max_steps_per_s: float,
    render_budget: float,
    observations: str,
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
    """
    from gym_gui.services.workers.registry import detect_worker, get_worker
    from gym_gui.services.workers.script import script_path
    from gym_gui.services.workers.spec import build_spec

    kind = worker or detect_worker(str(script_path(script)))
    chosen = get_worker(kind)
    values = chosen.values([script, *arguments] if script else [])
    if seed is not None:
        values["seed"] = seed
    frames = Frames.EVERY_STEP if record_frames else Frames.OFF
    spec = build_spec(
        chosen,
        values,
        data_dir=data_dir,
        python=python,
        name=name,
        tags=tags,
        notes=notes,
        group=group,
        recording=Recording(observations=observations, frames=frames.value),
        render_budget=render_budget,
        max_steps_per_s=max_steps_per_s,
    )
    if detach:
        from gym_gui.commands.daemon import submit_detached

        return submit_detached(data_dir, spec, as_json=as_json)
    if headless or follow or as_json or not has_display():
        from gym_gui.commands.headless import run_headless

        return run_headless(data_dir, spec, as_json=as_json, follow=follow, output=output)
    from gym_gui.commands.window import open_window

    return open_window(data_dir, submit=spec)
