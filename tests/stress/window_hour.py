"""The window for an hour under load: its memory stays flat.

    python tests/stress/window_hour.py [--minutes 60]

100,000 steps/s arrive while 16 tiles play, both seen, as in ``gym-gui bench window --only load``;
the pages of the run's tab take turns. Each minute tells the resident memory and how late the event
loop was. Memory is flat when the last ten minutes' is within 3 % of that from the tenth minute to
the twentieth: until then caches and tables fill.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
from collections import Counter

import psutil

from gym_gui.bench.gui_loop import prepare, quantiles, spin
from gym_gui.bench.window_load import BATCH, RUN, loaded_window

GROWTH = 1.03


def kinds() -> Counter[str]:
    """Count the program's own objects by their class."""
    gc.collect()
    names = (f"{type(o).__module__}.{type(o).__qualname__}" for o in gc.get_objects())
    return Counter(name for name in names if name.startswith("gym_gui."))


def measure(minutes: int) -> list[float]:
    """Return the resident memory in MB after each minute."""
    found = []
    with loaded_window(BATCH) as (window, generator, grid, counted):
        tab = window.tabs.find(RUN, "Live Telemetry")
        early = kinds()
        generator.go()
        for minute in range(minutes):
            before, shown = counted.counts["steps"], sum(c.frames for c in grid.consumers.values())
            delays: list[float] = []
            for page in range(tab.tabs.count()):
                tab.tabs.setCurrentIndex(page)
                delays += spin(60 / tab.tabs.count())
            frames = sum(c.frames for c in grid.consumers.values()) - shown
            found.append(psutil.Process().memory_info().rss / 1e6)
            late = quantiles(delays, "ms")
            print(
                f"{minute + 1:3} min  {found[-1]:7.1f} MB  {len(gc.get_objects()):8,} objects  "
                f"{(counted.counts['steps'] - before) / 60:9,.0f} steps/s  {frames / 60:5.0f} "
                f"pictures/s  {late}",
                flush=True,
            )
            if minute == min(9, minutes // 2):
                early = kinds()
        print("more of:", dict((kinds() - early).most_common(10)))
        generator.stop()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    minutes = parser.parse_args().minutes
    prepare()
    memory = measure(minutes)
    if minutes < 30:
        return 0
    early, late = statistics.median(memory[10:20]), statistics.median(memory[-10:])
    is_flat = late <= early * GROWTH
    print(f"{early:.1f} MB, then {late:.1f} MB: {'flat' if is_flat else 'IT GROWS'}")
    return 0 if is_flat else 1


if __name__ == "__main__":
    sys.exit(main())
