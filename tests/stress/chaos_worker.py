"""A training that keeps count of what it has stepped in a file that outlives it.

    python chaos_worker.py COUNT_FILE STEPS RATE_HZ

The count is written after each ``step`` returned: by then the step is in the spool.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time

import gymnasium


def main() -> None:
    """Step at a pace; write the count after each step."""
    path, steps, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with open(path, "wb+") as file:
        file.write(bytes(8))
        file.flush()
        count = mmap.mmap(file.fileno(), 8)
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=0)
    began = time.perf_counter()
    for number in range(steps):
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))
        _, _, terminated, truncated, _ = env.step(number & 1)
        struct.pack_into("<Q", count, 0, number + 1)
        if terminated or truncated:
            env.reset()
    env.close()


if __name__ == "__main__":
    main()
