"""A run on a cluster's node: what a daemon does for a run of its own machine, done there.

    python -m gym_gui.services.trainer.remote_job

Reads from the environment where the daemon is, the run's id and its token; asks it for the spec;
starts supervisor and proxy; tells every second how the worker stands and what it wrote. While the
daemon is away training goes on: the spool is the queue. Ends as the worker ended. Killed, it takes
the worker with it, since the cluster gives the place to somebody else; the proxy still sends
what was recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import RunSpec
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.channel import error_from, open_channel
from gym_gui.rpc.endpoint import TOKEN_VARIABLE, Endpoint, parse_endpoint
from gym_gui.rpc.trainer_pb2_grpc import TrainerServiceStub
from gym_gui.services.trainer.files import read_json
from gym_gui.services.trainer.launching import prepare_folder, start_proxy, start_supervisor

DAEMON_VARIABLE = "GYM_GUI_DAEMON"
RUN_VARIABLE = "GYM_GUI_RUN"
PATHS_VARIABLE = "GYM_GUI_PATHS"
BEAT_S = 1.0
RETRY_S = 2.0
JOIN_S = 60.0  # how long the daemon may be away before the run has begun
OUTPUT_BYTES = 1 << 20  # of each output, in one beat
_PACKAGE = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class PathMap:
    """Where the submitting machine has what this one has elsewhere; empty: it has none."""

    python: str
    package: str
    run_dir: str
    uploaded: str = ""

    @classmethod
    def of_this_machine(cls, run_dir: RunDir, uploaded: Path | None) -> PathMap:
        return cls(sys.executable, str(_PACKAGE), str(run_dir.root), str(uploaded or ""))

    def variables(self) -> dict[str, str]:
        return {PATHS_VARIABLE: json.dumps(dataclasses.asdict(self))}

    def translate(self, spec: RunSpec, here: PathMap) -> RunSpec:
        """Return the spec with this map's paths replaced by those of ``here``."""
        pairs = [
            (getattr(self, name), getattr(here, name))
            for name in ("run_dir", "uploaded", "package", "python")
            if getattr(self, name) and getattr(here, name)
        ]

        def place(word: str) -> str:
            for there, ours in pairs:
                if word == there or word.startswith(there + os.sep):
                    return ours + word[len(there) :]
            return word

        def places(text: str) -> str:
            return os.pathsep.join(place(part) for part in text.split(os.pathsep))

        cwd = place(spec.cwd)
        return dataclasses.replace(
            spec,
            command=[place(word) for word in spec.command],
            cwd=cwd if os.path.isdir(cwd) else here.uploaded or str(Path(here.run_dir).parent),
            env={name: places(value) for name, value in spec.env.items()},
            launcher="local",
        )


