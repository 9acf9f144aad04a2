"""A training that only steps: an environment as cheap as can be, at full speed or at a pace.

    python slowlane_worker.py STEPS [--rate HZ] [--pictures FILE.npy]

Run by the slow lane's benchmark and its chaos test like any user's script, so it imports nothing
of this program. Prints what it did as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import gymnasium
import numpy as np

EPISODE = 200
SEEN = [np.array([n + k / 7 for k in range(8)], dtype=np.float32) for n in range(EPISODE + 1)]


class Stepper(gymnasium.Env[Any, Any]):
    """Eight floats seen, two actions, 200 steps an episode."""

    observation_space = gymnasium.spaces.Box(-1e9, 1e9, (8,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: str | None = None, pictures: Any = None) -> None:
        self.at = self.shown = 0
        self.render_mode = render_mode
        self.pictures = pictures

    def render(self) -> Any:
        self.shown += 1
        return self.pictures[self.shown % len(self.pictures)]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.at = 0
        return SEEN[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.at += 1
        return SEEN[self.at], 1.0, self.at == EPISODE, False, {}


def main() -> None:
    """Step, then report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", type=int)
    parser.add_argument("--rate", type=float, default=0.0, help="steps a second, 0: at full speed")
    parser.add_argument("--pictures", help="what render() returns, (count, height, width, 3)")
    options = parser.parse_args()
    gymnasium.register("gym-gui-bench/Stepper-v0", lambda **settings: Stepper(**settings))
    shown = {}
    if options.pictures:
        shown = {"render_mode": "rgb_array", "pictures": np.load(options.pictures)}
    env = gymnasium.make("gym-gui-bench/Stepper-v0", disable_env_checker=True, **shown)
    env.reset(seed=0)
    began_ns, began, spent_s = time.time_ns(), time.perf_counter(), -time.process_time()
    for number in range(options.steps):
        if options.rate:
            time.sleep(max(0.0, began + number / options.rate - time.perf_counter()))
        if env.step(number & 1)[2]:
            env.reset()
    took_s = time.perf_counter() - began
    spent_s += time.process_time()
    report = {"steps": options.steps, "began_ns": began_ns, "stepping_s": took_s, "cpu_s": spent_s}
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    env.close()


if __name__ == "__main__":
    main()
