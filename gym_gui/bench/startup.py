"""From the command to a usable window, and to the first live frame: what a person waits for.

Runs ``gym-gui``, and ``gym-gui demo``, in a process of its own, on the display there is or
offscreen, until the window is painted and takes clicks, or the view has painted a picture of the
training; the program is this module's child form, which adds nothing but a note of that moment.
First: with a new data folder, whose daemon has to be started too. Later: the daemon runs already.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from gym_gui.core.paths import DataDir

_WAIT_S = 60.0


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Return seconds from the command to each moment; beside them Qt's own bare start."""
    rounds = 3 if quick else 7
    later, frames, bare = [], [], []
    first = [_first_window_s() for _ in range(2 if quick else 4)]
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as folder:
        data_dir = DataDir(folder)
        try:
            cold = _moment_s("frame", data_dir)
            _stop_runs(data_dir)
            for _ in range(rounds):
                later.append(_moment_s("window", data_dir))
                bare.append(_bare_window_s())
                frames.append(_moment_s("frame", data_dir))
                _stop_runs(data_dir)  # a demonstration that trains on would slow the next round
        finally:
            _stop_everything(data_dir)
    return {
        "first_usable_window_s": {**_spread(first), "bar": 1.5},
        "later_usable_window_s": {**_spread(later), "bar": 0.8},
        "cold_first_frame_s": round(cold, 2),
        "warm_first_frame_s": _spread(frames),
        "baseline_bare_qt_quick_window_s": _spread(bare),
        "platform": _environment()["QT_QPA_PLATFORM"],
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(seconds), 2),
        "least": round(min(seconds), 2),
        "most": round(max(seconds), 2),
    }


def _first_window_s() -> float:
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as folder:
        try:
            return _moment_s("window", DataDir(folder))
        finally:
            _stop_everything(DataDir(folder))


def _environment() -> dict[str, str]:
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    platform = os.environ.get("QT_QPA_PLATFORM") or ("xcb" if shown else "offscreen")
    return {**os.environ, "QT_QPA_PLATFORM": platform}


def _moment_s(moment: str, data_dir: DataDir) -> float:
    words = [sys.executable, "-m", "gym_gui.bench.startup", moment, str(data_dir.root)]
    return _run(words)


def _bare_window_s() -> float:
    code = (
        "import sys, time\n"
        "from PySide6 import QtCore, QtQuickWidgets, QtWidgets\n"
        "app = QtWidgets.QApplication([])\n"
        "view = QtQuickWidgets.QQuickWidget()\n"
        "view.show()\n"
        "view.grab()\n"
        "print(time.clock_gettime_ns(time.CLOCK_MONOTONIC))\n"
    )
    return _run([sys.executable, "-c", code])


def _run(words: list[str]) -> float:
    begun_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    done = subprocess.run(
        words, env=_environment(), capture_output=True, text=True, timeout=_WAIT_S, check=True
    )
    return (int(done.stdout.split()[-1]) - begun_ns) / 1e9


def _stop_everything(data_dir: DataDir) -> None:
    _stop_runs(data_dir)
    _command(data_dir, "daemon", "stop")


def _stop_runs(data_dir: DataDir) -> None:
    from gym_gui.services.registry import RunRegistry

    with RunRegistry(data_dir) as registry:
        live = [run for run in registry.list() if not run.state.is_final]
    for run in live:
        _command(data_dir, "runs", "stop", run.run_id)


def _command(data_dir: DataDir, *words: str) -> None:
    command = [sys.executable, "-m", "gym_gui", "--data-dir", str(data_dir.root), *words]
    subprocess.run(command, capture_output=True, timeout=_WAIT_S, check=False)


def _tell_and_end() -> None:
    """Write the moment, once, and end the program."""
    from PySide6 import QtCore

    sys.stdout.write(f"{time.clock_gettime_ns(time.CLOCK_MONOTONIC)}\n")
    sys.stdout.flush()
    QtCore.QTimer.singleShot(0, lambda: QtCore.QCoreApplication.exit(0))


def _until_frame(folder: str) -> None:
    """Be ``gym-gui demo``, and end at the first painted frame, telling the time."""
    from gym_gui.ui.renderers.fastlane_item import FastLaneItem

    paint = FastLaneItem.paint
    seen = False

    def painted(item: Any, painter: Any) -> None:
        nonlocal seen
        paint(item, painter)
        if not seen and item.image.width() > 64:
            seen = True
            _tell_and_end()

    FastLaneItem.paint = painted  # type: ignore[method-assign]
    from gym_gui.cli import main

    main(["--data-dir", folder, "demo", "--steps", "2000"])


def _until_window(folder: str) -> None:
    """Be ``gym-gui``, and end once the window is painted and takes the next event."""
    from PySide6 import QtCore

    from gym_gui.ui.widgets.welcome import Welcome

    paint = Welcome.paintEvent
    seen = False

    def painted(widget: Any, event: Any) -> None:
        nonlocal seen
        paint(widget, event)
        if not seen:
            seen = True
            QtCore.QTimer.singleShot(0, _tell_and_end)

    Welcome.paintEvent = painted  # type: ignore[method-assign]
    from gym_gui.cli import main

    main(["--data-dir", folder])


if __name__ == "__main__":
    {"frame": _until_frame, "window": _until_window}[sys.argv[1]](sys.argv[2])
