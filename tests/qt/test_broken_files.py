"""A run's file is missing, damaged, locked, newer or closed to us: each tab says so, the window
works on, and the run is shown as soon as its file can be read. Real files, real locks."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6 import QtCore, QtWidgets
from store_samples import steps_batch, write
from window_parts import make_context, make_run, settle

from gym_gui.controllers import patient
from gym_gui.core.records import RunState
from gym_gui.services.registry import RunRegistry
from gym_gui.telemetry import connection
from gym_gui.ui.main_window import MainWindow

WAIT_MS = 20_000
STEPS = 3_000
LOCKS = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("PRAGMA locking_mode = EXCLUSIVE")
held.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
Mend = Callable[[], object]


@pytest.fixture(autouse=True)
def quick_pauses(monkeypatch):
    monkeypatch.setattr(patient, "PAUSES_MS", (100,))
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 200)


def locked(path: Path) -> Mend:
    command = [sys.executable, "-c", LOCKS, str(path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    return other.communicate


def moved(path: Path) -> Mend:
    away = path.with_name("away")
    path.rename(away)
    return lambda: away.rename(path)


def _replaced(path: Path, change: Callable[[Path], object]) -> Mend:
    good = path.with_name("good")
    shutil.copyfile(path, good)
    change(path)
    return lambda: good.replace(path)


def garbage(path: Path) -> Mend:
    return _replaced(path, lambda place: place.write_bytes(b"my holidays, day 1\n" * 5_000))


def cut_short(path: Path) -> Mend:
    return _replaced(path, lambda place: os.truncate(place, place.stat().st_size // 2))


def newer(path: Path) -> Mend:
    def change(place: Path) -> None:
        held = sqlite3.connect(place)
        held.execute("PRAGMA user_version = 999")
        held.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        held.close()

    return _replaced(path, change)


def closed_to_us(path: Path) -> Mend:
    if os.geteuid() == 0:  # root may read everything: be somebody else
        os.seteuid(65534)
        return lambda: os.seteuid(0)
    path.parent.chmod(0)
    return lambda: path.parent.chmod(0o700)


BROKEN = {
    locked: "is locked by another process",
    moved: "does not exist",
    garbage: "is damaged or not a run's file",
    cut_short: "is damaged or not a run's file",
    newer: "was written by a newer gym-gui",
    closed_to_us: "Permission denied",
}
NEXT = {
    locked: "Close the program that holds it",
    moved: "put it back",
    garbage: "gym-gui repair",
    cut_short: "gym-gui repair",
    newer: "Update gym-gui",
    closed_to_us: "Check who may read" if os.geteuid() else "",
}


@pytest.fixture
def window(qtbot, data_dir):
    context = make_context(data_dir)
    run = make_run("run-1", RunState.FINISHED, steps=STEPS)
    with RunRegistry(data_dir) as registry:
        registry.add(run.spec, state=run.state, steps=run.steps)
    data_dir.run("run-1").root.mkdir(parents=True)
    write(data_dir.run("run-1").store, steps_batch(0, STEPS))
    made = MainWindow(context)
    qtbot.addWidget(made)
    made.show()
    made.context.link.runs_changed.emit([run])
    yield made
    made.close_for_good()
    QtCore.QThreadPool.globalInstance().waitForDone()
    settle()


def shows_run(key: str, tab) -> bool:
    if key == "telemetry":
        return tab._steps_seen == STEPS
    if key == "analytics":
        return any(len(curve) == STEPS // 10 for curve in tab._answer.curves)
    return tab.pane.episode is not None


@pytest.mark.parametrize("break_", BROKEN, ids=lambda one: one.__name__)
def test_what_is_wrong_with_a_file_is_said_in_each_tab_and_mended_by_itself(
    qtbot, window, data_dir, break_
):
    ticks: list[int] = []
    timer = QtCore.QTimer(window, interval=5)
    timer.timeout.connect(lambda: ticks.append(1))
    mend = break_(data_dir.run("run-1").store)
    try:
        tabs = {}
        timer.start()
        for key in ("telemetry", "analytics", "replay"):
            window.do_open_tab(key, "run-1")
            tab = tabs[key] = window.tabs.currentWidget()
            qtbot.waitUntil(lambda tab=tab: bool(tab.trouble.told), timeout=WAIT_MS)
            assert BROKEN[break_] in tab.trouble.told
            assert NEXT[break_] in tab.trouble.told
            assert not shows_run(key, tab)
        qtbot.waitUntil(tabs["replay"].trouble.isVisible)
        tabs["replay"].trouble.copy.click()
        assert "telemetry.sqlite" in QtWidgets.QApplication.clipboard().text()
        before = len(ticks)
        qtbot.waitUntil(lambda: len(ticks) > before + 60, timeout=WAIT_MS)  # the window lives on
    finally:
        mend()
    for key, tab in tabs.items():
        window.tabs.setCurrentWidget(tab)
        qtbot.waitUntil(lambda key=key, tab=tab: shows_run(key, tab), timeout=WAIT_MS)
        assert not tab.trouble.told
        assert tab.trouble.isHidden()


def test_a_damaged_file_is_not_read_again_and_again(qtbot, tmp_path):
    """A large damaged file costs reading once, until it is another one."""
    place = tmp_path / "file"
    place.write_text("damaged")
    asked: list[str] = []

    def read() -> str:
        asked.append(place.read_text())
        if asked[-1] == "damaged":
            raise connection.StoreCorruptError("It is damaged.")
        return asked[-1]

    told, done = [], []
    signs = []

    def sign() -> object:
        signs.append(1)
        return patient.signs_of(place)

    asking = patient.Patient(QtCore.QCoreApplication.instance(), sign=sign)
    asking.ask(read, done=done.append, failed=told.append)
    qtbot.waitUntil(lambda: len(signs) > 3)
    assert (len(asked), len(told)) == (1, 1)
    place.write_text("mended!")
    qtbot.waitUntil(lambda: done == ["mended!"])
    asking.close()
    asking.deleteLater()


def test_a_run_whose_recording_has_trouble_says_so_until_it_is_over(window):
    link = window.context.link
    run = make_run("run-2", steps=5_000)
    link.runs_changed.emit([run])
    tab = window.tabs.tabs_of("run-2")[0]
    trouble = "Recording has stopped for want of room: 1,234 records are not kept."
    link.runs_changed.emit([make_run("run-2", steps=5_000, trouble=trouble, dropped=1_234)])
    assert tab.trouble.told == trouble
    assert [problem.message for problem in window.problems.problems] == [f"run-2: {trouble}"]
    assert shown(window, "run-2", "State") == "running, 1,234 not recorded"
    link.runs_changed.emit([make_run("run-2", steps=5_001, trouble=trouble, dropped=1_234)])
    assert len(window.problems.problems) == 1
    assert window.problems.problems[0].count == 1
    link.runs_changed.emit([make_run("run-2", RunState.FINISHED, steps=9_000, dropped=1_234)])
    assert not tab.trouble.told
    assert not window.problems.problems
    assert shown(window, "run-2", "State") == "finished, 1,234 not recorded"
    assert "1,234 records not, for want of room" in window.status.note.text()


def shown(window, run_id: str, title: str) -> str:
    model = window.model
    titles = [model.headerData(n, QtCore.Qt.Orientation.Horizontal) for n in range(13)]
    return str(model.index(model.row_of(run_id), titles.index(title)).data())
