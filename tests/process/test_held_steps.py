"""Steps of a vector environment that wait in memory for their record: exact, and never lost."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_until
from watching import count_spool, plain_environment

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.fastlane.buffer import FastLaneReader
from gym_gui.telemetry.reader import RunReader
from gym_gui.worker.install import prepare

SCRIPT = """
import json, os, signal, sys
import gymnasium as gym
import numpy as np

END, MODE, CALLS, SIZE = sys.argv[1], sys.argv[2], int(sys.argv[3]), 3

class Breaks(gym.Wrapper):
    def step(self, action):
        if self.calls == CALLS // 2:
            raise RuntimeError("this environment breaks")
        self.calls += 1
        return super().step(action)

    calls = 0

gym.register("Breaking-v0", lambda **k: Breaks(gym.make("CartPole-v1", **k).unwrapped))
last = "Breaking-v0" if END == "raise" else "CartPole-v1"
names = ["CartPole-v1"] * (SIZE - 1) + [last]
envs = gym.vector.SyncVectorEnv(
    [lambda name=name: gym.wrappers.RecordEpisodeStatistics(gym.make(name)) for name in names],
    autoreset_mode=gym.vector.AutoresetMode(MODE),
)
envs.action_space.seed(3)
envs.reset(seed=5)
more = [0, 0, 0]  # steps made of which the script heard nothing
rows = []  # of each step an environment made: its place, action, reward, ends, observation
over = np.zeros(SIZE, bool)
try:
    for call in range(CALLS):
        action = envs.action_space.sample()
        seen, reward, terminated, truncated, infos = envs.step(action)
        ended = terminated | truncated
        for i in range(SIZE):
            if MODE == "NextStep" and over[i]:
                continue
            after = infos["final_obs"][i] if MODE == "SameStep" and ended[i] else seen[i]
            ends = terminated[i] + 2 * truncated[i]
            rows.append([i, action[i], reward[i], ends, *np.asarray(after, float)])
        over = ended
        if END == "fork" and call == CALLS // 2:
            child = os.fork()
            if not child:
                envs.step(action)
                os._exit(0)
            os.waitpid(child, 0)
except RuntimeError:
    more = [int(MODE == "SameStep" or not over[0]), int(MODE == "SameStep" or not over[1]), 0]
finally:
    if END == "alone":
        part = int(np.flatnonzero(~over)[0])
        envs.envs[part].step(0)
        more[part] = 1
    np.save(sys.argv[4], np.array([[*more, 0, 0, 0, 0, 0], *rows]))
    if END == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if END == "_exit":
        os._exit(0)
"""

ENDLESS = """
import struct, sys
import gymnasium as gym
from pathlib import Path
envs = gym.vector.SyncVectorEnv(
    [lambda: gym.make("Pendulum-v1", max_episode_steps=1 << 40) for _ in range(3)]
)
envs.action_space.seed(3)
envs.reset(seed=5)
calls = 0
with open(sys.argv[1], "r+b", 0) as told:
    while True:
        envs.step(envs.action_space.sample())
        calls += 1
        told.seek(0)
        told.write(struct.pack("<q", calls))
"""

ENDS = ["well", "kill", "_exit", "raise", "fork", "alone"]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("end", ENDS)
def test_every_step_is_kept_exactly_however_the_script_ends(
    gym_gui, data_dir: DataDir, tmp_path: Path, end: str, mode: str
) -> None:
    script = tmp_path / "vectors.py"
    script.write_text(SCRIPT)
    told = tmp_path / "rows.npy"
    words = ("run", "--headless", "--json", "--", script, end, mode, "154", told)
    done = gym_gui(*words)
    run_dir = data_dir.run(json.loads(done.stdout)["run_id"])
    more, *made = np.load(told)
    rows = np.array(made)
    with RunReader(run_dir.store) as reader:
        for part in range(3):
            own = rows[rows[:, 0] == part]
            kept = list(reader.steps(part, 0, len(own) + 9))
            assert [step.index for step in kept] == list(range(len(own) + int(more[part])))
            for step, (_, action, reward, ends, *seen) in zip(kept, own, strict=False):
                assert (step.action, step.reward) == (action, reward)
                assert (step.terminated, step.truncated) == (
                    bool(int(ends) & 1),
                    bool(int(ends) & 2),
                )
                read = np.array(step.observation, np.float32)
                assert read.tobytes() == np.array(seen, np.float32).tobytes()


def test_a_pause_leaves_no_step_unwritten(tmp_path: Path) -> None:
    """A pause comes in the midst of a vector step: the script has not counted that one yet."""
    script, told = tmp_path / "endless.py", tmp_path / "calls"
    script.write_text(ENDLESS)
    told.write_bytes(bytes(8))
    data_dir = DataDir(tmp_path / "data").create()
    spec = RunSpec("held", "script", [sys.executable, str(script), str(told)], str(tmp_path))
    run_dir = data_dir.run(spec.run_id)
    ours = prepare(run_dir, spec, tmp_path / "rings")
    with subprocess.Popen(spec.command, env={**plain_environment(), **ours}) as process:
        try:
            wait_until(lambda: struct.unpack("<q", told.read_bytes())[0] > 1000, timeout_s=60)
            with FastLaneReader.attach(spec.run_id, ring_dir=tmp_path / "rings") as reader:

                def is_written() -> bool:
                    reader.set_control(True, 0.0, 30.0)
                    calls = struct.unpack("<q", told.read_bytes())[0]
                    with contextlib.suppress(json.JSONDecodeError):  # half a line, still written
                        return count_spool(run_dir.spool).steps == 3 * (calls + 1)
                    return False

                wait_until(is_written, timeout_s=20)
        finally:
            process.kill()
