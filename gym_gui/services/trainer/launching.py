"""Starting the processes of a run, each in a session of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gym_gui.core.errors import StoreSpaceError
from gym_gui.core.paths import TAP_VARIABLE, DataDir, RunDir, private_dir
from gym_gui.core.records import RunSpec
from gym_gui.services.trainer.files import write_json
from gym_gui.worker.install import prepare

ROOM_BYTES = 8 << 20


def need_room(data_dir: DataDir) -> None:
    """Raise StoreSpaceError where the data folder's disk has no room for even a small run."""
    free = shutil.disk_usage(data_dir.root).free
    if free < ROOM_BYTES:
        raise StoreSpaceError(
            f"The disk of {data_dir.root} is full: {free / 1e6:.1f} MB are free, and a run needs"
            f" at least {ROOM_BYTES / 1e6:.0f} MB.",
            next_step="Free some room, or choose another folder with --data-dir.",
        )


def prepare_folder(
    data_dir: DataDir, spec: RunSpec, environment: Mapping[str, str] | None = None
) -> RunDir:
    """Write what supervisor and tap read: ``run.json``, the tap's folder, ``launch.json``.

    environment: under the spec's own variables; by default those of this process. It may hold
    secrets: only ``launch.json`` has it, until the program was started.

    Raises StoreSpaceError where that cannot be written; then nothing of it stays.
    """
    run_dir = data_dir.run(spec.run_id)
    is_new = not run_dir.root.exists()
    try:
        private_dir(run_dir.root)
        write_json(run_dir.spec, spec.to_dict())
        base = dict(os.environ if environment is None else environment)
        variables = {**base, **spec.env, **prepare(run_dir, spec, data_dir.ring_dir, base)}
        write_json(run_dir.launch, {"environment": variables})
    except OSError as error:
        if is_new:
            shutil.rmtree(run_dir.root, ignore_errors=True)
        raise StoreSpaceError(
            f"The run's folder {run_dir.root} cannot be written: {error.strerror}.",
            next_step="Free some room, or choose another folder with --data-dir.",
        ) from error
    return run_dir


def keep_spec(data_dir: DataDir, spec: RunSpec) -> RunDir:
    """Make the folder of a run whose processes are elsewhere."""
    run_dir = data_dir.run(spec.run_id)
    private_dir(run_dir.root)
    write_json(run_dir.spec, spec.to_dict())
    return run_dir


def start_supervisor(run_dir: RunDir, *, lifeline: bool = False) -> subprocess.Popen[bytes]:
    """Start the run's supervisor, which starts the worker. It outlives us, but for a lifeline.

    With one, its ``stdin`` is a pipe that only we hold: when we are gone, it ends the worker.
    """
    words = [str(run_dir.root), *(["--lifeline"] if lifeline else [])]
    stdin = subprocess.PIPE if lifeline else subprocess.DEVNULL
    return _start(run_dir, "gym_gui.services.trainer.supervisor", *words, stdin=stdin)


def start_proxy(
    run_dir: RunDir, address: str, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start the run's proxy, which publishes the spool to ``address``."""
    module = "gym_gui.services.trainer.trainer_telemetry_proxy"
    words = (str(run_dir.root), "--address", address)
    return _start(run_dir, module, *words, variables=variables)


def _start(
    run_dir: RunDir,
    module: str,
    *words: str,
    stdin: int = subprocess.DEVNULL,
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != TAP_VARIABLE}
    log = run_dir.root / f"{module.rpartition('.')[2]}.log"
    with open(log, "ab", opener=_private) as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=_place(run_dir.root),
            env={**environment, **(variables or {})},
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _place(path: Path) -> str:
    # Not where the program was called: a folder named gym_gui there must not come first.
    return str(path)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
