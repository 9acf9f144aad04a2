"""The daemon: one process per data folder that records its runs. And how to find, start, stop it.

    python -m gym_gui.services.trainer.daemon --data-dir FOLDER

A lock on ``daemon/lock`` makes it the only one; the file holds its pid and address. It serves a
Unix socket of mode 0600 in a private folder, and TCP with TLS and a token where asked to.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gym_gui.core.errors import (
    DaemonAlreadyRunningError,
    DaemonError,
    DaemonNotRunningError,
    GymGuiError,
)
from gym_gui.core.paths import TAP_VARIABLE, DataDir
from gym_gui.rpc.endpoint import Endpoint
from gym_gui.services.trainer.files import read_json, write_json

START_S = 30.0
IDLE_S = 600.0  # without a run and without a client
STOP_S = 30.0


@dataclass(frozen=True)
class DaemonStatus:
    """What the lock file says. pid and target are empty when no daemon runs.

    listen: its TCP address with the certificate's fingerprint, empty where it has none.
    """

    running: bool
    pid: int = 0
    target: str = ""
    listen: str = ""


def daemon_address(data_dir: DataDir) -> Endpoint:
    """Return where the daemon of a data folder listens, or would."""
    return Endpoint(f"unix:{data_dir.socket}")


def daemon_status(data_dir: DataDir) -> DaemonStatus:
    """Tell whether a daemon serves the data folder, without talking to it."""
    path = _lock_path(data_dir)
    try:
        with path.open("r+", encoding="utf-8") as file:
            if _try_lock(file.fileno()):
                return DaemonStatus(False)
            content = file.read()
    except OSError:
        return DaemonStatus(False)
    with suppress(json.JSONDecodeError):
        found = json.loads(content)
        return DaemonStatus(True, found["pid"], found["target"], found.get("listen", ""))
    return DaemonStatus(True)  # it has the lock and is about to write its address


def ensure_daemon(data_dir: DataDir, *, listen: str = "") -> Endpoint:
    """Return the daemon's address; start one when none runs. Blocks until it answers.

    Raises DaemonError (or what kept it from starting) with the cause.
    """
    data_dir.create()
    address = daemon_address(data_dir)
    started: tuple[int, int] | None = None
    deadline = time.monotonic() + START_S
    while not (daemon_status(data_dir).pid and _answers(data_dir.socket)):
        if started is None and not daemon_status(data_dir).running:
            started = _spawn(data_dir, listen)
        if started is not None and _has_ended(started[0]):
            if daemon_status(data_dir).running:
                started = None  # another one was quicker
            else:
                raise _reason(data_dir, started[1])
        if time.monotonic() > deadline:
            raise DaemonError(
                "The daemon does not answer.", next_step=f"See {_log_path(data_dir)}."
            )
        time.sleep(0.01)
    return address


def stop_daemon(data_dir: DataDir) -> dict[str, Any]:
    """End the daemon, wait until it is gone, and return its report: ``took_s`` and ``runs``.

    Raises DaemonNotRunningError when none runs.
    """
    status = daemon_status(data_dir)
    deadline = time.monotonic() + STOP_S
    while status.running and not status.pid and time.monotonic() < deadline:
        time.sleep(0.01)
        status = daemon_status(data_dir)
    if not status.pid:
        raise DaemonNotRunningError(
            f"No daemon serves {data_dir.root}.", next_step="There is nothing to stop."
        )
    with suppress(ProcessLookupError):
        os.kill(status.pid, signal.SIGTERM)
    while daemon_status(data_dir).pid == status.pid:
        if time.monotonic() > deadline:
            raise DaemonError(
                f"The daemon (process {status.pid}) does not end.",
                next_step=f"See {_log_path(data_dir)}, or end it with: kill -9 {status.pid}",
            )
        time.sleep(0.01)
    _has_ended(status.pid)  # reaps it, if it is a child of ours
    report = read_json(_stop_path(data_dir)) or {}
    return report if report.get("pid") == status.pid else {}


def _lock_path(data_dir: DataDir) -> Path:
    return data_dir.daemon / "lock"


def _stop_path(data_dir: DataDir) -> Path:
    return data_dir.daemon / "stopped.json"


def _log_path(data_dir: DataDir) -> Path:
    return data_dir.daemon / "daemon.log"


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _spawn(data_dir: DataDir, listen: str) -> tuple[int, int]:
    """Start a daemon in a session of its own; return its pid and where its log begins."""
    log = os.open(_log_path(data_dir), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        begin = os.lseek(log, 0, os.SEEK_END)
        words = ["-m", "gym_gui.services.trainer.daemon", "--data-dir", str(data_dir.root)]
        words += ["--listen", listen] if listen else []
        variables = {name: value for name, value in os.environ.items() if name != TAP_VARIABLE}
        # posix_spawn and not Popen: nobody waits for this process but init.
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, *words],
            variables,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(log)
    return pid, begin


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _reason(data_dir: DataDir, begin: int) -> GymGuiError:
    """Return why the daemon did not start: what it wrote last."""
    with _log_path(data_dir).open("rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").strip().splitlines()
    told = [n for n, line in enumerate(lines) if line.startswith("gym-gui: ")]
    if told:
        message = lines[told[-1]].removeprefix("gym-gui: ")
        next_step = lines[told[-1] + 1].strip() if told[-1] + 1 < len(lines) else ""
        return DaemonError(message, next_step=next_step)
    last = lines[-1] if lines else "it wrote nothing"
    return DaemonError(
        f"The daemon could not be started: {last}.", next_step=f"See {_log_path(data_dir)}."
    )


# The process itself


@contextmanager
def _alone(data_dir: DataDir) -> Iterator[int]:
    """Hold the lock of the data folder. Raises DaemonAlreadyRunningError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(_lock_path(data_dir), flags, 0o600)
    try:
        # Whoever asks after us holds the lock for a moment: try for a while.
        deadline = time.monotonic() + 1.0
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise DaemonAlreadyRunningError(
                    f"A daemon already serves {data_dir.root}.",
                    next_step="Use it as it is, or stop it first: gym-gui daemon stop",
                )
            time.sleep(0.02)
        os.ftruncate(descriptor, 0)
        yield descriptor
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _is_in_place(lock: int, path: Path) -> bool:
    """Tell whether the lock that we hold is still the data folder's."""
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def _free_socket(path: Path) -> None:
    """Remove what a dead daemon has left. Raises DaemonError when the place is taken."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode) and not _answers(path):
            path.unlink()
            return
        raise DaemonError(
            f"The socket {path} is in use by another program.",
            next_step="End that program or remove the file, then try again.",
        )


async def _serve(data_dir: DataDir, lock: int, listen: str, idle_s: float) -> None:
    from grpc import aio

    from gym_gui.rpc.channel import OPTIONS
    from gym_gui.rpc.trainer_pb2_grpc import add_TrainerServiceServicer_to_server
    from gym_gui.services.telemetry import TelemetryService
    from gym_gui.services.trainer.listener import Listener, remembered_address
    from gym_gui.services.trainer.presence import Presence
    from gym_gui.services.trainer.runs import RunManager
    from gym_gui.services.trainer.service import TrainerService
    from gym_gui.services.trainer.upkeep import keep_up
    from gym_gui.telemetry.db_sink import SWITCH_INTERVAL_S

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    path = data_dir.socket
    _free_socket(path)
    address = daemon_address(data_dir)
    runs = RunManager(data_dir, TelemetryService(data_dir), address.target)
    presence = Presence()
    server = aio.server(interceptors=[presence], options=OPTIONS)
    service = TrainerService(runs)
    add_TrainerServiceServicer_to_server(service, server)
    listener = runs.listener = Listener(data_dir, service)
    previous = os.umask(0o177)
    try:
        server.add_insecure_port(address.target)
        await server.start()
    finally:
        os.umask(previous)
    await _listen(listener, listen, remembered_address(data_dir))
    await runs.start()
    listener.on_open = lambda: _tell(lock, address, listener)
    listener.on_open()
    logging.info("serving %s at %s", data_dir.root, address)
    await keep_up(
        data_dir,
        stopping,
        lambda: listener.is_open or presence.was_used() or runs.is_needed(),
        has_folder=lambda: _is_in_place(lock, _lock_path(data_dir)),
        idle_s=idle_s,
    )
    logging.info("stopping")
    began = time.monotonic()
    await asyncio.gather(server.stop(grace=0.5), listener.close())
    reports = await runs.close()
    _report_stop(data_dir, reports, time.monotonic() - began)
    with suppress(FileNotFoundError):
        path.unlink()


def _report_stop(data_dir: DataDir, reports: dict[str, Any], took_s: float) -> None:
    """Leave word of what was written, and what is left in the spools for the next daemon."""
    runs = {run_id: asdict(report) for run_id, report in reports.items()}
    for run_id, report in runs.items():
        logging.info("run %s: %s", run_id, report)
    with suppress(OSError):  # a full disk: the log has it
        write_json(_stop_path(data_dir), {"pid": os.getpid(), "took_s": took_s, "runs": runs})


async def _listen(listener: Any, wish: str, remembered: str) -> None:
    """Listen where it was asked for; what is only remembered must not keep us from recording."""
    if wish:
        await listener.open(wish)
    elif remembered:
        try:
            await listener.open(remembered)
        except GymGuiError as error:
            logging.warning("%s", error)


def _tell(lock: int, address: Endpoint, listener: Any) -> None:
    """Write into the lock file who serves, and where."""
    listen = str(listener.endpoint()) if listener.is_open else ""
    content = {"pid": os.getpid(), "target": address.target, "listen": listen}
    text = json.dumps(content).encode()
    os.pwrite(lock, text, 0)
    os.ftruncate(lock, len(text))


def serve(data_dir: DataDir, *, listen: str = "", idle_s: float = IDLE_S) -> None:
    """Serve until SIGTERM or SIGINT, or until nobody has needed it for ``idle_s`` (0: never).

    Raises GymGuiError when that cannot begin.
    """
    data_dir.create()
    with _alone(data_dir) as lock:
        asyncio.run(_serve(data_dir, lock, listen, idle_s))


def main() -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--listen", default="", metavar="HOST:PORT")
    parser.add_argument("--idle-s", type=float, default=IDLE_S, metavar="SECONDS")
    options: Any = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        serve(DataDir(options.data_dir), listen=options.listen, idle_s=options.idle_s)
    except GymGuiError as error:
        sys.stderr.write(f"gym-gui: {error.message}\n  {error.next_step}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
