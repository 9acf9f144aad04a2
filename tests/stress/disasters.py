"""Disk full, database locked, daemon away, spool damaged: what was recorded must still be there.

    python tests/stress/disasters.py

The full disk is a small tmpfs of its own, which needs the right to mount one (``unshare -m``).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from chaos import STEPS, Chaos, counted_steps, stored_indices

from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import Recording, RunRecord, RunSpec, RunState
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon
from gym_gui.services.trainer.files import read_json

WORKER = Path(__file__).with_name("chaos_worker.py")
DISK = "size=64m"
LOCKED_S = 30.0


class Disaster:
    """One run, something that happens to it, and what must be true afterwards."""

    def __init__(self, data_dir: DataDir, *, policy: str = "keep", rate_hz: float = 500.0) -> None:
        self.data_dir = data_dir
        self.count_file = data_dir.root / "count"
        self.count_file.unlink(missing_ok=True)
        command = [sys.executable, str(WORKER), str(self.count_file), str(STEPS), str(rate_hz)]
        recording = Recording(spool_policy=policy)
        self.spec = RunSpec(
            new_run_id("disaster"), "script", command, str(data_dir.root), recording=recording
        )
        self.run_dir: RunDir = data_dir.run(self.spec.run_id)
        with SyncTrainerClient(ensure_daemon(data_dir)) as client:
            client.submit_run(self.spec)
        self.until(lambda: counted_steps(self.count_file) > 100)

    def until(self, check: Callable[[], object], *, timeout_s: float = 120.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not check():
            if time.monotonic() > deadline:
                raise TimeoutError("it did not come to that in time")
            time.sleep(0.02)

    def worker_ends(self) -> None:
        self.until(lambda: (read_json(self.run_dir.supervisor) or {}).get("ended_ns"))

    def end(self) -> RunRecord:
        """Wait for the run's end; it must have finished with every step taken."""
        with SyncTrainerClient(ensure_daemon(self.data_dir)) as client:
            self.until(lambda: client.get_run(self.spec.run_id).state.is_final)
            record = client.get_run(self.spec.run_id)
        assert counted_steps(self.count_file) == STEPS, "the worker was harmed"
        assert record.state is RunState.FINISHED, record.cause
        return record

    def kill_daemon(self) -> None:
        pid = daemon_status(self.data_dir).pid
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: not daemon_status(self.data_dir).running)

    def all_stored(self) -> str:
        self.end()
        indices = stored_indices(self.run_dir)
        assert indices == list(range(STEPS)), f"{len(indices)} steps"
        return f"{len(indices)} of {STEPS} steps"


def locked_database(data_dir: DataDir) -> str:
    run = Disaster(data_dir)
    other = sqlite3.connect(run.run_dir.store, timeout=20)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    run.until(lambda: time.monotonic() - began > LOCKED_S)
    other.rollback()
    other.close()
    return f"{run.all_stored()}, locked for {LOCKED_S:.0f} s"


def daemon_down(data_dir: DataDir) -> str:
    run = Disaster(data_dir)
    run.kill_daemon()
    run.worker_ends()
    return run.all_stored()


def torn_last_record(data_dir: DataDir) -> str:
    """The last record is cut in the middle, as a power cut leaves it."""
    return _damaged(data_dir, lambda data: data[: len(data) - random.randrange(2, 900)])


def corrupt_last_record(data_dir: DataDir) -> str:
    """Some bytes of the last lines are others."""

    def damage(data: bytes) -> bytes:
        place = len(data) - random.randrange(10, 900)
        return data[:place] + random.randbytes(random.randrange(1, 9)) + data[place + 8 :]

    return _damaged(data_dir, damage)


