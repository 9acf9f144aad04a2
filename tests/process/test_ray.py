"""Runs as jobs of a real Ray: a sweep, a lost job and its retry, live frames, and what can fail."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from waiting import wait_until

from gym_gui.core.errors import LauncherError, UsageError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec, RunState
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.services.registry import RunRegistry
from gym_gui.services.trainer.client import SyncTrainerClient, TrainerClient
from gym_gui.services.trainer.daemon import daemon_status
from gym_gui.services.trainer.launchers import parse_launcher
from gym_gui.services.trainer.remote_job import PathMap

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SCRIPT = """\
import argparse, time
import gymnasium
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--pause-s", type=float, default=0.0)
chosen = parser.parse_args()
env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
env.reset(seed=chosen.seed)
env.action_space.seed(chosen.seed)
for step in range(chosen.steps):
    time.sleep(chosen.pause_s)
    if any(env.step(env.action_space.sample())[2:4]):
        env.reset()
print("steps taken:", chosen.steps)
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def ray_address():
    """The launcher's address of a Ray of the test's own. It is not a child of this process."""
    pytest.importorskip("ray")
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    port, dashboard = _free_port(), _free_port()
    words = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
    words += [f"--port={port}", f"--dashboard-port={dashboard}", "--num-cpus=8"]
    words += ["--disable-usage-stats", f"--temp-dir={folder}", "--object-store-memory=100000000"]
    words += [f"--ray-client-server-port={_free_port()}"]
    words += [f"--dashboard-agent-listen-port={_free_port()}"]
    words += ["--min-worker-port=0", "--max-worker-port=0"]  # any free ones
    line = f"echo $$ > {folder}/pid; exec {' '.join(words)} > {folder}/log 2>&1"
    subprocess.run(["setsid", "--fork", "sh", "-c", line], check=True)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", dashboard)) == 0

    wait_until(answers, timeout_s=90, what="Ray's dashboard")
    yield f"http://127.0.0.1:{dashboard}?python={quote(sys.executable)}"
    pid = int((folder / "pid").read_text())
    ours = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGTERM)
    _gone, alive = psutil.wait_procs([*ours], timeout=20)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "script.py"
    path.parent.mkdir()
    path.write_text(SCRIPT)
    return path


def _runs(data_dir) -> list:
    with RunRegistry(data_dir) as registry:
        return sorted(registry.list(), key=lambda record: record.created_ns)


def test_a_sweep_of_eight_is_recorded_whole(gym_gui, data_dir, script, ray_address) -> None:
    line = ("--sweep", "seed=1-8", "--headless", "--json", "--launcher", ray_address)
    done = gym_gui("run", *line, "--", script, "--steps", "500", timeout_s=170)
    assert done.returncode == 0, done.stderr
    runs = _runs(data_dir)
    assert [run.state for run in runs] == [RunState.FINISHED] * 8
    assert [run.steps for run in runs] == [500] * 8
    for run in runs:
        assert "steps taken: 500" in data_dir.run(run.run_id).stdout.read_text()
    listening = psutil.Process(daemon_status(data_dir).pid).net_connections("tcp")
    ours = {one.laddr.ip for one in listening if one.status == psutil.CONN_LISTEN}
    assert ours <= {"127.0.0.1", "::ffff:127.0.0.1"}
    token = (data_dir.daemon / "token").read_text()
    kept = [path.read_bytes() for path in data_dir.runs.rglob("*.json")]
    assert not any(token.encode() in content for content in kept)


