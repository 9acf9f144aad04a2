"""``gym-gui daemon``: the process that records. The window and ``run`` start it by themselves."""

from __future__ import annotations

import asyncio

import click

from gym_gui.commands.common import data_dir_option, json_option, print_json
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

    stop_daemon(data_dir)
    forget_address(data_dir)
    click.echo("The daemon has stopped.")
    return 0


@daemon.command()
@data_dir_option
@json_option
def status(data_dir: DataDir, as_json: bool) -> int:
    """Say whether it runs, and what it does. Exits 3 when it does not run."""
    from gym_gui.services.trainer.daemon import daemon_status

    found = daemon_status(data_dir)
    if as_json:
        print_json(vars(found))
    elif found.running:
        click.echo(f"The daemon serves {data_dir.root}.")
        _say_where(data_dir, found.listen)
    else:
        click.echo(f"No daemon serves {data_dir.root}.")
    return 0 if found.running else 3


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
            await client.submit_run(spec)

    asyncio.run(submit())
    if as_json:
        print_json({"run_id": spec.run_id})
    else:
        click.echo(spec.run_id)
    return 0
