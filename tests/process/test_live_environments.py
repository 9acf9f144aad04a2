"""Which of a process's environments are seen live: one, all of them whatever they draw, or none.

Real scripts with the tap in them step coloured environments until the test has seen enough.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import wait_until
from watching import count_spool, plain_environment, spool_lines

from gym_gui.core.errors import RingError
from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.fastlane import FastLaneFrame, FastLaneReader, FastLaneState, rings
from gym_gui.fastlane.layout import VIEW_ALL, VIEW_DEFAULT, VIEW_ONE
from gym_gui.fastlane.tiling import tiling_of
from gym_gui.worker.install import prepare

PRELUDE = """
import os, sys, threading, time
import gymnasium as gym
import numpy as np
from gymnasium import spaces

class Coloured(gym.Env):
    \"\"\"Its picture has a size, a form and a shade of its own, and tells when it was torn.\"\"\"
    metadata = {"render_modes": ["rgb_array"]}
    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, shade=40, size=(48, 64, 3), fails=""):
        self.shade, self.size, self.fails, self.inside = shade, size, fails, False

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.inside = True
        time.sleep(0.0005)
        self.count += 1
        self.inside = False
        return np.zeros(2, np.float32), 1.0, False, self.count == 50, {}

    def render(self):
        if self.fails:
            raise ValueError(self.fails)
        picture = np.full(self.size, self.shade, np.uint8)
        if self.size[-1] == 4:
            picture[..., 3] = 255
        time.sleep(0.001)
        assert not self.inside, "drawn in the middle of a step"
        return picture

gym.register("Coloured-v0", entry_point=Coloured)

def goes_on():
    return not os.path.exists(sys.argv[1])

def step_until_told(envs):
    envs.reset(seed=1)
    while goes_on():
        envs.step(envs.action_space.sample())
    envs.close()
"""

VECTOR = """
makers = [lambda k=k: gym.make("Coloured-v0", shade=40 + 40 * k) for k in range(4)]
step_until_told(gym.vector.SyncVectorEnv(makers))
"""

MIXED = """
SIZES = [(48, 64, 3), (30, 20), (100, 50, 4), (700, 900, 3), (2, 2000, 3)]
makers = [lambda k=k: gym.make("Coloured-v0", shade=40 + 40 * k, size=SIZES[k]) for k in range(5)]
step_until_told(gym.vector.SyncVectorEnv(makers))
"""

ONE_CANNOT = """
FAILS = ["", "the lamp is broken", ""]
makers = [
    lambda k=k: gym.make("Coloured-v0", shade=40 + 40 * k, fails=FAILS[k]) for k in range(3)
]
step_until_told(gym.vector.SyncVectorEnv(makers))
"""

NONE_CAN = """
env = gym.make("Coloured-v0", fails="the lamp is broken")
env.reset(seed=1)
while goes_on():
    if env.step(0)[3]:
        env.reset()
"""

THREADS = """
def work(number):
    env = gym.make("Coloured-v0", shade=40 + 20 * number)
    env.reset(seed=number)
    while goes_on():
        if env.step(0)[3]:
            env.reset()
    env.close()

threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

POOL = """
from concurrent.futures import ThreadPoolExecutor
envs = [gym.make("Coloured-v0", shade=40 + 20 * number) for number in range(8)]

def turn(env):
    if env.step(0)[3]:
        env.reset()

for env in envs:
    env.reset(seed=1)
with ThreadPoolExecutor(4) as pool:
    while goes_on():
        list(pool.map(turn, envs))
for env in envs:
    env.close()
"""


