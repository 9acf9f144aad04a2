"""``gym-gui daemon``: the process that records. The window and ``run`` start it by themselves."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import click

from gym_gui.commands.common import (
    data_dir_option,
    human_seconds,
    human_size,
    json_option,
    print_json,
    print_table,
)
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec


@click.group()
def daemon() -> None:
    """Start, stop or ask after the recording daemon of a data folder.

    It is started by itself when a run needs it, and outlives the window, so that training and
    recording go on when the window is closed.
    """


@daemon.command()
@click.option(
    "--listen",
    default="",
    metavar="HOST:PORT",
    help="Also take calls over TCP, with TLS and a token. Port 0 takes a free one. It keeps"
    " listening there, also after a crash, until `daemon stop`.",
)
@data_dir_option
def start(listen: str, data_dir: DataDir) -> int:
    """Start it in the background. Fails when one already serves the data folder.

    Without --listen it serves this machine's user only. docs/remote.md tells more.
    """
    from gym_gui.core.errors import DaemonAlreadyRunningError
    from gym_gui.rpc.endpoint import split_host_port
    from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon

    if listen:
        split_host_port(listen)
    data_dir.create()
    if daemon_status(data_dir).running:
        raise DaemonAlreadyRunningError(
            f"A daemon already serves {data_dir.root}.",
            next_step="Use it as it is, or stop it first: gym-gui daemon stop",
        )
    address = ensure_daemon(data_dir, listen=listen)
    click.echo(f"The daemon serves {data_dir.root} at {address}.")
    _say_where(data_dir, daemon_status(data_dir).listen)
    return 0


@daemon.command()
@data_dir_option
def stop(data_dir: DataDir) -> int:
    """Stop it. Runs that are training go on; the next daemon records what they did meanwhile."""
    from gym_gui.services.trainer.daemon import stop_daemon
    from gym_gui.services.trainer.listener import forget_address

    report = stop_daemon(data_dir)
    forget_address(data_dir)
    took = f" after {report['took_s']:.1f} s" if report else ""
    click.echo(f"The daemon has stopped{took}.")
    for run_id, run in report.get("runs", {}).items():
        left = f", {run['left']:,} left in the spool for the next daemon" if run["left"] else ""
        error = f" ({run['error']})" if run["error"] else ""
        click.echo(f"  {run_id}: {run['written']:,} batches written{left}{error}")
    return 0


@daemon.command()
@data_dir_option
@json_option
def status(data_dir: DataDir, as_json: bool) -> int:
    """Say whether it runs, and what it does. Exits 3 when it does not run."""
    from gym_gui.services.trainer.daemon import daemon_status

    found = daemon_status(data_dir)
    health = _health(found.target) if found.target else {}
    if as_json:
        print_json({**vars(found), "health": health})
    elif found.running:
        click.echo(f"The daemon serves {data_dir.root}.")
        _say_where(data_dir, found.listen)
        _say_health(health)
    else:
        click.echo(f"No daemon serves {data_dir.root}.")
    return 0 if found.running else 3


def _health(target: str) -> dict[str, Any]:
    """Return what the daemon says of itself; what cannot be asked is told as ``problem``."""
    from gym_gui.core.errors import GymGuiError
    from gym_gui.services.trainer.client import SyncTrainerClient

    try:
        with SyncTrainerClient(target) as client:
            return client.health()
    except GymGuiError as error:
        return {"problem": error.message}


def _say_health(health: dict[str, Any]) -> None:
    if "problem" in health:
        click.echo(f"  it does not answer: {health['problem']}")
    if "pid" not in health:
        return
    up = human_seconds(health["uptime_s"])
    click.echo(f"  process   {health['pid']}, up {up}, {human_size(health['memory_bytes'])}")
    skipped = sum(found["skipped"] for found in health["subscribers"])
    live = len(health["subscribers"]) - len(health["runs"])
    click.echo(f"  watchers  {live}, which skipped {skipped:,} batches that came too fast")
    checks = health["checks"]
    click.echo(f"  checked   {checks['done']} finished runs, {checks['damaged']} of them damaged")
    if health["waiting"]:
        click.echo(f"  queued    {', '.join(health['waiting'])}")
    if not health["runs"]:
        click.echo("  runs      none going on")
        return
    head = ("run", "state", "steps", "commits", "last", "queue", "peak", "retries", "ack p99")
    print_table(head, [_run_row(run_id, run) for run_id, run in health["runs"].items()])
    for run_id, run in health["runs"].items():
        if run.get("trouble"):
            click.echo(f"  {run_id}: {run['trouble']}")


def _run_row(run_id: str, run: dict[str, Any]) -> tuple[object, ...]:
    sink, queue = run["sink"], run["queue"]
    latency = run.get("proxy", {}).get("latency_ms", {}).get("p99")
    return (
        run_id,
        f"{run.get('state', '')}, {sink['state']}",
        f"{run.get('steps', 0):,}",
        f"{sink['commits']:,}",
        f"{sink['last_commit_ms']:.0f} ms",
        queue["depth"],
        queue["peak"],
        sink["retries"],
        "-" if latency is None else f"{latency:.0f} ms",
    )


@daemon.command(hidden=True)
@click.argument("place", type=click.Path(path_type=Path))
@data_dir_option
def attach(place: Path, data_dir: DataDir) -> int:
    """Let PLACE lead to the daemon's socket until standard input ends: for --connect ssh://."""
    import sys

    from gym_gui import __version__
    from gym_gui.core.errors import UsageError
    from gym_gui.rpc.channel import PROTOCOL
    from gym_gui.services.trainer.daemon import ensure_daemon

    if not place.name.startswith("gym-gui-"):
        raise UsageError(f"{place} is no place for it.", next_step="Use gym-gui --connect ssh://…")
    ensure_daemon(data_dir)
    place.symlink_to(data_dir.socket)
    try:
        hello = {"version": __version__, "protocol": PROTOCOL, "data_dir": str(data_dir.root)}
        click.echo(json.dumps(hello))
        sys.stdout.flush()
        while sys.stdin.buffer.read(1):
            pass
    finally:
        place.unlink(missing_ok=True)
    return 0


def _say_where(data_dir: DataDir, listen: str) -> None:
    from gym_gui.services.trainer.listener import token_path

    if listen:
        click.echo(f"  over TCP  {listen}")
        click.echo(f"  token     {token_path(data_dir)}")


def submit_detached(data_dir: DataDir, spec: RunSpec, *, as_json: bool) -> int:
    """Submit a run and return at once; print its id."""
    from gym_gui.services.trainer.client import TrainerClient
    from gym_gui.services.trainer.daemon import ensure_daemon

    async def submit() -> None:
        address = await asyncio.to_thread(ensure_daemon, data_dir.create())
        async with TrainerClient(address) as client:
            await client.submit_run(spec, os.environ)

    asyncio.run(submit())
    if as_json:
        print_json({"run_id": spec.run_id})
    else:
        click.echo(spec.run_id)
    return 0
