"""``gym-gui runs``: what was recorded."""

from __future__ import annotations

import time
from typing import Any

import click

from gym_gui.commands.common import (
    daemon_call,
    data_dir_option,
    find_run,
    human_duration,
    human_size,
    human_time,
    is_far,
    json_option,
    need_local,
    print_json,
    print_table,
    record_as_dict,
    refresh,
)
from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import RunRecord


@click.group(invoke_without_command=True)
@data_dir_option
@json_option
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True)
@click.pass_context
def runs(context: click.Context, data_dir: DataDir, as_json: bool, limit: int) -> int:
    """List the recorded runs, newest first; or show, rename or delete one.

    A run is named by its id or the beginning of it; `last` is the newest.
    """
    if context.invoked_subcommand is not None:
        context.find_root().obj = context.find_root().obj or data_dir.root
        return 0
    records = _newest(data_dir)[:limit]
    if as_json:
        print_json([record_as_dict(record) for record in records])
    elif not records:
        click.echo(f"No run in {data_dir.root} yet. Record one: gym-gui demo")
    else:
        head = ("run", "state", "begun", "time", "steps", "episodes", "last", "best", "size")
        print_table(head, [_row(record) for record in records])
        _say_what_is_only_last_known(data_dir, records)
    return 0


def _say_what_is_only_last_known(data_dir: DataDir, records: list[RunRecord]) -> None:
    """Say so where a run is shown as under way and nobody looks after it."""
    from gym_gui.services.trainer.daemon import daemon_status

    if all(record.state.is_final for record in records) or is_far(data_dir):
        return
    if not daemon_status(data_dir).running:
        click.echo(
            "The recorder is not running: a run that is not over is shown as last known.\n"
            "  `gym-gui daemon start` looks after these runs, and finds out which have ended."
        )


def _newest(data_dir: DataDir) -> list[RunRecord]:
    from gym_gui.services.registry import RunRegistry

    refresh(data_dir)
    if not data_dir.root.exists():
        return []
    with RunRegistry(data_dir) as registry:
        return sorted(registry.list(), key=lambda record: record.created_ns, reverse=True)


def _row(record: RunRecord) -> tuple[object, ...]:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.1f}"

    return (
        record.run_id,
        record.state.value,
        human_time(record.created_ns),
        human_duration(record),
        f"{record.steps:,}",
        f"{record.episodes:,}",
        number(record.last_return),
        number(record.best_return),
        human_size(record.size_bytes),
    )


@runs.command()
@click.argument("run")
@data_dir_option
@json_option
def show(run: str, data_dir: DataDir, as_json: bool) -> int:
    """Show one run: its command, its state, its totals and where its files are."""
    from gym_gui.services.verify import last_report
    from gym_gui.services.workers.counts import vector_note

    record = find_run(data_dir, run, files=False)
    folder = data_dir.run(record.run_id)
    vector_steps, autoresets = _vector_counts(folder)
    if as_json:
        found = last_report(folder)
        more = {
            "vector_steps": vector_steps,
            "autoresets": autoresets,
            "verified": found.to_dict() if found else None,
        }
        print_json({**record_as_dict(record), **more, "folder": str(folder.root)})
        return 0
    note = vector_note(vector_steps, autoresets)
    verified = last_report(folder)
    for label, text in {
        "run": record.run_id,
        "name": record.spec.name,
        "worker": record.spec.worker,
        "state": record.state.value + (f": {record.cause}" if record.cause else ""),
        "command": " ".join(record.spec.command),
        "begun": human_time(record.started_ns),
        "time": human_duration(record),
        "steps": f"{record.steps:,}" + (f" ({note})" if note else ""),
        "episodes": f"{record.episodes:,}",
        "policies": _policies(record, data_dir),
        "verified": str(verified) if verified else "",
        "notes": record.spec.notes,
        "tags": ", ".join(record.spec.tags),
        "folder": folder.root,
        "output": folder.stdout,
        "errors": folder.stderr,
    }.items():
        if text:
            click.echo(f"{label:<10}{text}")
    _say_what_is_only_last_known(data_dir, [record])
    return 0


def _policies(record: RunRecord, data_dir: DataDir) -> str:
    from gym_gui.services.workers import get_worker

    spec = record.spec
    try:
        saved = get_worker(spec.worker).checkpoints(spec, data_dir.run(spec.run_id))
    except GymGuiError:
        return ""  # the plug-in that ran it is not installed any more
    return f"{len(saved)} saved (gym-gui evaluate {spec.run_id} --list)" if saved else ""


