"""Shared memory without room: the live view is off, said once; training and recording go on.

Each test mounts a small tmpfs of its own (``unshare -m``) and runs script and viewer there.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until
from watching import count_spool, plain_environment

from gym_gui.core.errors import RingError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.fastlane import FastLaneReader, FastLaneState
from gym_gui.worker.install import prepare

SCRIPT = """
import os, sys, time
import gymnasium as gym
import numpy as np
from gymnasium import spaces

class Growing(gym.Env):
    \"\"\"Its pictures are small until the file ``grow`` is there.\"\"\"
    metadata = {"render_modes": ["rgb_array"]}
    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        time.sleep(0.001)
        self.count += 1
        return np.zeros(2, np.float32), 1.0, False, self.count == 50, {}

    def render(self):
        side = 1000 if os.path.exists("grow") else 40
        return np.full((side, side, 3), 90, np.uint8)

gym.register("Growing-v0", entry_point=Growing)
env = gym.make("Growing-v0")
env.reset(seed=1)
steps = 0
while steps < 200 or not os.path.exists("stop"):
    steps += 1
    if env.step(0)[3]:
        env.reset()
print(steps)
"""

can_mount = (
    subprocess.run(
        ["unshare", "-m" if os.geteuid() == 0 else "-rm", "mount", "-t", "tmpfs", "x", "/mnt"],
        capture_output=True,
        check=False,
    ).returncode
    == 0
)
pytestmark = pytest.mark.skipif(not can_mount, reason="a tmpfs cannot be mounted here")


def within(tmp_path: Path, size: str, grows: bool) -> dict[str, Any]:
    """Run script and viewer where the rings' folder has so much room; return what was found."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "rings").mkdir(mode=0o700)
    mounted = f'mount -t tmpfs -o size={size},mode=0700 tmpfs "$0" && exec "$@"'
    unshare = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "bash", "-c", mounted]
    watching = [sys.executable, __file__, str(tmp_path), *(["grow"] if grows else [])]
    paths = (Path(__file__).parents[1], Path(__file__).parents[2])
    done = subprocess.run(
        [*unshare, str(tmp_path / "rings"), *watching],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def watch(folder: Path, grows: bool) -> dict[str, Any]:
    """What happens inside: the script runs, a viewer asks for pictures and for a pause."""
    data_dir = DataDir(folder / "data").create()
    spec = RunSpec("small", "script", [sys.executable, str(folder / "script.py")], str(folder))
    run_dir = data_dir.run(spec.run_id)
    ours = prepare(run_dir, spec, folder / "rings")
    process = subprocess.Popen(
        spec.command,
        cwd=folder,
        env={**plain_environment(), **ours},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = {"frames": 0, "why_not": "", "paused": False}
    try:
        wait_until(lambda: run_dir.spool.exists() and count_spool(run_dir.spool).steps > 50)
        with contextlib.suppress(RingError):
            with FastLaneReader.attach("small", ring_dir=folder / "rings") as reader:
                _look(reader, found, lambda: reader.cannot_draw() or found["frames"])
            with FastLaneReader.attach("small", ring_dir=folder / "rings") as reader:
                if grows:
                    (folder / "grow").touch()
                _look(reader, found, reader.cannot_draw)
                found["why_not"] = reader.cannot_draw()
                hud = reader.live_hud()
                _look(reader, found, lambda: reader.live_hud() != hud)
                reader.set_control(True, 0.0, 30.0)
                wait_until(lambda: '"event":"paused"' in _text(run_dir.spool), what="the pause")
                found["paused"] = True
    finally:
        (folder / "stop").touch()
        stdout, stderr = process.communicate(timeout=60)
    counted = count_spool(run_dir.spool)
    found.update(code=process.returncode, steps=int(stdout), kept=counted.steps, stderr=stderr)
    found.update(warnings=counted.warnings, left=[p.name for p in (folder / "rings").rglob("*.*")])
    return found


def _look(reader: FastLaneReader, found: dict[str, Any], until: Any) -> None:
    def looked() -> bool:
        reader.lease(60.0, 1.0, 5.0)
        state, frame = reader.latest_frame()
        found["frames"] += frame is not None
        return bool(until()) or state is FastLaneState.REPLACED

    wait_until(looked, what="what the viewer waits for")


def _text(spool: Path) -> str:
    return "".join(path.read_text() for path in spool.rglob("*.jsonl"))


def assert_training_is_unharmed(found: dict[str, Any]) -> None:
    assert found["code"] == 0
    assert found["kept"] == found["steps"] > 0
    assert found["left"] == []
    (warning,) = found["warnings"]
    assert "has no room for" in warning
    assert found["stderr"].count("has no room for") == 1


def test_where_no_ring_can_be_made_the_live_view_is_off_and_said_once(tmp_path):
    found = within(tmp_path, "16k", grows=False)
    assert_training_is_unharmed(found)
    assert found["frames"] == 0


def test_where_pictures_have_no_room_the_viewer_is_told_and_numbers_and_pause_go_on(tmp_path):
    found = within(tmp_path, "48k", grows=False)
    assert_training_is_unharmed(found)
    assert found["frames"] == 0
    assert "has no room for" in found["why_not"]
    assert found["paused"]


def test_where_larger_pictures_have_no_room_the_small_ring_stays_and_says_so(tmp_path):
    found = within(tmp_path, "512k", grows=True)
    assert_training_is_unharmed(found)
    assert found["frames"] > 0
    assert "has no room for" in found["why_not"]
    assert found["paused"]


if __name__ == "__main__":
    print(json.dumps(watch(Path(sys.argv[1]), "grow" in sys.argv[2:])))
