"""A run without a window: live progress in the terminal, then a summary and two pictures."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gym_gui.commands.common import command_line, human_duration, print_json
from gym_gui.core.errors import DaemonError, GymGuiError, StoreSpaceError
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import RunRecord, RunSpec, RunState

if TYPE_CHECKING:
    from gym_gui.services.trainer.client import TrainerClient

_STUCK_LOOK_S = 1.0
_COUNTED = re.compile(rb"trained: steps=(\d+) episodes=(\d+)")


async def submit_and_wait(
    data_dir: DataDir, spec: RunSpec, changed: Callable[[RunRecord], None]
) -> RunRecord:
    """Start the daemon if need be, submit the run, and report its record until it is final.

    An interrupt (Ctrl-C) cancels the run and goes on waiting for its end.
    """
    from gym_gui.services.trainer.client import TrainerClient
    from gym_gui.services.trainer.daemon import ensure_daemon

    address = await asyncio.to_thread(ensure_daemon, data_dir)
    async with TrainerClient(address) as client:
        await client.submit_run(spec, os.environ)
        following = asyncio.ensure_future(_follow(client, data_dir.run(spec.run_id), changed))
        cancelling: set[asyncio.Task[Any]] = set()

        def cancel() -> None:
            cancelling.add(asyncio.ensure_future(client.cancel_run(spec.run_id)))

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, cancel)
        try:
            return await following
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            await asyncio.gather(*cancelling)


async def _follow(
    client: TrainerClient, run_dir: RunDir, changed: Callable[[RunRecord], None]
) -> RunRecord:
    """Return the run's final record. Raises StoreSpaceError where its recording is stuck."""
    newest: list[RunRecord] = []

    async def watch() -> RunRecord:
        async for record in client.watch_runs():
            if record.run_id == run_dir.run_id:
                newest[:] = [record]
                changed(record)
                if record.state.is_final:
                    return record
        raise DaemonError("The daemon ended.", next_step="See what is kept: gym-gui runs")

    watching = asyncio.ensure_future(watch())
    try:
        while not (await asyncio.wait([watching], timeout=_STUCK_LOOK_S))[0]:
            _give_up_if_stuck(run_dir, newest)
        return watching.result()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _give_up_if_stuck(run_dir: RunDir, newest: list[RunRecord]) -> None:
    """Raise StoreSpaceError where the program has ended and its recording waits for the disk."""
    from gym_gui.services.trainer.files import is_running, read_json

    if not newest or not newest[0].trouble:
        return
    # Not the supervisor's word: on a full disk it waits for room to write it.
    report = read_json(run_dir.supervisor)
    if report is not None and not is_running(report["pid"], report["start_ticks"]):
        raise StoreSpaceError(
            f"The program has ended, but its recording waits ({newest[0].steps:,} steps are "
            f"stored): {newest[0].trouble}",
            next_step=f"What waits is kept in {run_dir.root}; it is stored once there is room.",
        )


def run_headless(
    data_dir: DataDir,
    spec: RunSpec,
    *,
    as_json: bool = False,
    follow: bool = False,
    output: Path | None = None,
) -> int:
    """Run to the end, print the summary, and return the exit code for the shell."""
    data_dir.create()
    run_dir = data_dir.run(spec.run_id)
    progress = _Silent() if as_json else _Follow(run_dir) if follow else _Live(spec)
    with progress:
        record = asyncio.run(submit_and_wait(data_dir, spec, progress.show))
    summary = summarise(run_dir, record, output=output or run_dir.root)
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary, data_dir)
    return _judge(record, run_dir)


def _judge(record: RunRecord, run_dir: RunDir) -> int:
    if record.state is RunState.FINISHED:
        return 0
    if record.state is RunState.CANCELLED:
        click.echo("gym-gui: The run was cancelled; what it recorded is kept.", err=True)
        return 130
    cause = record.cause or f"its program ended with {record.exit_code}"
    cause = cause.rstrip(".")
    end = "" if cause.endswith(("?", "!")) else "."
    raise GymGuiError(
        f"The run failed: {cause}{end}",
        next_step=f"Its own words are in {run_dir.stderr}; what it recorded is kept."
        if run_dir.stderr.exists()
        else "What it recorded is kept.",
    )


