"""Kill -9 of a ring's writer, of the window that shows it, of both, at random moments.

    python tests/stress/ring_kills.py --rounds 100

After each kill the dead are started again, as the program does: by a sweep first. Forbidden are a
ring left behind, a window or a training that hangs, an error box, a word on standard error, and a
training that stays paused or goes on rendering for a window that is dead. Prints how many rounds
there were of each kind as JSON; ends with 1 at the first forbidden outcome.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gym_gui.fastlane import FastLaneConfig, FastLaneMetrics, FastLaneWriter, sweep

RUN = "kills"
KINDS = (("writer",), ("window",), ("writer", "window"))
PATIENCE_S = 30.0
_OFFSCREEN = "This plugin does not support propagateSizeHints()"  # Qt's own, without a screen


def write(folder: str) -> None:
    """Step, publish while somebody looks, obey pauses; answer each line with what was done."""
    steps = published = 0
    with FastLaneWriter.create(RUN, FastLaneConfig(84, 84, 3), ring_dir=folder) as writer:
        while True:
            demand, control = writer.look(time.monotonic_ns())
            if not control.paused:
                steps += 1
                if demand.wanted_hz:
                    published += 1
                    side = 84 if published % 400 < 200 else 96  # now and then another size
                    if writer.config.height != side:
                        writer.resize(FastLaneConfig(side, side, 3))
                    metrics = FastLaneMetrics(float(published), 0.0, 1.0)
                    writer.publish(bytes(side * side * 3), metrics=metrics, step=published)
            if select.select([sys.stdin], [], [], 0.001)[0]:
                if not sys.stdin.readline():
                    return
                _say(steps=steps, wanted_hz=demand.wanted_hz, paused=control.paused)


def show(folder: str) -> None:
    """Show the run in a live tab; answer each line, ``pause`` among them, with what is shown."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from gym_gui.bench import window

    window.prepare()
    from PySide6 import QtCore, QtWidgets

    from gym_gui.ui.widgets.fastlane_tab import FastLaneTab

    tab = FastLaneTab(RUN, "agent0", ring_dir=Path(folder))
    tab.show()
    loop = QtCore.QEventLoop()
    lines = QtCore.QSocketNotifier(0, QtCore.QSocketNotifier.Type.Read)

    def answer() -> None:
        line = os.read(0, 64)
        if not line:
            loop.quit()
        if b"pause" in line:
            tab.consumer.set_control(paused=True, max_steps_per_s=None)
        others = [each for each in QtWidgets.QApplication.topLevelWidgets() if each.isVisible()]
        _say(frames=tab.consumer.frames, view=tab.consumer.view.value, windows=len(others))

    lines.activated.connect(answer)
    loop.exec()
    tab.close()


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


class Forbidden(Exception):
    """What must not happen has."""


class _Part:
    """A process that answers lines."""

    def __init__(self, role: str, folder: Path, errors: Path) -> None:
        self._errors = errors.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, __file__, f"--{role}", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ask(self, line: str = "") -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            raise Forbidden("a process hangs")
        return json.loads(self._process.stdout.readline())

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> None:
        """Close its standard input, which ends it."""
        with self._process:
            pass
        self._errors.close()


class Kills:
    """A writer and a window in one folder. ``close`` ends both."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "rings"
        self._folder.mkdir()
        self._errors = folder / "errors"
        self._parts = {role: self._start(role) for role in ("writer", "window")}

    def _start(self, role: str) -> _Part:
        return _Part("write" if role == "writer" else "show", self._folder, self._errors)

    def round(self, victims: tuple[str, ...], *, after_s: float) -> None:
        """Kill, start again, and look. Raises Forbidden."""
        self._expect_pictures()
        writer, window = self._parts["writer"], self._parts["window"]
        alone = victims == ("window",)
        if alone:
            window.ask("pause")
            _wait(lambda: writer.ask()["paused"], "a pause does not arrive")
        time.sleep(after_s)
        for role in victims:
            self._parts[role].kill()
        if alone:
            self._expect_freedom(writer)
        sweep(self._folder)
        left = [path.name for path in self._folder.rglob("*") if path.is_file()]
        if (len(left) > 2) if alone else left:
            raise Forbidden(f"left behind: {', '.join(left)}")
        self._parts |= {role: self._start(role) for role in victims}
        self._expect_pictures()

    def _expect_pictures(self) -> None:
        window = self._parts["window"]
        before = window.ask()["frames"]
        _wait(lambda: window.ask()["frames"] > before, "no picture comes")
        found = window.ask()
        if found["view"] != "live" or found["windows"] != 1:
            raise Forbidden(f"the window says {found}")
        said = self._errors.read_text().replace(_OFFSCREEN, "").strip()
        if said:
            raise Forbidden(f"said: {said[:300]}")

    def _expect_freedom(self, writer: _Part) -> None:
        before = writer.ask()["steps"]
        _wait(lambda: writer.ask()["steps"] > before + 5, "the training stays paused")
        _wait(lambda: not writer.ask()["wanted_hz"], "it renders for a dead window")

    def close(self) -> None:
        for part in self._parts.values():
            part.end()


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Forbidden(otherwise)
        time.sleep(0.01)


def rounds(count: int, *, seed: int) -> dict[str, Any]:
    """Run ``count`` rounds of changing kind; return how many of each, and what was forbidden."""
    chance = random.Random(seed)
    done: Counter[str] = Counter()
    forbidden = ""
    shared = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        kills = Kills(Path(folder))
        try:
            for number in range(count):
                victims = KINDS[number % len(KINDS)]
                kills.round(victims, after_s=chance.uniform(0.0, 0.05))
                done[" and ".join(victims)] += 1
        except Forbidden as error:
            forbidden = str(error)
        finally:
            kills.close()
    return {"rounds": dict(done), "forbidden": forbidden, "seed": seed}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFF)
    parser.add_argument("--write", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--show", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write)
        return 0
    if options.show:
        show(options.show)
        return 0
    found = rounds(options.rounds, seed=options.seed)
    print(json.dumps(found))
    return 1 if found["forbidden"] else 0


if __name__ == "__main__":
    sys.exit(main())