def _vector_counts(folder: RunDir) -> tuple[int, int]:
    """Return the script's own count of vector steps and, of these, the autoresets."""
    from gym_gui.core.errors import StorageError
    from gym_gui.telemetry.reader import RunReader

    if not folder.store.exists():
        return 0, 0
    try:
        with RunReader(folder.store) as reader:
            return reader.vector_steps(), reader.totals()["autoresets"]
    except StorageError:
        return 0, 0  # a damaged file: `gym-gui repair` is for that


@runs.command()
@click.argument("run")
@data_dir_option
def stop(run: str, data_dir: DataDir) -> int:
    """Ask a run to end; what it recorded is kept."""
    record = find_run(data_dir, run, files=False)

    async def cancel(client: Any) -> None:
        await client.cancel_run(record.run_id)
        async for changed in client.watch_runs():
            if changed.run_id == record.run_id and changed.state.is_final:
                return

    if not record.state.is_final:
        daemon_call(data_dir, cancel)
    click.echo(f"{record.run_id} has ended.")
    return 0


@runs.command()
@click.argument("run")
@click.argument("name")
@data_dir_option
def rename(run: str, name: str, data_dir: DataDir) -> int:
    """Give a run another name; its id stays."""
    from gym_gui.services.registry import RunRegistry

    need_local(data_dir)
    record = find_run(data_dir, run)
    record.spec.name = name
    with RunRegistry(data_dir) as registry:
        registry.update(record.run_id, spec=record.spec)
    click.echo(f"{record.run_id} is now called {name!r}.")
    return 0


@runs.command()
@click.argument("run", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir_option
def delete(run: tuple[str, ...], yes: bool, data_dir: DataDir) -> int:
    """Delete runs with everything recorded of them. There is no way back."""
    from gym_gui.core.errors import UsageError
    from gym_gui.services.registry import RunRegistry

    need_local(data_dir)
    records = [find_run(data_dir, name) for name in run]
    for record in records:
        if not record.state.is_final:
            raise UsageError(
                f"{record.run_id} is still {record.state.value}.",
                next_step="Stop it in the window, or wait for its end.",
            )
    with RunRegistry(data_dir) as registry:
        sizes = {record.run_id: registry.size_bytes(record.run_id) for record in records}
        names = ", ".join(f"{run_id} ({human_size(size)})" for run_id, size in sizes.items())
        if not yes and not click.confirm(f"Delete {names} for good?"):
            return 1
        freed = sum(registry.delete(run_id) for run_id in sizes)
    click.echo(f"Deleted {names}: {human_size(freed)} given back.")
    return 0


_POSITIVE = click.FloatRange(min=0, min_open=True)


@runs.command()
@click.option("--max-runs", type=click.IntRange(min=1), help="Keep the newest so many.")
@click.option("--max-days", type=_POSITIVE, help="Keep those of the last days.")
@click.option("--max-gb", type=_POSITIVE, help="Keep the newest up to this size.")
@click.option("--dry-run", is_flag=True, help="Only say which would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir_option
def prune(
    max_runs: int | None,
    max_days: float | None,
    max_gb: float | None,
    dry_run: bool,
    yes: bool,
    data_dir: DataDir,
) -> int:
    """Delete the oldest runs beyond a number, an age or a size. Those tagged `keep` stay."""
    from gym_gui.core.errors import UsageError
    from gym_gui.services.registry import RunRegistry
    from gym_gui.services.retention import Retention, surplus

    if max_runs is None and max_days is None and max_gb is None:
        raise UsageError("No limit was given.", next_step="Say --max-runs, --max-days or --max-gb.")
    limits = Retention(max_runs or 0, max_days or 0.0, int((max_gb or 0) * 1e9))
    with RunRegistry(data_dir) as registry:
        known = registry.list()
        sizes = {record.run_id: registry.size_bytes(record.run_id) for record in known}
        doomed = [run.run_id for run in surplus(known, sizes, limits, now_ns=time.time_ns())]
        for run_id in doomed:
            click.echo(f"{run_id}  {human_size(sizes[run_id])}")
        total = human_size(sum(sizes[run_id] for run_id in doomed))
        if not doomed or dry_run:
            click.echo(f"{len(doomed)} runs are beyond the limits, {total}.")
            return 0
        if not yes and not click.confirm(f"Delete these {len(doomed)} runs for good?"):
            return 1
        freed = sum(registry.delete(run_id) for run_id in doomed)
    click.echo(f"Deleted {len(doomed)} runs: {human_size(freed)} given back.")
    return 0