def summarise(run_dir: RunDir, record: RunRecord, *, output: Path) -> dict[str, Any]:
    """Return what the store holds of a run as plain data, and write the two pictures."""
    from gym_gui.commands.curve import save_curve
    from gym_gui.telemetry.reader import RunReader

    returns: list[float] = []
    steps = episodes = vector_steps = autoresets = 0
    if run_dir.store.exists():
        with RunReader(run_dir.store) as reader:
            totals = reader.totals()
            steps, episodes = totals["steps"], totals["episodes"]
            autoresets, vector_steps = totals["autoresets"], reader.vector_steps()
            returns = [episode.return_ for episode in reader.episodes()]
    tenth = max(1, len(returns) // 10)
    summary: dict[str, Any] = {
        "run_id": record.run_id,
        "state": record.state.value,
        "duration": human_duration(record),
        "steps": steps,
        "vector_steps": vector_steps,
        "autoresets": autoresets,
        "episodes": episodes,
        "first_tenth": _mean(returns[:tenth]),
        "last_tenth": _mean(returns[-tenth:]),
        "best": max(returns, default=None),
        "rejected": record.rejected,
        "dropped": record.dropped,
        "trainer_steps": _trainer_steps(run_dir),
    }
    if steps:
        title = f"{record.spec.name}: return of each episode ({len(returns)})"
        try:
            output.mkdir(parents=True, exist_ok=True)
            summary["curve"] = str(save_curve(returns, output / "learning-curve.png", title=title))
            summary["last_frame"], summary["frame_note"] = _last_frame(run_dir, output)
        except OSError as error:  # a full disk: the run is recorded all the same
            summary["curve"] = f"not drawn: {output} cannot be written ({error.strerror})"
            summary["last_frame"], summary["frame_note"] = None, str(error.strerror)
    return summary


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _trainer_steps(run_dir: RunDir) -> int | None:
    """Return the steps that the program itself says it took, where it does (the demo)."""
    if not run_dir.stdout.exists():
        return None
    with run_dir.stdout.open("rb") as file:
        file.seek(max(0, run_dir.stdout.stat().st_size - 4096))
        found = _COUNTED.search(file.read())
    return int(found[1]) if found else None


def _last_frame(run_dir: RunDir, output: Path) -> tuple[str | None, str]:
    from gym_gui.commands.pictures import save_last_frame

    try:
        return str(save_last_frame(run_dir, output / "last-frame.png")), ""
    except GymGuiError as error:
        return None, str(error)


def _print_summary(summary: dict[str, Any], data_dir: DataDir) -> None:
    def line(label: str, text: str) -> None:
        click.echo(f"  {label:<15}{text}")

    run_id = summary["run_id"]
    click.echo(f"\n{run_id}: {summary['state']} after {summary['duration']}")
    line("steps", f"{summary['steps']:,} in the store" + _counted(summary))
    line("episodes", f"{summary['episodes']:,}")
    if summary["best"] is not None:
        first, last = summary["first_tenth"], summary["last_tenth"]
        line("mean return", f"first tenth {first:.1f}, last tenth {last:.1f}")
        line("best return", f"{summary['best']:.1f}")
    if summary["rejected"] or summary["dropped"]:
        line(
            "NOT RECORDED", f"{summary['dropped']:,} for want of room, {summary['rejected']:,} bad"
        )
    if "curve" in summary:
        line("learning curve", summary["curve"])
        line("last frame", summary["last_frame"] or f"none: {summary['frame_note']}")
        line("replay", command_line(data_dir, "replay", run_id))


def _counted(summary: dict[str, Any]) -> str:
    from gym_gui.services.workers.counts import vector_note

    counted = summary["trainer_steps"]
    note = vector_note(summary["vector_steps"], summary["autoresets"])
    words = [f"{counted:,} counted by the trainer"] if counted is not None else []
    return "".join(f", {part}" for part in [*words, note] if part)


class _Silent:
    """No progress at all."""

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, record: RunRecord) -> None:
        pass


class _Follow(_Silent):
    """The program's own output, as it comes."""

    def __init__(self, run_dir: RunDir) -> None:
        self.files = [(run_dir.stdout, sys.stdout), (run_dir.stderr, sys.stderr)]
        self.offsets = [0, 0]

    def show(self, record: RunRecord) -> None:
        for number, (path, target) in enumerate(self.files):
            if path.exists():
                with path.open("rb") as file:
                    file.seek(self.offsets[number])
                    text = file.read()
                self.offsets[number] += len(text)
                target.write(text.decode(errors="replace"))
                target.flush()


class _Live(_Silent):
    """One line that is drawn again: state, steps, speed, episodes, returns."""

    def __init__(self, spec: RunSpec) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        self.text = Text
        self.console = Console(stderr=True)
        self.live = Live(console=self.console, refresh_per_second=8, transient=False)
        self.name = spec.name or spec.run_id
        self.last: tuple[int, int] = (0, 0)
        self.speed = 0.0

    def __enter__(self):
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(self, record: RunRecord) -> None:
        words = [f"{self.name}: {record.state.value}", f"{record.steps:,} steps"]
        words.append(f"{record.episodes:,} episodes")
        if record.last_return is not None:
            words.append(f"last return {record.last_return:.1f}")
        if record.best_return is not None:
            words.append(f"best {record.best_return:.1f}")
        if record.trouble:
            words.append(f"!! {record.trouble}")
        words.append(human_duration(record))
        self.live.update(self.text("  ".join(words)))
