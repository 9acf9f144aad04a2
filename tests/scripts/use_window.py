"""Uses the program as a person would, from an empty window to two compared runs.

    use_window.py DATA_DIR PICTURES

Everything is done with keys and clicks; what was seen on the way is written to seen.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from PySide6 import QtCore, QtTest, QtWidgets
from window_driver import Stage, Wait, drive

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunState

seen: dict[str, Any] = {}


def use(stage: Stage) -> Iterator[Wait]:
    yield lambda: stage.window.status.recorder.text() == "Recorder ready", "the recorder"
    yield from start_from_the_dialog(stage)
    first = only_run(stage)
    yield from watch_and_pause(stage, first)
    yield from stop(stage, first)
    yield from replay(stage, first)
    yield from run_again(stage, first)
    yield from compare(stage)
    (stage.pictures / "seen.json").write_text(json.dumps(seen))
    yield from stage.press("Ctrl+Q")
    yield lambda: not stage.window.isVisible(), "the window to close"


def named(place: QtWidgets.QWidget, kind: type, name: str) -> Any:
    """Return the visible widget of this kind and accessible name, or None."""
    found = (w for w in place.findChildren(kind) if w.isVisible() and w.accessibleName() == name)
    return next(found, None)


def only_run(stage: Stage) -> str:
    (record,) = stage.window.context.live.records()
    return record.run_id


def state(stage: Stage, run_id: str) -> RunState:
    return stage.window.model.record(run_id).state


def start_from_the_dialog(stage: Stage) -> Iterator[Wait]:
    stage.click(stage.button("New run"))
    yield lambda: stage.front() is not stage.window, "the dialog"
    dialog = stage.front()
    worker = named(dialog, QtWidgets.QComboBox, "Worker")
    worker.setFocus()
    QtTest.QTest.keyClicks(worker, "Demo")  # as one does: the list jumps to what is typed
    yield lambda: named(dialog, QtWidgets.QLineEdit, "Arguments"), "the worker's form"
    QtTest.QTest.keyClicks(named(dialog, QtWidgets.QLineEdit, "Arguments"), "--steps 9000000")
    yield lambda: "9000000" in dialog._line.text(), "the command line to follow"
    yield lambda: stage.button("Start").isEnabled(), "the form to be complete"
    seen["line"] = dialog._line.text()
    yield from stage.photograph("dialog")
    stage.click(stage.button("Start"))
    yield lambda: stage.front() is stage.window, "the dialog to close"
    yield lambda: stage.window.context.live.records(), "the run"


def live_tab(stage: Stage, run_id: str) -> Any:
    return stage.window._agent_tabs[run_id][0]


def watch_and_pause(stage: Stage, run_id: str) -> Iterator[Wait]:
    yield lambda: stage.window._agent_tabs.get(run_id), "the live tab"
    tab = live_tab(stage, run_id)
    seen["tab"] = stage.window.tabs.tabText(stage.window.tabs.currentIndex())
    yield lambda: tab.consumer.frame is not None, "a picture"
    step = tab.consumer.frame.number
    yield lambda: tab.consumer.frame.number > step + 5, "the picture to move"
    pause = next(
        button
        for button in tab.findChildren(QtWidgets.QAbstractButton)
        if button.isCheckable() and "Pause" in button.toolTip()
    )
    stage.click(pause)
    yield lambda: state(stage, run_id) is RunState.PAUSED, "the run to pause"
    yield from stage.photograph("paused")
    stage.click(pause)
    yield lambda: state(stage, run_id) is RunState.RUNNING, "the run to go on"
    number = tab.consumer.frame.number
    yield lambda: tab.consumer.frame.number > number, "the picture to move again"
    yield lambda: stage.window.model.record(run_id).episodes >= 3, "three episodes"


def stop(stage: Stage, run_id: str) -> Iterator[Wait]:
    stage.window.panel.select(run_id)
    yield from stage.press("Ctrl+.")
    yield lambda: state(stage, run_id) is RunState.CANCELLED, "the run to end"
    seen.setdefault("steps", {})[run_id] = stage.window.model.record(run_id).steps


def replay(stage: Stage, run_id: str) -> Iterator[Wait]:
    yield from palette(stage, "Run: Replay")
    tab = stage.window.tabs.currentWidget()
    yield lambda: not tab.pane.screen_.image.isNull(), "the replay's picture"
    before = tab.pane.screen_.image.copy()
    slider = named(tab, QtWidgets.QSlider, "Step")
    slider.setFocus()
    QtTest.QTest.keyClick(slider, QtCore.Qt.Key.Key_End)
    yield lambda: tab.pane.screen_.image != before, "the last picture"
    yield from stage.photograph("replay")


def palette(stage: Stage, words: str) -> Iterator[Wait]:
    """Find a command by its words and run it."""
    yield from stage.press("Ctrl+K")
    yield lambda: stage.front() is not stage.window, "the palette"
    line = stage.front().findChild(QtWidgets.QLineEdit)
    QtTest.QTest.keyClicks(line, words)
    QtTest.QTest.keyClick(line, QtCore.Qt.Key.Key_Return)
    yield lambda: stage.front() is stage.window, "the palette to close"


def run_again(stage: Stage, first: str) -> Iterator[Wait]:
    stage.window.panel.select(first)
    yield from stage.press("Ctrl+Shift+R")
    yield lambda: len(stage.window.context.live.records()) == 2, "the second run"
    (second,) = {r.run_id for r in stage.window.context.live.records()} - {first}
    yield lambda: stage.window.model.record(second).episodes >= 3, "its episodes"
    yield from stop(stage, second)


def compare(stage: Stage) -> Iterator[Wait]:
    table = stage.window.panel.findChild(QtWidgets.QTableView)
    table.setFocus()
    table.selectAll()
    yield from stage.press("Ctrl+Shift+A")
    tab = stage.window.tabs.currentWidget()
    yield lambda: len(tab.chosen()) == 2, "both runs to be compared"
    seen["compared"] = list(tab.chosen())
    yield from stage.photograph("compared")


if __name__ == "__main__":
    sys.exit(drive(DataDir(sys.argv[1]), Path(sys.argv[2]), use))
