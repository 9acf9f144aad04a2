"""``gym-gui replay`` and ``verify``: any recorded episode again."""

from __future__ import annotations

from pathlib import Path

import click

from gym_gui.commands.common import (
    data_dir_option,
    find_run,
    has_display,
    json_option,
    print_json,
    show_progress,
)
from gym_gui.core.errors import UsageError
from gym_gui.core.paths import DataDir


@click.command()
@click.argument("run")
@click.option("--episode", type=click.IntRange(min=0), help="Which. [default: the last one]")
@click.option("--stream", type=click.IntRange(min=0), help="Of which environment instance.")
@click.option("--step", type=click.IntRange(min=-1), help="Only this moment; -1 is the reset.")
@click.option("--png", type=click.Path(path_type=Path), help="Write one moment as PNG.")
@click.option("--gif", type=click.Path(path_type=Path), help="Write the episode as animation.")
@click.option(
    "--fps",
    type=click.FloatRange(min=1),
    help="Pictures a second of the animation. [default: the environment's own pace]",
)
@click.option("--headless", is_flag=True, help="No window: check the episode here.")
@data_dir_option
@json_option
def replay(
    run: str,
    episode: int | None,
    stream: int | None,
    step: int | None,
    png: Path | None,
    gif: Path | None,
    fps: float | None,
    headless: bool,
    data_dir: DataDir,
    as_json: bool,
) -> int:
    """Show a recorded episode of RUN again, in a window or as pictures.

    It is simulated again from its seed and actions, in the interpreter that trained, and compared
    with the recording at every step. RUN is an id, the beginning of one, or `last`. Where there
    is no display, or with --headless, it is only compared.

    \b
      gym-gui replay last
      gym-gui replay last --episode 3 --gif third.gif
      gym-gui replay last --episode 3 --step 10 --png tenth.png
    """
    from gym_gui.commands.pictures import save_gif, save_png
    from gym_gui.services.replay import EpisodeReplay, last_episode

    run_dir = data_dir.run(find_run(data_dir, run).run_id)
    asked = episode is not None
    if episode is None:
        stream, episode = last_episode(run_dir, stream=stream)
    stream = stream or 0
    if has_display() and not (headless or as_json or png or gif):
        from gym_gui.commands.window import open_window

        moment = (stream, episode, -1 if step is None else step) if asked else None
        return open_window(data_dir, replay=run_dir.run_id, moment=moment)
    with EpisodeReplay(run_dir, stream=stream, episode=episode) as found:
        count = len(found.steps)
        written = []
        if step is not None and step >= count:
            raise UsageError(
                f"Episode {episode} has {count} steps, so there is no step {step}.",
                next_step=f"Choose one from -1 to {count - 1}.",
            )
        if png is not None:
            *_, moment = found.moments([count - 1 if step is None else step])
            written.append(str(save_png(moment, png)))
        if gif is not None:
            save_gif(found.moments(), gif, pace=lambda: found.pace(fps))
            written.append(str(gif))
        if not written:
            found.check()
    result = {
        "run_id": run_dir.run_id,
        "stream": stream,
        "episode": episode,
        "steps": count,
        "return": sum(record.reward for record in found.steps),
        "written": written,
    }
    if as_json:
        print_json(result)
        return 0
    click.echo(
        f"{run_dir.run_id}, episode {episode} of stream {stream}: {count} steps, return "
        f"{result['return']:.1f}, again as recorded."
    )
    for name in written:
        click.echo(f"  {name}")
    if not written:
        click.echo(
            "  See it: on a display a window opens; --gif FILE writes it, --png FILE a moment."
        )
    return 0


@click.command()
@click.argument("run")
@click.option("--sample", type=click.IntRange(min=1), help="So many episodes only, at random.")
@data_dir_option
@json_option
def verify(run: str, sample: int | None, data_dir: DataDir, as_json: bool) -> int:
    """Simulate the episodes of RUN again and compare every reward and observation.

    The result is kept with the run. Exits 1 when one of them is not as it was recorded.
    """
    from gym_gui.services.verify import verify_run

    run_dir = data_dir.run(find_run(data_dir, run).run_id)
    report = verify_run(run_dir, sample=sample, progress=show_progress)
    if as_json:
        print_json(report.to_dict())
    else:
        click.echo(f"{report.run_id}: {report} {report.steps:,} steps compared.")
        for finding in report.findings[:10]:
            click.echo(f"  stream {finding.stream}, episode {finding.episode}: {finding.reason}")
    return int(not report.reproducible)
