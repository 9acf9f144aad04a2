"""What the daemon does besides recording: tells how it is, ends, comes back, looks after runs."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from conftest import CommandLine
from stress.chaos import WORKER, stored_indices
from waiting import wait_until

from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir
from gym_gui.core.records import Recording, RunRecord, RunSpec, RunState
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon, stop_daemon
from gym_gui.services.trainer.files import read_json, write_json
from gym_gui.services.trainer.keeping import rooms
from gym_gui.worker.spool import Room


@pytest.fixture
def served(data_dir: DataDir) -> Iterator[DataDir]:
    yield data_dir.create()
    if daemon_status(data_dir).running:
        stop_daemon(data_dir)


def submit(data_dir: DataDir, steps: int, rate_hz: float, **fields: object) -> RunSpec:
    count = str(data_dir.root / "count")
    command = [sys.executable, str(WORKER), count, str(steps), str(rate_hz)]
    spec = RunSpec(new_run_id("test"), "script", command, str(data_dir.root), **fields)  # type: ignore[arg-type]
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        client.submit_run(spec)
    return spec


def state(data_dir: DataDir, run_id: str) -> RunRecord:
    with SyncTrainerClient(ensure_daemon(data_dir)) as client:
        return client.get_run(run_id)


def wait_for_end(data_dir: DataDir, run_id: str) -> RunRecord:
    wait_until(lambda: state(data_dir, run_id).state.is_final, timeout_s=60)
    return state(data_dir, run_id)


def test_status_shows_what_each_run_is_doing(served: DataDir, gym_gui: CommandLine):
    spec = submit(served, 200_000, 2000.0)  # goes on until it is cancelled
    run_dir = served.run(spec.run_id)
    wait_until(lambda: (read_json(run_dir.proxy) or {}).get("batches"), timeout_s=30)
    told = gym_gui("daemon", "status")
    assert told.returncode == 0
    for word in (spec.run_id, "running, writing", "commits", "ack p99", "watchers", "MB"):
        assert word in told.stdout, told.stdout
    health = json.loads(gym_gui("daemon", "status", "--json").stdout)["health"]
    run = health["runs"][spec.run_id]
    assert run["sink"]["commits"] > 0
    assert run["queue"]["peak"] > 0
    assert run["proxy"]["batches"] > 0
    with SyncTrainerClient(ensure_daemon(served)) as client:
        client.cancel_run(spec.run_id)
    wait_for_end(served, spec.run_id)


def test_stopping_reports_what_was_written_and_left(served: DataDir, gym_gui: CommandLine):
    spec = submit(served, 16_000, 2000.0)
    wait_until(lambda: state(served, spec.run_id).steps > 0)
    told = gym_gui("daemon", "stop")
    assert "has stopped after" in told.stdout
    assert f"{spec.run_id}: " in told.stdout
    assert "batches written" in told.stdout
    assert wait_for_end(served, spec.run_id).steps == 16_000


def test_a_daemon_with_no_run_and_no_client_ends_by_itself(data_dir: DataDir):
    data_dir.create()
    words = ["-m", "gym_gui.services.trainer.daemon", "--data-dir", str(data_dir.root)]
    with subprocess.Popen(
        [sys.executable, *words, "--idle-s", "0.3"], stderr=subprocess.PIPE, text=True
    ) as daemon:
        wait_until(lambda: daemon_status(data_dir).pid == daemon.pid, timeout_s=30)
        with SyncTrainerClient(daemon_status(data_dir).target) as client:
            client.health()
        said = daemon.communicate(timeout=30)[1]
    assert daemon.returncode == 0
    assert "no run and no client" in said
    assert not daemon_status(data_dir).running


def test_a_daemon_stays_while_a_run_or_a_client_is_there(data_dir: DataDir):
    data_dir.create()
    words = ["-m", "gym_gui.services.trainer.daemon", "--data-dir", str(data_dir.root)]
    with subprocess.Popen(
        [sys.executable, *words, "--idle-s", "0.3"], stderr=subprocess.DEVNULL
    ) as daemon:
        wait_until(lambda: daemon_status(data_dir).pid == daemon.pid, timeout_s=30)
        spec = submit(data_dir, 2000, 1000.0)
        run_dir = data_dir.run(spec.run_id)
        wait_until(lambda: (read_json(run_dir.supervisor) or {}).get("ended_ns"), timeout_s=60)
        assert daemon.poll() is None
        assert daemon.wait(60) == 0
    assert stored_indices(run_dir) == list(range(2000))


def test_a_new_daemon_adopts_the_proxy_that_still_runs(served: DataDir):
    spec = submit(served, 6000, 2000.0)
    run_dir = served.run(spec.run_id)
    wait_until(lambda: (read_json(run_dir.proxy) or {}).get("batches"), timeout_s=30)
    proxy = (read_json(run_dir.proxy) or {})["pid"]
    os.kill(daemon_status(served).pid, signal.SIGKILL)
    wait_until(lambda: not daemon_status(served).running)

    def adopted() -> bool:
        with SyncTrainerClient(ensure_daemon(served)) as client:
            found = client.health()["runs"].get(spec.run_id, {}).get("proxy", {})
        return found.get("adopted") == 1 and found["starts"] == 0 and found["pid"] == proxy

    wait_until(adopted)
    record = wait_for_end(served, spec.run_id)
    assert (record.state, record.steps) == (RunState.FINISHED, 6000)
    wait_until(lambda: not psutil.pid_exists(proxy))


def test_a_state_that_is_only_last_known_is_said_to_be(served: DataDir, gym_gui: CommandLine):
    spec = submit(served, 200_000, 2000.0)
    wait_until(lambda: state(served, spec.run_id).state is RunState.RUNNING, timeout_s=30)
    assert "last known" not in gym_gui("runs").stdout
    os.kill(daemon_status(served).pid, signal.SIGKILL)
    wait_until(lambda: not daemon_status(served).running)
    for words in (("runs",), ("runs", "show", spec.run_id)):
        assert "gym-gui daemon start" in gym_gui(*words).stdout
    with SyncTrainerClient(ensure_daemon(served)) as client:
        client.cancel_run(spec.run_id)
    wait_for_end(served, spec.run_id)
    stop_daemon(served)
    assert "last known" not in gym_gui("runs").stdout


def test_segments_go_once_the_finished_file_was_read_whole(served: DataDir):
    spec = submit(served, 300, 5000.0)
    run_dir = served.run(spec.run_id)
    wait_for_end(served, spec.run_id)
    wait_until(lambda: not run_dir.spool.exists())
    with SyncTrainerClient(ensure_daemon(served)) as client:
        assert client.health()["checks"] == {"done": 1, "damaged": 0}


def test_a_file_damaged_while_it_was_written_is_named_and_mended_from_the_segments(
    served: DataDir, gym_gui: CommandLine
):
    spec = submit(served, 2400, 1200.0)
    run_dir = served.run(spec.run_id)
    wait_until(lambda: state(served, spec.run_id).steps > 1000)
    stop_daemon(served)
    connection = sqlite3.connect(run_dir.store)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = run_dir.store.stat().st_size
    with run_dir.store.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)
    record = wait_for_end(served, spec.run_id)
    if record.state is RunState.FINISHED:  # the damage is in no page that writing touches
        wait_until(lambda: b"damaged" in (served.daemon / "daemon.log").read_bytes())
    else:
        assert "damaged" in record.cause
    assert any(run_dir.spool.glob("*/*.jsonl"))
    told = gym_gui("repair", spec.run_id)
    assert told.returncode == 0, told.stderr
    assert "damaged file is kept" in told.stdout
    assert stored_indices(run_dir) == list(range(2400))


def everything_in(root: Path) -> Iterator[Path]:
    """Yield a folder and all in it; the daemon may take things away meanwhile."""
    for folder, _, files in os.walk(root):
        yield Path(folder)
        yield from (Path(folder, name) for name in files)


def mode_of(path: Path) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


def test_nothing_of_a_run_is_readable_by_others_whatever_the_umask(served: DataDir):
    previous = os.umask(0)
    try:
        spec = submit(served, 300, 5000.0, recording=Recording(frames="every_step"))
        wait_for_end(served, spec.run_id)
    finally:
        os.umask(previous)
    runtime = served.socket.parent
    open_to_others = [
        str(path)
        for root in (served.root, runtime)
        for path in everything_in(root)
        if not path.is_symlink()
        and mode_of(path) & 0o077
        # The tap's code is no secret, and lies in a private folder.
        and "tap" not in path.parts
        and path.name != "count"
    ]
    assert not open_to_others


def test_deleting_says_the_size_and_gives_it_back(served: DataDir, gym_gui: CommandLine):
    spec = submit(served, 300, 5000.0)
    wait_for_end(served, spec.run_id)
    told = gym_gui("runs", "delete", spec.run_id, "--yes")
    size = told.stdout.partition("(")[2].partition(")")[0]
    assert size.endswith(("kB", "MB"))
    assert f"{size} given back" in told.stdout
    assert not served.run(spec.run_id).root.exists()
    assert "0 runs are beyond" in gym_gui("runs", "prune", "--max-runs", "1").stdout


def test_a_run_that_waits_at_its_spools_limit_is_shown_and_goes_on_by_itself(served: DataDir):
    recording = Recording(spool_policy="pause-run", spool_limit_bytes=100_000)
    spec = submit(served, 1500, 4000.0, recording=recording)
    os.kill(daemon_status(served).pid, signal.SIGKILL)  # nobody takes over what is spooled
    run_dir = served.run(spec.run_id)
    wait_until(lambda: rooms(run_dir).state == Room.WAITING, timeout_s=30)
    assert not (read_json(run_dir.supervisor) or {})["ended_ns"]
    record = wait_for_end(served, spec.run_id)
    assert (record.state, record.steps, record.dropped) == (RunState.FINISHED, 1500, 0)
    assert record.trouble == ""
    with sqlite3.connect(run_dir.store) as connection:
        events = [event for (event,) in connection.execute("SELECT event FROM events")]
    connection.close()
    assert "paused" in events
    assert "resumed" in events


def test_after_a_power_cut_the_lost_range_is_named(served: DataDir):
    spec = submit(served, 60_000, 2000.0)
    run_dir = served.run(spec.run_id)
    wait_until(lambda: state(served, spec.run_id).steps > 500)
    report = read_json(run_dir.supervisor) or {}
    proxy = (read_json(run_dir.proxy) or {})["pid"]
    for pid in (daemon_status(served).pid, proxy, report["supervisor_pid"], report["pid"]):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not daemon_status(served).running)
    segment = max(run_dir.spool.glob("*/*.jsonl"))
    with segment.open("r+b") as file:  # what had not reached the disk
        file.truncate(segment.stat().st_size - 300)
    write_json(run_dir.supervisor, {**report, "boot": "another boot of this machine"})
    record = wait_for_end(served, spec.run_id)
    assert record.state is RunState.FAILED
    assert "the machine went down" in record.cause
    with closing(sqlite3.connect(run_dir.store)) as connection:
        told = [data for (data,) in connection.execute("SELECT data FROM events")]
        steps = [key for (key,) in connection.execute("SELECT id FROM steps ORDER BY id")]
    assert any("is lost" in data and "record" in data for data in told)
    assert steps == list(range(record.steps))


def test_others_read_the_file_while_it_is_written(served: DataDir):
    spec = submit(served, 20_000, 2000.0)
    run_dir = served.run(spec.run_id)
    wait_until(lambda: state(served, spec.run_id).steps > 500)
    sql = "SELECT count(*) FROM steps"
    words = ["sqlite3", "-readonly", str(run_dir.store), sql]
    shell = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(shell.stdout) >= 500
    duckdb = pytest.importorskip("duckdb")
    try:
        connection = duckdb.connect()
        connection.execute("LOAD sqlite")
    except duckdb.Error:
        connection = None  # its extension is downloaded, which not every machine may
    if connection is not None:
        connection.execute(f"ATTACH '{run_dir.store}' AS run (TYPE sqlite, READ_ONLY)")
        assert connection.execute("SELECT count(*) FROM run.steps").fetchall()[0][0] >= 500
    assert not state(served, spec.run_id).state.is_final
    assert wait_for_end(served, spec.run_id).steps == 20_000