class RemoteJob:
    """One run on this node. ``run`` returns the exit code for the cluster."""

    def __init__(self, endpoint: Endpoint, run_id: str, variables: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._run_id = run_id
        self._there = PathMap(**json.loads(variables[PATHS_VARIABLE]))
        self._worker_id = f"{socket.gethostname()}:{os.getpid()}"
        self._data_dir = DataDir(_scratch() / run_id).create()
        self._run_dir = self._data_dir.run(run_id)
        self._sent = {"stdout": 0, "stderr": 0}
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._proxy: subprocess.Popen[bytes] | None = None
        self._is_published = False
        self._proxy_after = 0.0
        self._stopping = False

    async def run(self) -> int:
        """Start the worker, tell how it stands until all it recorded is committed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        spec = await self._join()
        uploaded = os.getcwd() if self._there.uploaded else ""
        here = PathMap(sys.executable, str(_PACKAGE), str(self._run_dir.root), uploaded)
        prepare_folder(self._data_dir, self._there.translate(spec, here))
        self._supervisor = start_supervisor(self._run_dir, lifeline=True)
        try:
            await self._follow()
        finally:
            await asyncio.to_thread(self._end)
        report = read_json(self._run_dir.supervisor) or {}
        self._tidy()
        code = report.get("exit_code")
        return 1 if code is None else code

    def _stop(self) -> None:
        self._stopping = True
        if self._supervisor is not None and self._supervisor.poll() is None:
            self._supervisor.terminate()

    async def _join(self) -> RunSpec:
        """Ask the daemon for the run. Raises GymGuiError when it stays away or refuses."""
        deadline = time.monotonic() + JOIN_S
        hello = pb.WorkerHello(run_id=self._run_id, worker_id=self._worker_id)
        while True:
            try:
                async with open_channel(self._endpoint) as channel:
                    run = await TrainerServiceStub(channel).RegisterWorker(hello)
                    return RunSpec.from_dict(json.loads(run.spec_json))
            except aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                    raise error_from(error) from None
            except GymGuiError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        while True:
            try:
                async with open_channel(self._endpoint) as channel:
                    await self._beat_until_end(TrainerServiceStub(channel))
                    return
            except aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    self._stop()  # the run was given up there
                    return
            except GymGuiError:
                pass  # the daemon is away; training goes on
            self._watch_processes()
            await asyncio.sleep(RETRY_S)

    async def _beat_until_end(self, stub: TrainerServiceStub) -> None:
        while True:
            self._watch_processes()
            ended = self._is_published  # asked before the output is read: nothing comes after it
            hello = await asyncio.to_thread(self._hello)
            answer = await stub.Heartbeat(hello, timeout=30)
            for name in self._sent:
                self._sent[name] += len(getattr(hello, name))
            if answer.state == "cancelled" and not self._stopping:
                self._stop()
            full = max(len(hello.stdout), len(hello.stderr)) == OUTPUT_BYTES
            if ended and not full:
                return
            if not full:
                await asyncio.sleep(BEAT_S)

    def _hello(self) -> pb.WorkerHello:
        report = read_json(self._run_dir.supervisor) or {}
        if report:
            report["published"] = self._is_published
        parts = {}
        for name, begin in self._sent.items():
            parts[name] = _read_from(self._run_dir.root / f"{name}.log", begin)
            parts[f"{name}_from"] = begin
        return pb.WorkerHello(
            run_id=self._run_id,
            worker_id=self._worker_id,
            report_json=json.dumps(report) if report else "",
            **parts,
        )

    def _watch_processes(self) -> None:
        if self._supervisor is not None:
            self._supervisor.poll()
        if self._proxy is not None:
            code = self._proxy.poll()
            if code is None:
                return
            self._proxy = None
            self._is_published = code == 0
            self._proxy_after = time.monotonic() + RETRY_S
        if not self._is_published and time.monotonic() >= self._proxy_after:
            token = {TOKEN_VARIABLE: self._endpoint.token}
            self._proxy = start_proxy(self._run_dir, str(self._endpoint), token)

    def _end(self) -> None:
        self._stop()
        for process in (self._supervisor, self._proxy):
            with contextlib.suppress(subprocess.TimeoutExpired):
                if process is not None:
                    process.wait(20)
        if self._supervisor is not None and self._supervisor.stdin is not None:
            self._supervisor.stdin.close()

    def _tidy(self) -> None:
        """Remove what was needed on this node only; files that the worker saved stay."""
        shutil.rmtree(self._data_dir.ring_dir.parent, ignore_errors=True)
        files = self._run_dir.root / "files"
        if files.is_dir() and any(files.iterdir()):
            sys.stdout.write(f"The worker's files are in {files} on {socket.gethostname()}.\n")
        else:
            shutil.rmtree(self._data_dir.root, ignore_errors=True)


def _scratch() -> Path:
    return Path(tempfile.gettempdir()) / f"gym-gui-{os.getuid()}" / "jobs"


def _read_from(path: Path, begin: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(OUTPUT_BYTES)
    except FileNotFoundError:
        return b""


def main() -> int:
    """Entry point of the process. What it writes lands in the cluster's log of the job."""
    variables: dict[str, Any] = {
        name: os.environ.pop(name, "")
        for name in (DAEMON_VARIABLE, RUN_VARIABLE, PATHS_VARIABLE, TOKEN_VARIABLE)
    }
    try:
        endpoint = parse_endpoint(variables[DAEMON_VARIABLE], variables)
        return asyncio.run(RemoteJob(endpoint, variables[RUN_VARIABLE], variables).run())
    except GymGuiError as error:
        sys.stderr.write(f"gym-gui: {error.message}\n  {error.next_step}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