def _damaged(data_dir: DataDir, damage: Callable[[bytes], bytes]) -> str:
    run = Disaster(data_dir)
    run.kill_daemon()
    run.worker_ends()
    segment = max(run.run_dir.spool.glob("*/*.jsonl"))
    before = segment.read_bytes()
    segment.write_bytes(damage(before))
    after = segment.read_bytes().split(b"\n")
    steps = [line for line in before.split(b"\n")[:-1] if line.startswith(b'{"type":"step"')]
    whole = sum(line in after[:-1] for line in steps)
    run.end()
    stored = stored_indices(run.run_dir)
    lost = len(steps) - whole
    assert len(stored) >= STEPS - lost, f"{len(stored)} stored, {lost} damaged"
    assert sorted(set(stored)) == stored
    return f"{len(stored)} of {STEPS} steps, {lost} step lines damaged"


def _full(data_dir: DataDir, policy: str) -> tuple[Disaster, RunRecord, list[int]]:
    run = Disaster(data_dir, policy=policy)
    ballast = data_dir.root / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        if policy == "pause-run":  # it is shown, and the training stands still
            run.until(lambda: client.get_run(run.spec.run_id).state is RunState.PAUSED)
            assert "waits" in client.get_run(run.spec.run_id).trouble
            before = counted_steps(run.count_file)
            time.sleep(1.0)
            assert counted_steps(run.count_file) - before <= 1
        else:
            run.until(lambda: client.get_run(run.spec.run_id).dropped > 0 or _ended(run))
    ballast.unlink()
    return run, run.end(), stored_indices(run.run_dir)


def _ended(run: Disaster) -> bool:
    return bool((read_json(run.run_dir.supervisor) or {}).get("ended_ns"))


def full_disk_pause(data_dir: DataDir) -> str:
    _, _, stored = _full(data_dir, "pause-run")
    assert stored == list(range(STEPS)), f"{len(stored)} steps"
    return f"{len(stored)} of {STEPS} steps, after a pause"


def full_disk_drop(data_dir: DataDir) -> str:
    _, record, stored = _full(data_dir, "drop-and-count")
    assert sorted(set(stored)) == stored
    assert 0 < STEPS - len(stored) <= record.dropped, (len(stored), record.dropped)
    assert stored[-1] == STEPS - 1, "it did not begin again"
    return f"{len(stored)} of {STEPS} steps, {record.dropped} records dropped and counted"


def full_disk_keep(data_dir: DataDir) -> str:
    _, record, stored = _full(data_dir, "keep")
    assert stored == list(range(len(stored)))
    assert 0 < STEPS - len(stored) <= record.dropped, (len(stored), record.dropped)
    return f"the first {len(stored)} of {STEPS} steps, {record.dropped} records counted as lost"


PLAIN = (daemon_down, torn_last_record, corrupt_last_record, locked_database)
ON_A_SMALL_DISK = (full_disk_pause, full_disk_drop, full_disk_keep)


def _run(disasters: tuple[Callable[[DataDir], str], ...], data_dir: DataDir) -> int:
    bad = 0
    for disaster in disasters:
        chaos = Chaos(data_dir.create(), seed=0)
        try:
            told = f"ok   {disaster(data_dir)}"
        except (AssertionError, TimeoutError) as error:
            told, bad = f"BAD  {error}", bad + 1
        finally:
            chaos.close()
        sys.stdout.write(f"{disaster.__name__:<22}{told}\n")
        sys.stdout.flush()
    return bad


def main() -> int:
    """Entry point: all of them, or those on the small disk that the first call mounts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--on-disk", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on_disk:
        return _run(ON_A_SMALL_DISK * options.rounds, DataDir(options.on_disk / "data"))
    with tempfile.TemporaryDirectory(prefix="gg-disasters-") as root:
        bad = _run(PLAIN * options.rounds, DataDir(Path(root) / "data"))
        disk = Path(root) / "disk"
        disk.mkdir()
        words = [sys.executable, __file__, "--on-disk", str(disk)]
        words += ["--rounds", str(options.rounds)]
        script = f'mount -t tmpfs -o {DISK} tmpfs "$0" && exec "$@"'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, str(disk), *words], check=False)
    return int(bool(bad or done.returncode))


if __name__ == "__main__":
    sys.exit(main())