class Watched:
    """A script with the tap in it, and one viewer of its ring."""

    def __init__(self, run_id: str, ring_dir: Path, spool: Path) -> None:
        self.run_id, self.ring_dir, self.spool = run_id, ring_dir, spool
        self.reader: FastLaneReader | None = None

    def attach(self) -> FastLaneReader:
        def attached() -> FastLaneReader | None:
            with contextlib.suppress(RingError):
                return FastLaneReader.attach(self.run_id, ring_dir=self.ring_dir)
            return None

        self.reader = wait_until(attached, what="the ring")
        return self.reader

    def look(self, view: int = VIEW_DEFAULT) -> FastLaneFrame | None:
        """Ask for pictures and take the newest; follow the ring into a new generation."""
        reader = self.reader or self.attach()
        reader.lease(60.0, 1.0, 5.0, view)
        state, frame = reader.latest_frame()
        if state in (FastLaneState.REPLACED, FastLaneState.CLOSED, FastLaneState.LOST):
            reader.close()
            self.attach()
        return frame

    def see(self, wanted: Callable[[FastLaneFrame], bool], view: int = VIEW_DEFAULT) -> Any:
        """Look until a frame is as wanted, and return it."""

        def found() -> FastLaneFrame | None:
            frame = self.look(view)
            return frame if frame is not None and wanted(frame) else None

        return wait_until(found, what="the frame")

    def shades(self, frame: FastLaneFrame) -> list[int]:
        """Return the red in the middle of each tile."""
        assert self.reader is not None
        config = self.reader.config._replace(tiles=self.reader.tiles, columns=self.reader.columns)
        tiling = tiling_of(config)
        rows = np.frombuffer(frame.data, np.uint8).reshape(frame.height, frame.row_stride)
        red = 2 if frame.pixel_format.name == "BGRX" else 0
        places = [tiling.place(index) for index in range(tiling.tiles)]
        middles = [(y + tiling.height // 2, x + tiling.width // 2) for x, y in places]
        return [int(rows[y, x * frame.channels + red]) for y, x in middles]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    stop, started = tmp_path / "stop", []

    def start(body: str, **options: Any) -> Watched:
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(body))
        data_dir = DataDir(tmp_path / "data").create()
        command = [sys.executable, str(script), str(stop)]
        spec = RunSpec(new_run_id("live"), "script", command, str(tmp_path), **options)
        run_dir = data_dir.run(spec.run_id)
        ours = prepare(run_dir, spec, data_dir.ring_dir)
        process = subprocess.Popen(
            command, env={**plain_environment(), **ours}, stderr=subprocess.PIPE, text=True
        )
        watched = Watched(spec.run_id, data_dir.ring_dir, run_dir.spool)
        started.append((process, watched))
        return watched

    def end() -> list[str]:
        stop.touch()
        errors = []
        for process, watched in started:
            errors.append(process.communicate(timeout=60)[1])
            if watched.reader is not None:
                watched.reader.close()
            assert process.returncode == 0, errors
        started.clear()
        return errors

    start.end = end  # type: ignore[attr-defined]
    yield start
    end()


@pytest.mark.parametrize(("live", "tiles"), [("grid", 4), ("single", 1)])
def test_the_runs_choice_says_what_is_drawn_until_a_viewer_asks_for_more(watch, live, tiles):
    watched = watch(VECTOR, live=live)
    shown = {"grid": [40, 80, 120, 160], "single": [40]}
    watched.see(lambda frame: watched.shades(frame) == shown[live])
    assert (watched.reader.tiles, watched.reader.environments) == (tiles, 4)
    for view, wanted, first in (
        (VIEW_ALL, [40, 80, 120, 160], 0),
        (VIEW_ONE + 2, [120], 2),
        (VIEW_ONE + 9, [160], 3),  # it is not there (any more): the last one stands in
        (VIEW_ONE, [40], 0),
    ):
        watched.see(lambda frame, wanted=wanted: watched.shades(frame) == wanted, view)
        assert watched.reader.first == first


def test_with_live_pictures_off_there_is_no_ring_and_the_run_is_recorded(watch):
    watched = watch(NONE_CAN, live="off")
    wait_until(lambda: watched.spool.exists() and count_spool(watched.spool).steps > 200)
    assert rings(watched.run_id, watched.ring_dir) == []
    assert watch.end() == [""], "nothing was rendered, so nothing failed"


def test_environments_of_any_size_and_form_share_one_picture(watch):
    watched = watch(MIXED)
    watched.see(lambda frame: watched.shades(frame) == [40, 80, 120, 160, 200])
    generation = watched.reader._map.words[2]
    for _ in range(10):
        frame = watched.see(lambda frame: True)
        assert watched.shades(frame) == [40, 80, 120, 160, 200]
    assert watched.reader._map.words[2] == generation, "once it fits them all, it stays"
    assert watched.reader.cannot_draw() == ""
    assert watch.end() == [""]


def test_one_that_cannot_be_drawn_leaves_the_others_on_screen(watch):
    watched = watch(ONE_CANNOT)
    frame = watched.see(lambda frame: watched.shades(frame) == [40, 0, 120])
    watched.see(lambda later: later.number > frame.number + 5)
    assert watched.reader.cannot_draw() == ""
    wait_until(
        lambda: (watched.look(VIEW_ONE + 1), watched.reader.cannot_draw())[1], what="the reason"
    )
    assert "the lamp is broken" in watched.reader.cannot_draw()
    watched.see(lambda frame: watched.shades(frame) == [40, 0, 120], VIEW_ALL)
    assert watched.reader.cannot_draw() == ""


def test_the_writer_says_why_there_is_no_picture_and_goes_on_with_the_numbers(watch):
    watched = watch(NONE_CAN)
    why = wait_until(lambda: (watched.look(), watched.reader.cannot_draw())[1], what="the reason")
    assert why.startswith("Coloured-v0: its render() ended with ValueError: the lamp is broken")
    hud = watched.reader.live_hud()
    wait_until(lambda: (watched.look(), watched.reader.live_hud())[1] != hud, what="new numbers")
    (error,) = watch.end()
    assert error.count("the lamp is broken") == 1


@pytest.mark.parametrize("script", [THREADS, POOL], ids=["a thread each", "a pool"])
def test_environments_stepped_by_several_threads_are_all_seen_and_never_in_a_step(watch, script):
    watched = watch(script)
    wanted = [40 + 20 * number for number in range(8)]
    watched.see(lambda frame: sorted(watched.shades(frame)) == wanted)
    for _ in range(50):
        frame = watched.see(lambda frame: True)
        assert sorted(watched.shades(frame)) == wanted
    assert watch.end() == [""], "no render met a step, and nothing of ours failed"
    assert count_spool(watched.spool).warnings == []
    lines = [line for _, line in spool_lines(watched.spool)]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    for stream in range(8):
        own = [line for line in lines if line["type"] == "step" and line["stream"] == stream]
        assert [line["index"] for line in own] == list(range(len(own)))
        assert [line["step"] for line in own] == [index % 50 for index in range(len(own))]
        assert len(own) > 50
