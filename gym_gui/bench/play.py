"""From a key press to the picture that shows its effect, at 60 steps a second on CartPole.

Keys are pressed by X's own test extension on a virtual display, from another thread at random
moments; a press is answered when the picture after the first step with its action is painted.
Beside each, on the same window, a press that only has a prepared picture painted: what X and Qt
alone take.
"""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gym_gui.core.errors import UsageError

PRESSES, QUICK_PRESSES = 400, 60
STEPS_PER_S = 60.0
_EFFECT, _BARE = 0xFF53, 0xFFC2  # keysyms: Right, F5
_CHILD = "--child"


def measure(*, quick: bool) -> dict[str, Any]:
    """Return milliseconds from press to painted picture: median, p99 and the bare baseline."""
    import json

    presses = QUICK_PRESSES if quick else PRESSES
    with _display() as display:
        environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        done = subprocess.run(
            [sys.executable, "-m", "gym_gui.bench.play", _CHILD, str(presses)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise UsageError(
            f"The window on the virtual display failed: {done.stderr[-300:]}",
            next_step="`gym-gui doctor` names missing libraries.",
        )
    return json.loads(done.stdout)


@contextmanager
def _display() -> Iterator[str]:
    reading, writing = os.pipe()
    words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    try:
        server = subprocess.Popen(words, pass_fds=[writing], stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        os.close(writing)
        raise UsageError(
            "Xvfb is not installed.", next_step="Install it: apt install xvfb."
        ) from None
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            yield f":{pipe.readline().strip()}"
    finally:
        server.terminate()
        server.wait(timeout=30)


class _Keyboard:
    """Presses keys on the display by the extension XTEST."""

    def __init__(self) -> None:
        try:
            self._x = ctypes.CDLL("libX11.so.6")
            self._test = ctypes.CDLL("libXtst.so.6")
        except OSError as error:
            raise UsageError(f"{error}", next_step="Install it: apt install libxtst6.") from error
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._display = ctypes.c_void_p(self._x.XOpenDisplay(None))

    def turn(self, keysym: int, *, down: bool) -> None:
        """Press a key, or let it go."""
        code = self._x.XKeysymToKeycode(self._display, ctypes.c_ulong(keysym))
        self._test.XTestFakeKeyEvent(self._display, code, int(down), ctypes.c_ulong(0))
        self._x.XFlush(self._display)


class _Trial:
    """The two kinds of press on one window, and how long each took."""

    def __init__(self, tab: Any, presses: int) -> None:
        self._tab = tab
        self._presses = presses
        self._keyboard = _Keyboard()
        self._random = random.Random(1)
        self._waiting = ""  # for which kind of press a picture is awaited
        self._effected = False
        self._since = 0.0
        self._answered = threading.Event()
        self._playing = threading.Event()
        self.at_an_end = 0
        self.taken: dict[str, list[float]] = {"effect": [], "bare": []}
        tab.session.stepped.connect(self._stepped)
        tab.session.situation_changed.connect(self._situation)
        tab.screen_.painted.connect(self._painted)
        self._image = tab.screen_.image

    def bare_pressed(self) -> None:
        """The baseline's key came in: paint something at once."""
        self._effected = self._waiting == "bare"
        self._tab.screen_.show_image(self._tab.screen_.image)

    def _situation(self, situation: Any, _human: bool) -> None:
        if situation.over:
            self._playing.clear()
            if self._waiting == "effect" and not self._effected:
                self._waiting = ""  # the episode ended before its key had a step to act on
                self.at_an_end += 1
                self._answered.set()
            self._tab.session.reset(self._random.randrange(1 << 20))
        else:
            self._playing.set()

    def _stepped(self, step: Any) -> None:
        self._effected |= self._waiting == "effect" and step.action == 1

    def _painted(self) -> None:
        if self._waiting and self._effected:
            self.taken[self._waiting].append((time.perf_counter() - self._since) * 1e3)
            self._waiting, self._effected = "", False
            self._answered.set()

    def run(self, finished: Callable[[], None]) -> None:
        """Press away; on a thread of its own."""
        for number in range(2 * self._presses):
            time.sleep(self._random.uniform(0.03, 0.08))
            self._playing.wait(5)
            self._press("bare" if number % 2 else "effect")
        finished()

    def _press(self, kind: str) -> None:
        keysym = _EFFECT if kind == "effect" else _BARE
        self._answered.clear()
        self._effected = False
        self._since, self._waiting = time.perf_counter(), kind
        self._keyboard.turn(keysym, down=True)
        self._answered.wait(2.0)
        self._waiting = ""
        self._keyboard.turn(keysym, down=False)


def _child(presses: int) -> None:
    import json

    from PySide6 import QtCore, QtWidgets

    from gym_gui.app import make_application
    from gym_gui.core.paths import DataDir
    from gym_gui.ui import theme
    from gym_gui.ui.widgets.play_tab import PlayTab

    application = make_application()
    theme.apply(application, "dark")
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as folder:
        window = QtWidgets.QMainWindow()
        tab = PlayTab(DataDir(Path(folder, "data")))
        window.setCentralWidget(tab)
        window.resize(1000, 640)
        window.show()
        window.activateWindow()
        trial = _Trial(tab, presses)

        class Bare(QtCore.QObject):
            def eventFilter(self, _target: QtCore.QObject, event: QtCore.QEvent) -> bool:
                pressed = event.type() == QtCore.QEvent.Type.KeyPress
                if pressed and event.key() == QtCore.Qt.Key.Key_F5:  # type: ignore[attr-defined]
                    trial.bare_pressed()
                    return True
                return False

        bare = Bare()
        tab.screen_.installEventFilter(bare)
        tab.setup.environment.setCurrentText("CartPole-v1")
        tab.setup.realtime.setChecked(True)
        tab.setup.pace.setValue(int(STEPS_PER_S))
        tab.setup.play.click()

        def finish() -> None:
            queued = QtCore.Qt.ConnectionType.QueuedConnection
            QtCore.QMetaObject.invokeMethod(application, "quit", queued)  # type: ignore[call-overload]

        pressing = threading.Thread(target=trial.run, args=[finish], name="keys", daemon=True)
        tab.session.started.connect(lambda *_: pressing.start())
        application.exec()
        pressing.join(10)
        tab.cleanup()
        QtCore.QThreadPool.globalInstance().waitForDone(60_000)
    print(json.dumps(_summary(trial, presses)))  # noqa: T201 - the parent reads it


def _summary(trial: _Trial, presses: int) -> dict[str, Any]:
    effect, bare = np.array(trial.taken["effect"]), np.array(trial.taken["bare"])
    return {
        "presses": presses,
        "answered": len(effect),
        "at_the_end_of_an_episode": trial.at_an_end,
        "steps_per_s": STEPS_PER_S,
        "press_to_picture_median_ms": round(float(np.median(effect)), 2),
        "press_to_picture_p99_ms": round(float(np.percentile(effect, 99)), 2),
        "baseline_bare_repaint_median_ms": round(float(np.median(bare)), 2),
        "baseline_bare_repaint_p99_ms": round(float(np.percentile(bare, 99)), 2),
        "a_step_takes_ms": round(1000.0 / STEPS_PER_S, 2),
    }


if __name__ == "__main__":
    _child(int(sys.argv[sys.argv.index(_CHILD) + 1]))
