"""Writer and readers in processes of their own at full speed: no forbidden outcome.

    python tests/stress/ring_stress.py --frames 10000000 --slots 4

Each frame's pixels and HUD are functions of its number, so that a reader can tell: torn pixels,
the HUD of another frame, a frame number going back. Prints what was returned and refused, and the
age of the newest frame (p50, p99) as JSON; ends with 1 at the first forbidden outcome.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from gym_gui.fastlane import (
    FastLaneConfig,
    FastLaneMetrics,
    FastLaneReader,
    FastLaneState,
    FastLaneWriter,
)

SIDE = 84


def write(folder: str, slots: int, crc: bool) -> None:
    """Publish as fast as may be until the parent closes our stdin."""
    frames = [np.full((SIDE, SIDE, 3), value, np.uint8) for value in range(251)]
    config = FastLaneConfig(SIDE, SIDE, 3)
    options: dict[str, Any] = {"ring_dir": folder, "channel": "w", "slots": slots, "crc": crc}
    with FastLaneWriter.create("stress", config, **options) as writer:
        print("ready", flush=True)
        number = 1
        while not select.select([sys.stdin], [], [], 0)[0]:
            for _ in range(256):
                metrics = FastLaneMetrics(float(number), -float(number), 1.0)
                writer.publish(frames[number % 251], metrics=metrics, step=number)
                number += 1


def read(folder: str, wanted: int, seconds: float) -> dict[str, Any]:
    """Read until ``wanted`` whole frames were returned or the time is over."""
    result: dict[str, Any] = {"returned": 0, "forbidden": ""}
    expected = [bytes([value]) * (SIDE * SIDE * 3) for value in range(251)]
    ages = []
    last = 0
    deadline = time.monotonic() + seconds
    with FastLaneReader.attach("stress", ring_dir=folder) as reader:
        while result["returned"] < wanted and not result["forbidden"]:
            state, frame = reader.latest_frame()
            if frame is None:
                if state is not FastLaneState.IDLE:
                    result["forbidden"] = f"a living writer seen as {state.value}"
                if time.monotonic() > deadline:
                    break
                continue
            number = frame.number
            if frame.data != expected[number % 251]:
                result["forbidden"] = f"torn or foreign pixels in frame {number}"
            elif frame.metrics != (number, -number, 1.0) or frame.step != number:
                result["forbidden"] = f"the HUD of another frame in frame {number}"
            elif number <= last:
                result["forbidden"] = f"frame {number} after frame {last}"
            last = number
            result["returned"] += 1
            if result["returned"] % 64 == 0:
                ages.append(time.monotonic_ns() - frame.monotonic_ns)
                if time.monotonic() > deadline:
                    break
        result["refused"] = reader.refused
    if ages:
        p50, p99 = np.percentile(ages, [50, 99]) / 1000
        result.update(published=last, age_p50_us=round(p50, 1), age_p99_us=round(p99, 1))
    return result


def stress(*, frames: int, slots: int, crc: bool, seconds: float) -> dict[str, Any]:
    """Run one writer against one reader and return the reader's findings."""
    shared = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        command = [sys.executable, __file__, "--write", folder, "--slots", str(slots)]
        writer = subprocess.Popen(
            command + ["--crc"] * crc, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with writer:  # closes its stdin, which ends it
            assert writer.stdout is not None
            if writer.stdout.readline() != "ready\n":
                raise RuntimeError("the writer did not start")
            return {"slots": slots, "crc": crc, **read(folder, frames, seconds)}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--frames", type=int, default=10_000_000)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--crc", action="store_true")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--write", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write, options.slots, options.crc)
        return 0
    found = stress(
        frames=options.frames, slots=options.slots, crc=options.crc, seconds=options.seconds
    )
    print(json.dumps(found))
    return 1 if found["forbidden"] else 0


if __name__ == "__main__":
    sys.exit(main())
