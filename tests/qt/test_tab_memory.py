"""The tabs of the last session come back: which, in what order and windows, and not at once."""

from __future__ import annotations

import pytest
from PySide6 import QtCore
from store_samples import steps_batch, write
from window_parts import make_context, make_run, settle

from gym_gui.core.records import RunState
from gym_gui.ui.main_window import MainWindow
from gym_gui.ui.tab_memory import LazyTab

RUNS = ("run-1", "run-2", "run-3")


@pytest.fixture
def open_window(qtbot, data_dir, tmp_path):
    """Open the program again over the same folder; ``runs`` are those the recorder knows."""
    windows = []

    def opened(*runs: str, restore: bool = True) -> MainWindow:
        for window in windows:
            window.close_for_good()
        context = make_context(data_dir)
        context.settings["window.restore_tabs"] = restore
        store = QtCore.QSettings(str(tmp_path / "window.ini"), QtCore.QSettings.Format.IniFormat)
        window = MainWindow(context, store=store)
        qtbot.addWidget(window)
        windows.append(window)
        window.show()
        if runs:
            tell(window, *runs)
        return window

    for run in RUNS:
        data_dir.run(run).root.mkdir(parents=True)
        write(data_dir.run(run).store, steps_batch(0, 40))
    yield opened
    windows[-1].close_for_good()
    settle()


def tell(window: MainWindow, *runs: str) -> None:
    window.context.link.runs_changed.emit([make_run(run, RunState.FINISHED) for run in runs])


def titles(window: MainWindow) -> list[str]:
    return [window.tabs.tabText(index) for index in range(window.tabs.count())]


def waiting(window: MainWindow) -> set[str]:
    pages = (w for w, _, _ in window.tabs.open_tabs() if isinstance(w, LazyTab))
    return {f"{page.entry.kind} {page.entry.run_id}" for page in pages}


def fill(window: MainWindow) -> None:
    window.do_open_tab("telemetry", "run-1")
    window.do_open_tab("replay", "run-2")
    window.do_open_tab("analytics", "run-3")
    window.do_open_tab("tensorboard", "run-1")
    window.do_open_tab("wandb", "run-1")
    window.tabs.detach(window.tabs.find("run-2", "Replay")).setGeometry(40, 50, 700, 560)
    window.tabs.setCurrentWidget(window.tabs.find("run-3", "Analytics"))


def test_tabs_come_back_in_their_order_and_windows_and_are_made_when_seen(qtbot, open_window):
    fill(open_window(*RUNS))
    window = open_window()
    assert titles(window) == []
    tell(window, "run-3")
    tell(window, "run-1", "run-2")
    expected = ["Live Telemetry · run-1", "Analytics · run-3", "TensorBoard · run-1", "W&B · run-1"]
    assert [title.replace("&&", "&") for title in titles(window)] == expected
    assert window.tabs.tabText(window.tabs.currentIndex()) == "Analytics · run-3"
    qtbot.waitUntil(lambda: not {"analytics run-3", "replay run-2"} & waiting(window))
    assert waiting(window) == {"telemetry run-1", "tensorboard run-1", "wandb run-1"}
    replay = window.tabs.find("run-2", "Replay")
    assert window.tabs.window_of(replay).geometry() == QtCore.QRect(40, 50, 700, 560)
    assert replay.isVisible()
    window.tabs.setCurrentIndex(0)
    qtbot.waitUntil(lambda: "telemetry run-1" not in waiting(window))
    assert titles(window)[0] == "Live Telemetry · run-1"
    assert window.tabs.currentWidget().isVisible()
    window.tabs.dock(replay)
    assert "Replay · run-2" in titles(window)


def test_runs_that_are_gone_are_left_out_and_forgotten(open_window):
    fill(open_window(*RUNS))
    window = open_window("run-3")
    assert titles(window) == ["Analytics · run-3"]
    assert titles(open_window(*RUNS)) == ["Analytics · run-3"]


def test_without_a_recorder_nothing_is_forgotten(open_window):
    fill(open_window(*RUNS))
    open_window()
    assert len(titles(open_window(*RUNS))) == 4


def test_a_remembered_tab_is_made_where_a_command_needs_it(qtbot, open_window):
    fill(open_window(*RUNS))
    window = open_window(*RUNS)
    window.panel.select("run-3")
    window.do_compare_runs()
    assert not waiting(window) & {"analytics run-3"}
    window.open_episode("run-2", 0, 1)
    assert not waiting(window) & {"replay run-2"}
    window.do_open_tab("telemetry", "run-1")
    assert titles(window).count("Live Telemetry · run-1") == 1


def test_what_was_asked_for_at_the_start_stays_in_front(qtbot, open_window):
    fill(open_window(*RUNS))
    window = open_window()
    window.memory.selects = False
    tell(window, *RUNS)
    window.do_open_tab("replay", "run-1")
    assert window.tabs.tabText(window.tabs.currentIndex()) == "Replay · run-1"


def test_who_does_not_want_them_gets_an_empty_window(open_window):
    fill(open_window(*RUNS))
    assert titles(open_window(*RUNS, restore=False)) == []
    assert titles(open_window(*RUNS)) == [], "they were still remembered"


def test_a_list_that_was_spoilt_counts_as_none(open_window, tmp_path):
    fill(open_window(*RUNS))
    open_window().close_for_good()
    store = QtCore.QSettings(str(tmp_path / "window.ini"), QtCore.QSettings.Format.IniFormat)
    store.setValue("tabs/here", "[{")
    store.sync()
    assert titles(open_window(*RUNS)) == []