def _ray_process_of(run_id: str) -> psutil.Process | None:
    """Return Ray's own process that holds the job of this run."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "gym_gui.services.trainer.remote_job" in process.cmdline():
                if process.environ().get("GYM_GUI_RUN") != run_id:
                    continue
                for parent in process.parents():
                    if parent.cmdline() and parent.cmdline()[0].startswith("ray::"):
                        return parent
    return None


def test_a_lost_job_is_a_failed_run_with_its_cause_and_a_retry(
    gym_gui, data_dir, script, ray_address
) -> None:
    words = ("run", "--detach", "--launcher", ray_address, "--", script)
    started = gym_gui(*words, "--steps", "600", "--pause-s", "0.01")
    assert started.returncode == 0, started.stderr
    run_id = started.stdout.strip()
    with SyncTrainerClient(daemon_status(data_dir).target) as client:
        wait_until(lambda: client.get_run(run_id).steps > 50, timeout_s=60, what="some steps")
        _watch(daemon_status(data_dir).target, run_id)
        found = _ray_process_of(run_id)
        assert found is not None
        found.kill()
        wait_until(lambda: client.get_run(run_id).state.is_final, timeout_s=60, what="the end")
        lost = client.get_run(run_id)
        assert lost.state is RunState.FAILED
        assert "the job was lost" in lost.cause
        assert 50 < lost.steps < 600
        (retry,) = wait_until(lambda: [run for run in client.list_runs() if run.run_id != run_id])
        assert retry.run_id in lost.cause
        assert "retry" in retry.spec.tags
        wait_until(lambda: client.get_run(retry.run_id).state.is_final, timeout_s=90)
        again = client.get_run(retry.run_id)
        assert (again.state, again.steps) == (RunState.FINISHED, 600)


def _watch(target: str, run_id: str) -> None:
    """See live frames of the run through the daemon."""

    async def watch() -> list[pb.LiveFrame]:
        seen: list[pb.LiveFrame] = []
        async with TrainerClient(target) as client:
            call = client.live_frames()
            await call.write(pb.FrameDemand(run_id=run_id))
            async for frame in call:
                if not frame.stream and frame.rings:
                    one = pb.RingDemand(stream=frame.rings[0], wanted_hz=30, budget=0.5)
                    await call.write(pb.FrameDemand(run_id=run_id, demands=[one]))
                elif frame.pixels:
                    seen.append(frame)
                    break
            call.cancel()
        return seen

    (frame,) = asyncio.run(asyncio.wait_for(watch(), 30))
    assert (frame.height, frame.width) == (400, 600)
    assert len(frame.pixels) < 20_000  # of 720,000


def test_a_job_is_stopped_and_a_failing_script_says_why(
    gym_gui, data_dir, script, ray_address
) -> None:
    words = ("run", "--detach", "--launcher", ray_address, "--", script)
    run_id = gym_gui(*words, "--steps", "100000", "--pause-s", "0.01").stdout.strip()
    script.with_name("failing.py").write_text("raise RuntimeError('the reason')\n")
    headless = ("run", "--headless", "--launcher", ray_address, "--")
    failed = gym_gui(*headless, script.with_name("failing.py"))
    assert failed.returncode == 1
    assert "RuntimeError: the reason" in failed.stderr
    with SyncTrainerClient(daemon_status(data_dir).target) as client:
        wait_until(lambda: client.get_run(run_id).steps > 10, timeout_s=60)
        client.cancel_run(run_id)
        wait_until(lambda: client.get_run(run_id).state.is_final, timeout_s=60)
        assert client.get_run(run_id).state is RunState.CANCELLED
    assert len(_runs(data_dir)) == 2  # neither is tried again


def test_where_no_ray_answers_the_run_says_so(gym_gui, data_dir, script) -> None:
    done = gym_gui("run", "--headless", "--launcher", "http://127.0.0.1:1", "--", script)
    assert done.returncode == 1
    assert "No Ray answers at http://127.0.0.1:1" in done.stderr
    assert "ray start --head" in done.stderr
    assert [run.state for run in _runs(data_dir)] == [RunState.FAILED]
    far = gym_gui("run", "--headless", "--launcher", "http://192.0.2.1:8265", "--", script)
    assert "--listen HOST:PORT" in far.stderr


@pytest.mark.parametrize("text", ["slurm", "http://host", "ray://", "http://h:1?color=red",
                                  "http://h:1?cpus=many", "http://h:99999"])  # fmt: skip
def test_what_is_no_launcher_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_launcher(text)
    assert caught.value.next_step


def test_a_launchers_address_is_kept_with_its_options() -> None:
    text = "http://host:8265?cpus=2&retries=0&upload=no"
    assert str(parse_launcher(text)) == text
    assert str(parse_launcher("ray://host:10001?retries=1")) == "ray://host:10001"
    assert issubclass(LauncherError, Exception)


def test_paths_of_the_submitting_machine_become_those_of_the_node(tmp_path: Path) -> None:
    there = PathMap("/a/python", "/a/gym_gui", "/a/runs/r", "/home/me/code")
    here = PathMap("/b/python", "/b/gym_gui", str(tmp_path / "runs" / "r"), str(tmp_path))
    words = ["/a/python", "/home/me/code/x.py", "/home/me/codecs", "/a/runs/r/files"]
    spec = RunSpec("r", "script", words, "/home/me/code", env={"PYTHONPATH": "/home/me/code:/c"})
    moved = there.translate(spec, here)
    assert moved.command == ["/b/python", f"{tmp_path}/x.py", "/home/me/codecs",
                             f"{tmp_path}/runs/r/files"]  # fmt: skip
    assert moved.cwd == str(tmp_path)
    assert moved.env == {"PYTHONPATH": f"{tmp_path}:/c"}
    assert RunDir(here.run_dir).run_id == "r"
    assert json.loads(there.variables()["GYM_GUI_PATHS"])["python"] == "/a/python"
