"""Kill -9 at random moments: nothing that was stepped may be missing, or there twice.

    python tests/stress/chaos.py --rounds 200

Each round trains for a moment, kills one, two or all of the worker, its supervisor, the proxy, the
daemon, a viewer and the program's window, starts the daemon again, waits for the run's end, and
compares the store with the worker's own count.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import RunRecord, RunSpec, RunState
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon, stop_daemon
from gym_gui.services.trainer.files import read_json
from gym_gui.telemetry.reader import RunReader

WORKER = Path(__file__).with_name("chaos_worker.py")
STEPS, RATE_HZ = 1500, 2000.0
VICTIMS = ("worker", "supervisor", "proxy", "daemon", "viewer", "window")
VIEWER = """
import asyncio, sys
from gym_gui.services.trainer.client import TrainerClient
async def view():
    async with TrainerClient(sys.argv[1]) as client:
        async for _ in client.stream_steps(sys.argv[2]):
            pass
asyncio.run(view())
"""


@dataclass(slots=True)
class Found:
    """How one round ended."""

    victims: tuple[str, ...]
    state: RunState
    counted: int
    stored: int
    problem: str = ""


class Chaos:
    """Rounds in one data folder. ``close`` stops what it has started."""

    def __init__(self, data_dir: DataDir, *, seed: int) -> None:
        self.data_dir = data_dir
        self._random = random.Random(seed)
        self._viewer: subprocess.Popen[bytes] | None = None
        self._window: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        self._end_viewer()
        window, self._window = self._window, None
        if window is not None:
            window.kill()
            window.wait()
        if daemon_status(self.data_dir).running:
            stop_daemon(self.data_dir)

    def choose(self) -> tuple[str, ...]:
        """Return whom to kill: mostly one or two, now and then all."""
        count = self._random.choice((1, 1, 1, 2, 2, len(VICTIMS)))
        return tuple(sorted(self._random.sample(VICTIMS, count)))

    def round(self, victims: tuple[str, ...], *, vector: bool = False) -> Found:
        """Train, kill, start again, and compare. vector: train in a vector environment."""
        count_file = self.data_dir.root / "count"
        count_file.unlink(missing_ok=True)
        address = ensure_daemon(self.data_dir)
        command = [sys.executable, str(WORKER), str(count_file), str(STEPS), str(RATE_HZ)]
        command += ["vector"] if vector else []
        spec = RunSpec(new_run_id("chaos"), "script", command, str(self.data_dir.root))
        with SyncTrainerClient(address) as client:
            client.submit_run(spec)
        self._viewer = subprocess.Popen(
            [sys.executable, "-c", VIEWER, str(address), spec.run_id], stderr=subprocess.DEVNULL
        )
        if "window" in victims and self._window is None:
            self._window = self._open_window()
        run_dir = self.data_dir.run(spec.run_id)
        time.sleep(self._random.uniform(0.0, 1.8))
        for victim in victims:
            self._kill(victim, run_dir)
        record = self._wait_for_end(spec.run_id)
        self._end_viewer()
        return self._compare(victims, record, run_dir, count_file)

    def _open_window(self) -> subprocess.Popen[bytes]:
        """Start the program's own window on this data folder, without a screen."""
        words = [sys.executable, "-m", "gym_gui", "--data-dir", str(self.data_dir.root)]
        variables = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        return subprocess.Popen(
            words, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _kill(self, victim: str, run_dir: RunDir) -> None:
        report = read_json(run_dir.supervisor) or {}
        pids = {
            "worker": [report.get("pid", 0)],
            "supervisor": [report.get("supervisor_pid", 0)],
            "proxy": [process.pid for process in proxies(run_dir)],
            "daemon": [daemon_status(self.data_dir).pid],
            "viewer": [self._viewer.pid if self._viewer else 0],
            "window": [self._window.pid if self._window else 0],
        }
        for pid in pids[victim]:
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self._wait_until_gone(pid)
        if victim == "window" and self._window is not None:
            self._window.wait()
            self._window = None

    def _wait_until_gone(self, pid: int) -> None:
        """The last thread of a killed process may hold its lock and socket for a moment."""
        while daemon_status(self.data_dir).pid == pid:
            time.sleep(0.002)
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.002)

    def _wait_for_end(self, run_id: str, timeout_s: float = 60.0) -> RunRecord:
        with SyncTrainerClient(ensure_daemon(self.data_dir)) as client:
            deadline = time.monotonic() + timeout_s
            while True:
                record = client.get_run(run_id)
                if record.state.is_final or time.monotonic() > deadline:
                    return record
                time.sleep(0.02)

    def _end_viewer(self) -> None:
        viewer, self._viewer = self._viewer, None
        if viewer is not None:
            viewer.kill()
            viewer.wait()

    def _compare(
        self, victims: tuple[str, ...], record: RunRecord, run_dir: RunDir, count_file: Path
    ) -> Found:
        counted = counted_steps(count_file)
        indices = stored_indices(run_dir)
        found = Found(victims, record.state, counted, len(indices))
        if not record.state.is_final:
            found.problem = "the run has no end"
        elif indices != list(range(len(indices))):
            found.problem = "the store has a hole"
        elif not counted <= len(indices) <= counted + 1:
            found.problem = "the store and the worker's count differ"
        elif record.steps != len(indices):
            found.problem = f"the registry says {record.steps}"
        elif "worker" not in victims and counted != STEPS:
            found.problem = f"the worker was harmed: {record.cause}"
        elif not {"worker", "supervisor"} & set(victims) and record.state is not RunState.FINISHED:
            found.problem = f"the run did not finish: {record.cause}"
        return found


def counted_steps(count_file: Path) -> int:
    """Return how many steps the worker itself has counted."""
    data = count_file.read_bytes() if count_file.exists() else b""
    return struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0


def proxies(run_dir: RunDir) -> Iterator[psutil.Process]:
    """Yield the proxies of a run."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if str(run_dir.root) in words and any("telemetry_proxy" in word for word in words):
                yield process


def stored_indices(run_dir: RunDir) -> list[int]:
    """Return the index of every stored step of the run's one stream, in order."""
    if not run_dir.store.exists():
        return []
    with RunReader(run_dir.store) as reader:
        if not reader.streams():
            return []
        return [step.index for step in reader.steps(0, 0, STEPS + 1000)]


def run(data_dir: DataDir, *, rounds: int, seed: int, tell: Callable[[Found], None]) -> list[Found]:
    """Return how each round ended."""
    chaos = Chaos(data_dir, seed=seed)
    ended = []
    try:
        for number in range(rounds):
            ended.append(chaos.round(chaos.choose(), vector=number % 2 == 1))
            tell(ended[-1])
    finally:
        chaos.close()
    return ended


def main() -> int:
    """Entry point of the long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="gg-chaos-"))

    def tell(found: Found) -> None:
        words = f"{'+'.join(found.victims):<42}{found.state.value:<10}{found.counted:>6}"
        sys.stdout.write(f"{words}{found.stored:>6}  {found.problem or 'ok'}\n")
        sys.stdout.flush()

    sys.stdout.write(f"seed {options.seed}, {root}\n")
    data_dir = DataDir(root / "data").create()
    ended = run(data_dir, rounds=options.rounds, seed=options.seed, tell=tell)
    bad = [found for found in ended if found.problem]
    killed = Counter(victim for found in ended for victim in found.victims)
    sys.stdout.write(f"{len(ended)} rounds, {len(bad)} bad; killed: {dict(killed)}\n")
    if not bad:
        shutil.rmtree(root)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
