"""What a person expects of any good program: progress, messages, undo, drops, a tour."""

from __future__ import annotations

import threading

import pytest
from PySide6 import QtCore, QtGui, QtWidgets
from store_samples import steps_batch, write
from window_parts import make_context, make_run, settle

from gym_gui.core.records import RunState
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore
from gym_gui.ui.main_window import MainWindow
from gym_gui.ui.widgets.policies_dialog import PoliciesDialog
from gym_gui.ui.widgets.tour import Tour


@pytest.fixture
def window(qtbot, data_dir):
    made = MainWindow(make_context(data_dir))
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close_for_good()
    settle()


def tell(window: MainWindow, *runs) -> None:
    window.context.link.runs_changed.emit(list(runs))


def test_work_that_takes_longer_shows_progress_and_its_answer_can_be_cancelled(qtbot, window):
    release, answers = threading.Event(), []
    progress = window.status.progress
    window._work("Reading…", release.wait, done=answers.append, what="test")
    assert not progress.isVisible(), "what is quick shows no progress"
    qtbot.waitUntil(progress.isVisible)
    assert progress.text.text() == "Reading…"
    progress.cancel.click()
    assert not progress.isVisible()
    release.set()
    QtCore.QThreadPool.globalInstance().waitForDone()
    settle()
    assert answers == [], "a cancelled answer still came"
    window._work("Reading…", lambda: 3, done=answers.append, what="test")
    qtbot.waitUntil(lambda: answers == [3])


def test_work_that_fails_ends_its_progress_and_is_listed_as_a_problem(qtbot, window):
    def fail():
        raise OSError("no such thing")

    window._work("Reading…", fail, done=lambda _: None, what="open")
    qtbot.waitUntil(lambda: len(window.problems.problems) == 1)
    assert not window.status.progress._work


def test_a_run_that_fails_is_told_in_the_window_and_opens_at_a_click(qtbot, window):
    tell(window, make_run("run-1"))
    tell(window, make_run("run-1", RunState.FAILED, cause="No module named torch."))
    toast = window.notifier.toast
    assert toast.isVisible()
    assert "No module named torch." in toast.text.text()
    assert not toast._timer.isActive(), "what went wrong stays until it is closed"
    window.tabs.close_run("run-1")
    toast.open.click()
    assert not toast.isVisible()
    assert window.tabs.tabs_of("run-1")


def test_a_message_about_a_finished_run_goes_by_itself(window):
    tell(window, make_run("run-1"))
    tell(window, make_run("run-1", RunState.FINISHED))
    assert window.notifier.toast._timer.isActive()


def test_no_message_is_shown_to_who_wants_none(window):
    window.context.settings["window.notify"] = False
    tell(window, make_run("run-1"))
    tell(window, make_run("run-1", RunState.FINISHED))
    assert not window.notifier.toast.isVisible()


def test_a_closed_tab_comes_back(window):
    tell(window, make_run("run-1", RunState.FINISHED))
    window.do_open_tab("replay", "run-1")
    window.do_close_tab()
    assert window.tabs.count() == 0
    window.do_reopen_tab()
    assert window.tabs.tabText(0) == "Replay · run-1"
    window.do_close_tab()
    window.context.link.runs_removed.emit(["run-1"])
    window.do_reopen_tab()
    assert window.tabs.count() == 0, "the tab of a deleted run came back"


def drop(window, path) -> None:
    data = QtCore.QMimeData()
    data.setUrls([QtCore.QUrl.fromLocalFile(str(path))])
    action = QtCore.Qt.DropAction.CopyAction
    buttons, keys = QtCore.Qt.MouseButton.LeftButton, QtCore.Qt.KeyboardModifier.NoModifier
    enter = QtGui.QDragEnterEvent(QtCore.QPoint(10, 10), action, data, buttons, keys)
    let_go = QtGui.QDropEvent(QtCore.QPointF(10, 10), action, data, buttons, keys)
    for event in (enter, let_go):
        QtWidgets.QApplication.sendEvent(window, event)
        assert event.isAccepted()


