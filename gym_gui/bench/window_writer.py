"""Publishes frames at a set rate until its standard input closes: the other side of a benchmark.

``python -m gym_gui.bench.window_writer RING_DIR RUN_ID WIDTH HEIGHT TILES HZ``
"""

from __future__ import annotations

import select
import sys
import time

from gym_gui.fastlane import FastLaneMetrics, FastLaneWriter
from gym_gui.fastlane.tiling import layout_for


def main(ring_dir: str, run_id: str, *numbers: str) -> None:
    """Run until the parent closes its end."""
    width, height, tiles = (int(number) for number in numbers[:3])
    interval = 1.0 / float(numbers[3])
    config = layout_for(tiles, width, height, 3).config
    frames = [bytes([shade]) * config.size for shade in range(0, 250, 10)]
    with FastLaneWriter.create(run_id, config, ring_dir=ring_dir) as writer:
        due = time.monotonic()
        number = 0
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            number += 1
            metrics = FastLaneMetrics(1.0, float(number), 60.0)
            writer.publish(frames[number % len(frames)], metrics=metrics, step=number)
            due += interval


if __name__ == "__main__":
    main(*sys.argv[1:])
