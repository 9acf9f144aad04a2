"""Goes on writing a run's file at a pace until its standard input ends: a writer to read beside.

python -m gym_gui.bench.store_writer FILE FIRST_INDEX STEPS_PER_S
"""

from __future__ import annotations

import select
import sys
import time
from dataclasses import replace
from pathlib import Path

from gym_gui.bench.store import BATCH, step_batches
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

A_COMMIT = 16  # batches


def main() -> None:
    """Write, telling its progress line by line."""
    path, first, rate = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    began, written = time.perf_counter(), 0
    batches = list(step_batches(BATCH * A_COMMIT))
    with TelemetrySQLiteStore(path) as store:
        while not select.select([sys.stdin], [], [], 0)[0]:
            with store.atomic():
                for batch in batches:
                    start = first + written
                    steps = replace(batch.steps, index=[start + n for n in range(BATCH)])
                    ends = (start + 1, start + BATCH)
                    store.write(
                        replace(
                            batch, steps=steps, episodes=[], first_seq=ends[0], last_seq=ends[1]
                        )
                    )
                    written += BATCH
            sys.stdout.write(f"{written}\n")
            sys.stdout.flush()
            time.sleep(max(0.0, began + written / rate - time.perf_counter()))


if __name__ == "__main__":
    main()