def test_a_dropped_run_file_becomes_a_run_of_this_data_folder(qtbot, window, tmp_path, data_dir):
    from gym_gui.services.registry import RunRegistry

    path = write(tmp_path / "telemetry.sqlite", steps_batch(0, 20))
    with TelemetrySQLiteStore(path) as store, store.atomic():
        store.write_spec(make_run("somebody-elses", name="From a friend").spec)
    drop(window, path)
    qtbot.waitUntil(lambda: window.model.rowCount() == 1)
    run_id = window.model.run_at(0)
    assert window.panel.selected == run_id
    with RunRegistry(data_dir) as registry:
        record = registry.get(run_id)
    assert (record.spec.name, record.steps) == ("From a friend", 20)
    assert record.state is RunState.FINISHED
    assert data_dir.run(run_id).store.exists()


def test_a_dropped_file_that_is_no_run_is_refused_in_words_and_leaves_nothing(
    qtbot, window, tmp_path, data_dir
):
    path = tmp_path / "holiday.sqlite"
    path.write_text("not a database" * 100)
    drop(window, path)
    qtbot.waitUntil(lambda: len(window.problems.problems) == 1)
    assert "holiday.sqlite" in window.problems.problems[0].message
    assert not list(data_dir.runs.iterdir())


def test_a_dropped_script_opens_the_dialog_filled_with_it(qtbot, window, tmp_path):
    from gym_gui.ui.widgets.start_run_dialog import StartRunDialog

    script = tmp_path / "train.py"
    script.write_text("print('trained')")
    drop(window, script)
    qtbot.waitUntil(lambda: window.findChild(StartRunDialog) is not None)
    dialog = window.findChild(StartRunDialog)
    assert dialog.state()["values"]["script"] == str(script)
    with qtbot.waitSignal(dialog.finished):
        dialog.reject()


def test_the_tour_comes_to_its_end_and_is_remembered(qtbot, window, data_dir):
    from gym_gui.services.settings import Settings

    window.do_tour()
    tour = window.findChild(Tour)
    seen = []
    while tour.isVisible():
        seen.append(tour.title.text())
        assert tour.rect().contains(tour.card.geometry()), f"the card {seen[-1]!r} is cut off"
        tour.next.click()
    assert len(seen) == 6
    qtbot.waitUntil(lambda: Settings.load(data_dir.settings)["window.tour_seen"])


def test_the_palette_finds_runs_by_name(qtbot, window):
    from gym_gui.ui.widgets.command_palette import CommandPalette

    tell(window, make_run("run-1", RunState.FINISHED, name="Lunar baseline"))
    window.do_find_command()
    palette = window.findChild(CommandPalette)
    qtbot.keyClicks(palette.line, "lunar b")
    with qtbot.waitSignal(palette.run_chosen) as chosen:
        qtbot.keyClick(palette.line, QtCore.Qt.Key.Key_Return)
    assert chosen.args == ["run-1"]


def test_an_error_that_nobody_caught_is_listed_too(window):
    window.uncaught.emit(ZeroDivisionError("division by zero"))
    assert window.problems.problems[0].message == "ZeroDivisionError: division by zero"


def test_icons_follow_the_theme(window, qapp):
    from gym_gui.ui import theme
    from gym_gui.ui.icons import icon

    def colour() -> str:
        return icon("stop", "text").pixmap(24, 24).toImage().pixelColor(12, 12).name()

    try:
        theme.apply(qapp, "dark")
        assert colour() == theme.DARK.text
        theme.apply(qapp, "light")
        assert colour() == theme.LIGHT.text
    finally:
        theme.apply(qapp, "system")


def test_a_run_that_was_just_started_is_selected_alone(window):
    tell(window, make_run("old", RunState.FINISHED))
    window.panel.select("old")
    window.panel.select("new")
    tell(window, make_run("new"))
    assert window.panel.marked() == ["new"], "what is deleted or stopped next would be both"
    tell(window, make_run("newer"))
    assert window.panel.marked() == ["new"]


def test_a_dialog_that_is_closed_waits_for_no_answer(qtbot, window):
    tell(window, make_run("run-1", RunState.FINISHED))
    window.panel.select("run-1")
    window.do_policies()
    window.findChild(PoliciesDialog).close()
    settle()
    QtCore.QThreadPool.globalInstance().waitForDone()
    settle()
