"""The window under load: 100,000 steps/s at its socket while 16 tiles play, both seen.

Three processes: this window, a generator that serves the slow lane (``window_stream``), and one
that fills 16 rings (``window_writer``). The window is the program's own, with the run's Live
Telemetry in its tabs and the grid of tiles in a window of its own, so that both are painted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gym_gui.bench.gui_loop import quantiles, spin, waits, writer
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec, RunState

RATE = 100_000  # steps/s
BATCH = 2_000  # steps: what a proxy reads in 20 ms at that rate
TILES = 16
TILE = (160, 210)  # width and height of a tile's picture
TILE_HZ = 30
BARS = {"p99_ms": 16.0, "worst_ms": 100.0}
RUN = "load"


class Generator:
    """The process that serves the run; ``go``, then ``stop`` tells what it has sent."""

    def __init__(self, data_dir: DataDir, batch: int) -> None:
        words = [str(data_dir.root), RUN, str(RATE), str(batch)]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "gym_gui.bench.window_stream", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._input, self._output = self._child.stdin, self._child.stdout
        json.loads(self._output.readline())

    def go(self) -> None:
        self._tell("go")

    def stop(self) -> dict[str, int]:
        self._tell("stop")
        return json.loads(self._output.readline())

    def _tell(self, word: str) -> None:
        self._input.write(word + "\n")
        self._input.flush()

    def close(self) -> None:
        self._input.close()
        self._child.wait(timeout=30)
        self._output.close()


class Counted:
    """What reached the window's thread, by kind; ``steps`` and ``skipped`` are steps."""

    def __init__(self, window: Any) -> None:
        self.counts: Counter[str] = Counter()
        window.context.live.batch_ready.connect(self._take)

    def _take(self, batch: Any) -> None:
        counts = self.counts
        counts["steps"] += sum(len(columns) for columns in batch.steps)
        counts["skipped"] += batch.skipped
        counts["episodes"] += len(batch.episodes)
        counts["batches"] += len(batch.records)


def _make_window(data_dir: DataDir) -> Any:
    """Return the program's window, linked with the generator instead of a daemon."""
    from gym_gui.controllers.live_telemetry_controllers import LiveTelemetryController
    from gym_gui.controllers.trainer_link import TrainerLink
    from gym_gui.services.remote.sources import LocalSource
    from gym_gui.services.settings import Settings
    from gym_gui.services.trainer.daemon import daemon_address
    from gym_gui.ui.context import ProgramContext
    from gym_gui.ui.main_window import MainWindow

    class Served(LocalSource):
        def connect(self) -> Any:
            return daemon_address(data_dir)

    link = TrainerLink(data_dir, source=Served(data_dir))
    live = LiveTelemetryController(link, link)
    settings = Settings.load(data_dir.settings)
    return MainWindow(ProgramContext(data_dir, data_dir.ring_dir, link, live, settings))


def _register(data_dir: DataDir) -> None:
    from gym_gui.services.registry import RunRegistry
    from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

    with RunRegistry(data_dir) as registry:
        spec = RunSpec(RUN, "script", ["python", "train.py"], "/", name="Load", env_id="Load-v0")
        now = time.time_ns()
        registry.add(spec, state=RunState.RUNNING, started_ns=now)
    data_dir.run(RUN).root.mkdir(parents=True)
    TelemetrySQLiteStore(data_dir.run(RUN).store).close()


@contextmanager
def loaded_window(batch: int) -> Iterator[tuple[Any, Generator, Any, Counted]]:
    """Yield window, generator, grid of tiles and counter; all is connected, nothing flows yet."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gg-"))
        data_dir = DataDir(Path(folder) / "data").create()
        _register(data_dir)
        generator = Generator(data_dir, batch)
        stack.callback(generator.close)
        stack.enter_context(writer(data_dir.ring_dir, RUN, *TILE, 1, TILE_HZ, TILES))
        window = _make_window(data_dir)
        stack.callback(spin, 0.2)
        stack.callback(window.context.link.stop)
        stack.callback(window.close_for_good)
        counted = Counted(window)
        window.show()
        window.context.link.start()
        _wait(lambda: window.context.live.record(RUN) is not None, "the run")
        window.do_open_tab("grid", RUN)
        grid = window.tabs.find(RUN, "All agents")
        window.tabs.detach(grid)
        window.do_open_tab("telemetry", RUN)
        _wait(lambda: len(grid.tiles) == TILES, "the tiles")
        spin(1.0)  # its history is read, it follows the run
        yield window, generator, grid, counted


def _wait(until: Callable[[], bool], what: str) -> None:
    spin(30, until=until)
    if not until():
        raise TimeoutError(f"waited 30 s for {what}")


def load(seconds: float) -> dict[str, Any]:
    """Return how late the event loop is under the load, and idle just before."""
    with loaded_window(BATCH) as (window, generator, grid, counted):
        window.hide()
        grid.window().hide()
        idle = spin(2.0)
        window.show()
        grid.window().show()
        spin(2.0)
        generator.go()
        spin(1.0)
        tab = window.tabs.find(RUN, "Live Telemetry")
        shown = _frames(grid)
        before, begun = counted.counts["steps"], time.perf_counter()
        pages = {}
        for page in range(tab.tabs.count()):
            tab.tabs.setCurrentIndex(page)
            pages[tab.tabs.tabText(page)] = spin(seconds / tab.tabs.count())
        took_s = time.perf_counter() - begun
        arrived = (counted.counts["steps"] - before) / took_s
        pictures = (_frames(grid) - shown) / took_s
        sent = generator.stop()
        _wait(lambda: _balance(sent, counted) == 0, "the last of what was sent")
    delays = [delay for page in pages.values() for delay in page]
    return {
        "event-loop delay": {**quantiles(delays, "ms"), **waits(delays)},
        "bars": BARS,
        "by page of the tab": {
            name: {**quantiles(page, "ms"), **waits(page)} for name, page in pages.items()
        },
        "event-loop delay, idle": quantiles(idle, "ms"),
        "arrived_steps_per_s": arrived,
        "pictures_per_s": pictures,
        "sent = delivered + skipped": {
            "sent": sent["sent"],
            "delivered": counted.counts["steps"],
            "skipped": counted.counts["skipped"],
            "of these by the server": sent["skipped_by_server"],
        },
    }


def _balance(sent: dict[str, int], counted: Counted) -> int:
    return sent["sent"] - counted.counts["steps"] - counted.counts["skipped"]


def _frames(grid: Any) -> int:
    return sum(consumer.frames for consumer in grid.consumers.values())
