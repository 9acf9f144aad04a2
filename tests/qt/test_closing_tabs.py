"""Every kind of tab, opened and closed many times, docked and in a window of its own: none stays.

``GYM_GUI_CLOSINGS=200 pytest tests/qt/test_closing_tabs.py`` is the long form.
"""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Iterator

import psutil
import pytest
from PySide6 import QtCore, QtWidgets
from store_samples import steps_batch, write
from window_parts import make_context, make_run, make_writer, publish, settle

from gym_gui.controllers.background import Background
from gym_gui.core.paths import DataDir
from gym_gui.services.registry import RunRegistry
from gym_gui.ui.main_window import MainWindow
from gym_gui.ui.tab_registry import tab_kinds

CLOSINGS = int(os.environ.get("GYM_GUI_CLOSINGS", "6"))
WARM_UP = 3  # what is made once, at the first opening, stays
WAIT_MS = 20_000


@pytest.fixture
def window(qtbot, data_dir: DataDir) -> Iterator[MainWindow]:
    context = make_context(data_dir)
    run = make_run("run-1", steps=500)
    with RunRegistry(data_dir) as registry:
        registry.add(run.spec, state=run.state, steps=run.steps)
    data_dir.run("run-1").root.mkdir(parents=True)
    write(data_dir.run("run-1").store, steps_batch(0, 500))
    made = MainWindow(context)
    qtbot.addWidget(made)
    made.show()
    context.link.runs_changed.emit([run])
    with make_writer("run-1", data_dir) as writer:
        publish(writer, 1)
        yield made
    made.close_for_good()
    QtCore.QThreadPool.globalInstance().waitForDone()
    settle()


def idle(qtbot) -> None:
    """Let what was asked of other threads be answered."""
    for _ in range(3):
        QtCore.QThreadPool.globalInstance().waitForDone()
        QtWidgets.QApplication.processEvents()
    settle()


def held() -> dict[str, int]:
    """Count what a tab may leave behind."""
    gc.collect()  # plots refer to each other in circles
    settle()
    with open("/proc/self/maps") as maps:
        rings = sum(".ring" in line for line in maps)
    timers = [
        timer
        for widget in QtWidgets.QApplication.allWidgets()
        for timer in widget.findChildren(QtCore.QTimer)
        if timer.isActive()
    ]
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": sum(not isinstance(t, threading._DummyThread) for t in threading.enumerate()),
        "processes": len(psutil.Process().children(recursive=True)),
        "rings": rings,
        "timers": len(timers),
        "widgets": len(QtWidgets.QApplication.allWidgets()),
        "objects": sum(
            str(type(thing).__module__).startswith("gym_gui.") for thing in gc.get_objects()
        ),
    }


def open_and_close(window: MainWindow, qtbot, key: str, *, detached: bool) -> None:
    window.panel.select("run-1")
    window.do_open_tab(key)
    tab = window.tabs.currentWidget()
    idle(qtbot)
    if detached:
        window.tabs.detach(tab)
        idle(qtbot)
    window.tabs.close_all()
    idle(qtbot)


@pytest.mark.parametrize("detached", [False, True], ids=["docked", "detached"])
@pytest.mark.parametrize("key", [kind.key for kind in tab_kinds()])
def test_a_closed_tab_leaves_nothing(window: MainWindow, qtbot, key: str, detached: bool):
    for _ in range(WARM_UP):
        open_and_close(window, qtbot, key, detached=detached)
    before = held()
    for _ in range(CLOSINGS):
        open_and_close(window, qtbot, key, detached=detached)
    assert held() == before


def test_what_asked_another_thread_is_let_go_once_it_was_answered(qtbot):
    background = Background()
    answers: list[int] = []

    def ask() -> weakref.ref[Asker]:
        asker = Asker(answers)
        background.run(asker.work, done=asker.take, failed=asker.take)
        return weakref.ref(asker)

    askers = []
    for _ in range(300):
        askers += [ask(), ask()]
        idle(qtbot)
    assert len(answers) == len(askers)
    gc.collect()
    assert [asker() for asker in askers if asker() is not None] == []


class Asker:
    def __init__(self, answers: list[int]) -> None:
        self.answers = answers

    def work(self) -> int:
        return 1

    def take(self, answer: int) -> None:
        self.answers.append(answer)
