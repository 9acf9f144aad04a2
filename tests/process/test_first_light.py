"""The demonstration in a real window: the pole moves, and the HUD tells what the store keeps."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image, ImageGrab
from waiting import wait_until

from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DATA_DIR_VARIABLE
from gym_gui.fastlane import FastLaneReader, FastLaneState
from gym_gui.telemetry.reader import RunReader

VIEW = (540, 220, 1260, 640)  # inside the picture, clear of HUD and bars


@dataclass
class Window:
    process: subprocess.Popen
    display: str
    run_id: str

    def grab(self) -> Image.Image:
        return ImageGrab.grab(xdisplay=self.display)

    def view(self) -> np.ndarray:
        return np.asarray(self.grab().crop(VIEW))


@pytest.fixture
def window(gym_gui, x_display):
    """`gym-gui demo` with a window of its own, until the demonstration is recording."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gym_gui", "demo"],
        env={
            **os.environ,
            "DISPLAY": x_display,
            "QT_QPA_PLATFORM": "xcb",
            DATA_DIR_VARIABLE: str(gym_gui.data_dir.root),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        run = wait_until(lambda: running(gym_gui, process), timeout_s=60, what="a run with steps")
        yield Window(process, x_display, run)
        process.terminate()
        assert process.wait(timeout=30) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        gym_gui("runs", "stop", "last")


def running(gym_gui, process):
    assert process.poll() is None, process.stderr.read()
    listed = json.loads(gym_gui("runs", "--json").stdout or "[]")
    return next((run["run_id"] for run in listed if run["state"] == "running"), "")


def attach(gym_gui, run_id):
    def ring():
        try:
            return FastLaneReader.attach(run_id, ring_dir=gym_gui.data_dir.ring_dir)
        except GymGuiError:
            return None

    return wait_until(ring, what="the run's ring")


def sample_frames(gym_gui, run_id, *, count, timeout_s=30.0):
    """Look at the newest frame until ``count`` different ones of at least 3 episodes were seen."""
    seen = {}
    deadline = time.monotonic() + timeout_s
    reader = attach(gym_gui, run_id)
    try:
        while len(seen) < count or len({frame.episode for frame in seen.values()}) < 3:
            assert time.monotonic() < deadline, f"saw {len(seen)} frames only"
            state, frame = reader.latest_frame()
            if frame is not None and frame.step > 0:
                seen[frame.number] = frame
            if state is FastLaneState.REPLACED:  # the picture has another size now
                reader.close()
                reader = attach(gym_gui, run_id)
            time.sleep(0.005)
    finally:
        reader.close()
    return list(seen.values())


@pytest.mark.xvfb
def test_the_pole_moves_in_a_real_window_and_the_hud_agrees_with_the_store(window, gym_gui):
    wait_until(lambda: shows_a_pole(window.view()), what="a picture")
    first = window.view()
    wait_until(lambda: not np.array_equal(window.view(), first), what="another picture")

    frames = sample_frames(gym_gui, window.run_id, count=40)
    folder = gym_gui.data_dir.run(window.run_id)
    last = max((frame.episode, frame.step) for frame in frames)

    def stored():
        with RunReader(folder.store) as store:
            return bool(store.episode_steps(0, last[0], start=last[1] - 1))

    wait_until(stored, what="the store to have what was shown")
    with RunReader(folder.store) as store:
        returns = [episode.return_ for episode in store.episodes(stream=0)]
        for frame in frames:
            (step,) = store.episode_steps(0, frame.episode, start=frame.step - 1, count=1)
            assert frame.metrics.last_reward == step.reward
            finished = returns[: frame.episode + (step.terminated or step.truncated)]
            if finished:
                mean = sum(finished[-100:]) / len(finished[-100:])
                assert frame.metrics.rolling_return == pytest.approx(mean)


def shows_a_pole(view):
    """Tell whether the view shows CartPole's white ground and something on it."""
    return 0.5 < (view == 255).all(axis=2).mean() < 0.999
