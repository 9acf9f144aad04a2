"""Publishes frames at a set rate until its standard input closes: the other side of a benchmark.

``python -m gym_gui.bench.window_writer RING_DIR RUN_ID WIDTH HEIGHT TILES HZ [RINGS]``
"""

from __future__ import annotations

import select
import sys
import time
from contextlib import ExitStack

from gym_gui.fastlane import FastLaneMetrics, FastLaneWriter
from gym_gui.fastlane.tiling import layout_for


def main(ring_dir: str, run_id: str, *numbers: str) -> None:
    """Run until the parent closes its end."""
    width, height, tiles = (int(number) for number in numbers[:3])
    interval = 1.0 / float(numbers[3])
    config = layout_for(tiles, width, height, 3).config
    rings = int(numbers[4]) if len(numbers) > 4 else 1
    frames = [bytes([shade]) * config.size for shade in range(0, 250, 10)]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                FastLaneWriter.create(run_id, config, channel=f"agent{n}", ring_dir=ring_dir)
            )
            for n in range(rings)
        ]
        due = time.monotonic()
        number = 0
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            number += 1
            metrics = FastLaneMetrics(1.0, float(number), 60.0)
            for place, writer in enumerate(writers):
                frame = frames[(number + place) % len(frames)]
                writer.publish(frame, metrics=metrics, step=number)
            due += interval


if __name__ == "__main__":
    main(*sys.argv[1:])
