"""What being recorded, and being watched, costs a training.

``gym-gui bench overhead``. Three legs of one loop, each in a process of its own: plain (nothing of
ours loaded), tapped (recorded through daemon and store, nobody looks), watched (recorded, with a
live tab at the default budget in another process). They take turns in short stretches, so that a
machine that becomes slower does so for all; figures are medians of the ratios between neighbours.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gym_gui.bench.overhead_ppo import measure_ppo
from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import ensure_daemon, stop_daemon

LOOP = Path(__file__).with_name("overhead_loop.py")
START_S = 120.0
DRAIN_S = 0.4  # between stretches: the recorder takes what is left of the one before


class Case(NamedTuple):
    """An environment, the module that registers it, and the seconds of one stretch."""

    env_id: str
    module: str
    stretch_s: float
    least_hz: float  # the live rate to reach


CASES = (
    Case("CartPole-v1", "", 2.0, 50.0),
    Case("LunarLander-v3", "", 2.0, 30.0),
    Case("FrozenLake-v1", "", 2.0, 0.0),
    Case("MiniGrid-Empty-8x8-v0", "minigrid", 2.0, 0.0),
    Case("ALE/Pong-v5", "ale_py", 2.0, 30.0),
    Case("HalfCheetah-v5", "", 12.0, 0.0),
)
PPO = ("CartPole-v1", "LunarLander-v3")


def measure(*, quick: bool, only: str = "") -> dict[str, Any]:
    """Return, per environment and for PPO, what the legs reach beside each other.

    only: measure the parts whose name begins so (``CartPole``, ``PPO on CartPole``).
    """
    result: dict[str, Any] = {}
    for case in CASES:
        if case.env_id.startswith(only):
            result[case.env_id] = measure_loop(case, rounds=3 if quick else 11)
    for env_id in PPO:
        if (name := f"PPO on {env_id}").startswith(only):
            result[name] = measure_ppo(env_id, rounds=1 if quick else 5)
    return result


def measure_loop(case: Case, *, rounds: int) -> dict[str, Any]:
    """Return speeds, ratios and the live rate of one environment's bare loop."""
    rounds = rounds if case.stretch_s < 5 else max(2, rounds // 3)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gym-gui-bench-")))
        data_dir = DataDir(folder / "data")
        client = stack.enter_context(_recorder(data_dir))
        legs = {
            "plain": stack.enter_context(_plain(case, folder)),
            "tapped": stack.enter_context(_recorded(case, folder, data_dir, client)),
            "watched": stack.enter_context(_recorded(case, folder, data_dir, client, watch=True)),
        }
        for leg in legs.values():
            leg.stretch(case.stretch_s / 2)  # the first steps set things up
        speeds: dict[str, list[Speed]] = {name: [] for name in legs}
        names = list(legs)
        shown = legs["watched"].frames()
        for number in range(rounds):
            turned = number % len(names)
            for name in names[turned:] + names[:turned]:
                speeds[name].append(legs[name].stretch(case.stretch_s))
        watched_s = rounds * case.stretch_s
        live_hz = (legs["watched"].frames() - shown) / watched_s
    return _compare(speeds, live_hz, case)


def _compare(speeds: dict[str, list[Speed]], live_hz: float, case: Case) -> dict[str, Any]:
    wall = {name: [speed.steps_per_s for speed in leg] for name, leg in speeds.items()}
    computing = {name: [speed.steps_per_cpu_s for speed in leg] for name, leg in speeds.items()}
    plain, tapped, watched = (statistics.median(wall[name]) for name in wall)
    return {
        "plain_steps_per_s": plain,
        "tapped_steps_per_s": tapped,
        "watched_steps_per_s": watched,
        "tap_adds_us_a_step": 1e6 / tapped - 1e6 / plain,
        "tap_computes_us_a_step": _computed_us(computing["tapped"])
        - _computed_us(computing["plain"]),
        "tapped / plain": {
            **_ratio(wall["tapped"], wall["plain"]),
            "by processor time": _ratio(computing["tapped"], computing["plain"])["median"],
        },
        "watched / tapped": {
            **_ratio(wall["watched"], wall["tapped"]),
            "by processor time": _ratio(computing["watched"], computing["tapped"])["median"],
            "bar": 0.94,
        },
        "live_frames_per_s": live_hz,
        **({"live_frames_per_s_bar": case.least_hz} if case.least_hz else {}),
    }


def _computed_us(steps_per_cpu_s: list[float]) -> float:
    return 1e6 / statistics.median(steps_per_cpu_s)


def _ratio(upper: list[float], lower: list[float]) -> dict[str, float]:
    ratios = sorted(a / b for a, b in zip(upper, lower, strict=True))
    return {"median": statistics.median(ratios), "least": ratios[0], "most": ratios[-1]}


class Speed(NamedTuple):
    """What one stretch reached: by the clock, and by the training's own computing."""

    steps_per_s: float
    steps_per_cpu_s: float


class _Leg:
    """One process of the loop, and where it has one, its viewer."""

    def __init__(self, link: socket.socket, viewer: subprocess.Popen[str] | None = None) -> None:
        self._answers = link.makefile("r")
        self._link = link
        self._viewer = viewer

    def stretch(self, seconds: float) -> Speed:
        """Let it step for so long and return its speed."""
        self._link.sendall(f"{seconds}\n".encode())
        steps, took_s, cpu_s = map(float, self._answers.readline().split())
        time.sleep(DRAIN_S)
        return Speed(steps / took_s, steps / cpu_s)

    def frames(self) -> int:
        """Return the frames that its viewer has shown so far."""
        if self._viewer is None:
            return 0
        assert self._viewer.stdin is not None
        assert self._viewer.stdout is not None
        self._viewer.stdin.write("\n")
        self._viewer.stdin.flush()
        return int(self._viewer.stdout.readline())

    def close(self) -> None:
        """Hang up, which ends the loop."""
        self._answers.close()
        self._link.close()


@contextlib.contextmanager
def _recorder(data_dir: DataDir) -> Iterator[SyncTrainerClient]:
    try:
        with SyncTrainerClient(ensure_daemon(data_dir)) as client:
            yield client
    finally:
        stop_daemon(data_dir)


@contextlib.contextmanager
def _plain(case: Case, folder: Path) -> Iterator[_Leg]:
    with _listening(folder / "plain.sock") as server:
        words = _command(case, folder / "plain.sock")
        process = subprocess.Popen(words, cwd=folder, env=_environment(), stdout=subprocess.DEVNULL)
        leg = _Leg(server.accept()[0])
        try:
            yield leg
        finally:
            leg.close()
            process.wait(timeout=60)


@contextlib.contextmanager
def _recorded(
    case: Case, folder: Path, data_dir: DataDir, client: SyncTrainerClient, *, watch: bool = False
) -> Iterator[_Leg]:
    path = folder / f"recorded-{watch}.sock"
    with _listening(path) as server:
        spec = RunSpec(new_run_id("bench"), "script", _command(case, path), str(folder))
        spec.env = {"MUJOCO_GL": "egl"}
        client.submit_run(spec)
        link = server.accept()[0]
        viewer = _start_viewer(data_dir, spec.run_id) if watch else None
        leg = _Leg(link, viewer)
        try:
            yield leg
        finally:
            leg.close()
            if viewer is not None:
                _end_viewer(viewer)
            _wait_for_end(client, spec.run_id)


def _command(case: Case, path: Path) -> list[str]:
    return [sys.executable, str(LOOP), case.env_id, case.module, str(path)]


def _environment() -> dict[str, str]:
    return {**os.environ, "MUJOCO_GL": "egl"}


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        server.settimeout(START_S)
        yield server


def _start_viewer(data_dir: DataDir, run_id: str) -> subprocess.Popen[str]:
    words = ["-m", "gym_gui.bench.overhead_viewer", str(data_dir.ring_dir), run_id]
    pipe = subprocess.PIPE
    viewer = subprocess.Popen([sys.executable, *words], stdin=pipe, stdout=pipe, text=True)
    assert viewer.stdout is not None
    viewer.stdout.readline()  # it is shown
    return viewer


def _end_viewer(viewer: subprocess.Popen[str]) -> None:
    assert viewer.stdin is not None
    assert viewer.stdout is not None
    viewer.stdin.close()
    viewer.wait(timeout=30)
    viewer.stdout.close()


def _wait_for_end(client: SyncTrainerClient, run_id: str) -> None:
    deadline = time.monotonic() + START_S
    while not client.get_run(run_id).state.is_final and time.monotonic() < deadline:
        time.sleep(0.1)
