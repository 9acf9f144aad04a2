"""What the subcommands share: options, tables, sizes, times, JSON."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from gym_gui.core.errors import RunNotFoundError, UsageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord

FAR = "gym_gui.far"  # in the root context's meta: the FarDataDir of --connect
Function = TypeVar("Function", bound=Callable[..., Any])


def _data_dir(context: click.Context, _: click.Parameter, value: Path | None) -> DataDir:
    root = context.find_root()
    far = root.meta.get(FAR)
    return far if far is not None else DataDir(value or root.obj)


def data_dir_option(function: Function) -> Function:
    """Add ``--data-dir``; the command receives a DataDir, wherever the option was written."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        callback=_data_dir,
        help="Folder that keeps the runs.",
    )(function)


def json_option(function: Function) -> Function:
    """Add ``--json``, as the parameter ``as_json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, for other programs to read."
    )(function)


def print_json(value: Any) -> None:
    """Print a value as indented JSON; what JSON does not know, as text."""
    click.echo(json.dumps(value, indent=1, default=str))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print left-aligned columns, as wide as their widest cell."""
    lines = [tuple(head), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def command_line(data_dir: DataDir, *words: str) -> str:
    """Return how the reader calls gym-gui with ``words`` for this data folder, as typed here."""
    found = shutil.which("gym-gui")
    own = Path(sys.executable).with_name("gym-gui")
    if not own.exists():
        program = [sys.executable, "-m", "gym_gui"]
    elif found and os.path.samefile(found, own):
        program = ["gym-gui"]
    else:
        beside = os.path.relpath(own)
        program = [str(own) if beside.startswith("..") else beside]
    place = [] if data_dir.root == DataDir().root else ["--data-dir", str(data_dir.root)]
    return shlex.join([*program, *place, *words])


def human_size(size_bytes: int) -> str:
    """Return a size such as ``3.4 MB`` (powers of 1000)."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""


def human_time(time_ns: int) -> str:
    """Return Unix nanoseconds as local date and time; ``-`` for 0."""
    if not time_ns:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ns / 1e9))


def human_duration(record: RunRecord) -> str:
    """Return how long a run has lasted, or lasts so far, as h:mm:ss."""
    if not record.started_ns:
        return "-"
    end_ns = record.ended_ns or time.time_ns()
    return human_seconds((end_ns - record.started_ns) / 1e9)


def human_seconds(seconds: float) -> str:
    """Return a time such as ``1:02:03`` (hours, minutes, seconds)."""
    seconds = max(0, int(seconds))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}"


def record_as_dict(record: RunRecord) -> dict[str, Any]:
    """Return a run's record as plain data, its spec reduced to what a list needs."""
    fields = {key: value for key, value in vars(record).items() if key != "spec"}
    fields["state"] = record.state.value
    spec = record.spec
    return {
        **fields,
        "name": spec.name,
        "worker": spec.worker,
        "env_id": spec.env_id,
        "command": spec.command,
        "tags": spec.tags,
    }


def has_display() -> bool:
    """Tell whether a window can be opened here."""
    if sys.platform == "darwin":
        return True
    if os.environ.get("QT_QPA_PLATFORM", "") in ("offscreen", "minimal", "vnc"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def find_run(data_dir: DataDir, text: str, *, files: bool = True) -> RunRecord:
    """Return the run whose id is or begins with ``text``; ``last`` is the newest one.

    files: bring a far run's files here too.
    """
    record = _find(data_dir, text)
    if files:
        bring(data_dir, record.run_id)
    return record


def _find(data_dir: DataDir, text: str) -> RunRecord:
    from gym_gui.services.registry import RunRegistry

    refresh(data_dir)
    with RunRegistry(data_dir) as registry:
        if text != "last":
            return registry.resolve(text)
        runs = registry.list()
    if not runs:
        raise RunNotFoundError(
            f"No run has been recorded in {data_dir.root} yet.",
            next_step="Record one: gym-gui demo --headless",
        )
    return max(runs, key=lambda record: record.created_ns)


def is_far(data_dir: DataDir) -> bool:
    """Tell whether these are copies of another machine's runs (``--connect``)."""
    return hasattr(data_dir, "source")


def need_local(data_dir: DataDir) -> None:
    """Raise UsageError where these are another machine's runs."""
    if is_far(data_dir):
        raise UsageError(
            "This is done where the runs are.", next_step="Use --connect ssh://… or go there."
        )


def refresh(data_dir: Any) -> None:
    """Bring the list of a far daemon's runs here; nothing to do for runs of this machine."""
    if is_far(data_dir):
        from gym_gui.services.remote.visit import refresh as bring_list

        bring_list(data_dir)


def bring(data_dir: Any, run_id: str) -> None:
    """Bring a far run's files here, saying how far it is where somebody looks."""
    if not is_far(data_dir):
        return
    from gym_gui.services.remote.visit import fetch

    def say(so_far: int, size: int) -> None:
        text = f"Copying {run_id}: {human_size(so_far)} of {human_size(size)}"
        click.echo(f"\r{text:<78}", nl=False, err=True)

    quiet = not sys.stderr.isatty()
    fetch(data_dir, run_id, progress=None if quiet else say)
    if not quiet:
        click.echo("\r" + " " * 78 + "\r", nl=False, err=True)


def show_progress(done: int, total: int) -> bool:
    """Say on a terminal how far a long work is; return True: it goes on."""
    if sys.stderr.isatty():
        click.echo(f"\r{done:,} of {total:,} ", nl=done >= total, err=True)
    return True


def daemon_call(data_dir: Any, call: Callable[[Any], Any]) -> Any:
    """Return what ``call(client)``, a coroutine, answers from the daemon of these runs."""
    import asyncio

    if is_far(data_dir):
        from gym_gui.services.remote.visit import visit

        return visit(data_dir, call)
    from gym_gui.services.trainer.client import TrainerClient
    from gym_gui.services.trainer.daemon import ensure_daemon

    async def run() -> Any:
        address = await asyncio.to_thread(ensure_daemon, data_dir)
        async with TrainerClient(address) as client:
            return await call(client)

    return asyncio.run(run())
