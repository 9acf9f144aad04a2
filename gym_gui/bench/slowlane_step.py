"""What one recorded step costs in the worker: the tap, encoding and appending, and nothing else.

    python slowlane_step.py STEPS FLOAT_TYPE

Times each call of ``step`` of an environment that does nothing, bare and watched in turn. Prints
one line of JSON: microseconds, median and 99th percentile.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from typing import Any

import gymnasium
import numpy as np
from slowlane_worker import EPISODE, SEEN, Stepper

from gym_gui.worker.envtap import tap_env
from gym_gui.worker.session import TapSession

BLOCKS = 10


def _time(env: Any, steps: int) -> list[int]:
    clock, taken = time.perf_counter_ns, []
    env.reset(seed=0)
    for number in range(steps):
        began = clock()
        ended = env.step(number & 1)[2]
        taken.append(clock() - began)
        if ended:
            env.reset()
    return taken


def main() -> None:
    """Measure blocks of bare and of watched steps, one after the other."""
    steps, kind = int(sys.argv[1]), sys.argv[2]
    SEEN[:] = [np.random.default_rng(n).normal(size=8).astype(kind) for n in range(EPISODE + 1)]
    gymnasium.register("gym-gui-bench/Stepper-v0", lambda **settings: Stepper(**settings))

    def make() -> Any:
        return gymnasium.make("gym-gui-bench/Stepper-v0", disable_env_checker=True)

    with tempfile.TemporaryDirectory() as spool:
        bare, watched = make(), make()
        session = TapSession({"run_id": "bench", "spool_dir": spool})
        tap_env(session, watched)
        taken: dict[str, list[int]] = {"bare": [], "watched": []}
        for _ in range(BLOCKS):
            taken["bare"] += _time(bare, steps // BLOCKS)
            taken["watched"] += _time(watched, steps // BLOCKS)
        session.end()
    medians = {name: np.percentile(values, (50, 99)) / 1e3 for name, values in taken.items()}
    report = {
        "median_us": medians["watched"][0] - medians["bare"][0],
        "p99_us": medians["watched"][1],
        "bare_median_us": medians["bare"][0],
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
