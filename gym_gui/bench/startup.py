"""From the command to the first live frame: what a person waits for.

Runs ``gym-gui demo`` in a process of its own, on the display there is or offscreen, until the view
has painted a picture of the training; the program is this module's child form, which adds nothing
but a note of that moment. Warm: the daemon runs already. Cold: it has to be started too.
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
    """Return seconds from the command to the first frame; beside them Qt's own bare start."""
    rounds = 3 if quick else 7
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as folder:
        data_dir = DataDir(folder)
        try:
            cold = _first_frame_s(data_dir)
            warm = sorted(_first_frame_s(data_dir) for _ in range(rounds))
        finally:
            _stop_everything(data_dir)
    return {
        "cold_first_frame_s": round(cold, 2),
        "warm_first_frame_s": {
            "median": round(statistics.median(warm), 2),
            "least": round(warm[0], 2),
            "most": round(warm[-1], 2),
        },
        "baseline_bare_qt_quick_window_s": round(_bare_window_s(), 2),
        "platform": _environment()["QT_QPA_PLATFORM"],
    }


def _environment() -> dict[str, str]:
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    platform = os.environ.get("QT_QPA_PLATFORM") or ("xcb" if shown else "offscreen")
    return {**os.environ, "QT_QPA_PLATFORM": platform}


def _first_frame_s(data_dir: DataDir) -> float:
    words = [sys.executable, "-m", "gym_gui.bench.startup", str(data_dir.root)]
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
    from gym_gui.services.registry import RunRegistry

    with RunRegistry(data_dir) as registry:
        live = [run for run in registry.list() if not run.state.is_final]
    for words in [["runs", "stop", run.run_id] for run in live] + [["daemon", "stop"]]:
        command = [sys.executable, "-m", "gym_gui", "--data-dir", str(data_dir.root), *words]
        subprocess.run(command, capture_output=True, timeout=_WAIT_S, check=False)


def _child(folder: str) -> None:
    """Be ``gym-gui demo``, and end at the first painted frame, telling the time."""
    from PySide6 import QtCore

    from gym_gui.ui.renderers.fastlane_item import FastLaneItem

    paint = FastLaneItem.paint
    seen = False

    def painted(item: Any, painter: Any) -> None:
        nonlocal seen
        paint(item, painter)
        if not seen and item.image.width() > 64:
            seen = True
            sys.stdout.write(f"{time.clock_gettime_ns(time.CLOCK_MONOTONIC)}\n")
            sys.stdout.flush()
            QtCore.QTimer.singleShot(0, lambda: QtCore.QCoreApplication.exit(0))

    FastLaneItem.paint = painted  # type: ignore[method-assign]
    from gym_gui.cli import main

    main(["--data-dir", folder, "demo", "--steps", "2000"])


if __name__ == "__main__":
    _child(sys.argv[1])
