"""A training that keeps count of what it has stepped in a file that outlives it.

    python chaos_worker.py COUNT_FILE STEPS RATE_HZ [vector]

With ``vector`` a vector environment makes the steps: their records are packed. The count is written
after each ``step`` returned: by then the step is in the spool.
"""

from __future__ import annotations

import itertools
import mmap
import struct
import sys
import time
from collections.abc import Iterator

import gymnasium
import numpy as np


def main() -> None:
    """Step at a pace; write the count after each step."""
    path, steps, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with open(path, "wb+") as file:
        file.write(bytes(8))
        file.flush()
        count = mmap.mmap(file.fileno(), 8)
    began = time.perf_counter()
    for number, _ in enumerate(vector_steps() if "vector" in sys.argv else single_steps(), 1):
        struct.pack_into("<Q", count, 0, number)
        if number == steps:
            break
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))


def single_steps() -> Iterator[None]:
    """Step one environment; yield after each step."""
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=0)
    for action in itertools.cycle((0, 1)):
        _, _, terminated, truncated, _ = env.step(action)
        yield
        if terminated or truncated:
            env.reset()


def vector_steps() -> Iterator[None]:
    """Step one environment in a vector; yield after each step that was no autoreset."""
    env = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")])
    env.reset(seed=0)
    over = False
    for action in itertools.cycle((0, 1)):
        was_over = over
        _, _, terminated, truncated, _ = env.step(np.array([action]))
        over = bool(terminated[0] or truncated[0])
        if not was_over:
            yield


if __name__ == "__main__":
    main()
