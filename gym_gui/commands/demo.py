"""``gym-gui demo``: the first look."""

from __future__ import annotations

from pathlib import Path

import click

from gym_gui.commands.common import data_dir_option, has_display, json_option
from gym_gui.core.paths import DataDir

HEADLESS_STEPS = 60_000


@click.command()
@click.option("--headless", is_flag=True, help="No window: progress and summary here.")
@click.option("--steps", type=click.IntRange(min=1), help="Environment steps to train for.")
@click.option("--seed", type=int, default=3, show_default=True)
@click.option(
    "--max-steps-per-s",
    type=click.FloatRange(min=0),
    help="Pace; 0 is as fast as it goes. [default: 60 in a window, 0 headless]",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder for the pictures (headless)."
)
@data_dir_option
@json_option
def demo(
    headless: bool,
    steps: int | None,
    seed: int,
    max_steps_per_s: float | None,
    output: Path | None,
    data_dir: DataDir,
    as_json: bool,
) -> int:
    """Watch a linear policy learn CartPole-v1 by CMA-ES.

    In a window it trains at a pace the eye can follow, and the pole visibly stays up longer
    within half a minute; the tab's speed control lets it run free. Where there is no display,
    or with --headless, it runs free at once and ends with a summary and two pictures.
    """
    from gym_gui.services.workers.demo import EYE_STEPS_PER_S, WINDOW_STEPS, demo_spec

    headless = headless or as_json or not has_display()
    if max_steps_per_s is None:
        max_steps_per_s = 0.0 if headless else EYE_STEPS_PER_S
    steps = steps or (HEADLESS_STEPS if headless else WINDOW_STEPS)
    spec = demo_spec(data_dir, steps=steps, seed=seed, max_steps_per_s=max_steps_per_s)
    if headless:
        from gym_gui.commands.headless import run_headless

        return run_headless(data_dir, spec, as_json=as_json, output=output)
    from gym_gui.commands.window import open_window

    return open_window(data_dir, submit=spec)
