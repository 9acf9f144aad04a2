from __future__ import annotations

import sys
import time

import pytest
from PySide6 import QtCore, QtWidgets
from window_parts import make_context, make_run, make_writer, publish, settle

from gym_gui.controllers.trainer_link import LinkState
from gym_gui.core.records import RunState
from gym_gui.ui.main_window import MainWindow
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab


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


def test_a_run_is_shown_from_its_start_to_the_close_of_its_tab(qtbot, window, data_dir):
    with make_writer("run-1", data_dir) as writer:
        tell(window, make_run("run-1"))
        (tab,) = window._agent_tabs["run-1"]
        assert isinstance(tab, FastLaneTab)
        assert window.tabs.tabText(0) == "CleanRL-Live-agent0"
        context = tab._quick.rootContext()
        assert context.contextProperty("fastLaneConsumer") is tab.consumer
        assert tab._engine is tab._quick.engine()
        with qtbot.waitSignal(tab.consumer.frame_ready, timeout=5000):
            publish(writer, 5)
        assert tab._item.lastReward == 5.0
        completed = window.context.live.run_completed
        with qtbot.waitSignal(completed, timeout=1000):
            tell(window, make_run("run-1", RunState.FINISHED, steps=42))
        assert not tab.consumer.is_active, "the ring is let go at the run's end"
        assert tab.message == "The run has ended"
        window.tabs.close_tab(0)
        assert window._agent_tabs == {}
        assert window.middle.currentWidget() is window.welcome


def test_each_worker_names_its_tabs(qtbot, window):
    tell(
        window,
        make_run("a", worker="spade_bdi", config={"jid": "walker@localhost"}),
        make_run("b", worker="sb3"),
        make_run("c", worker="cleanrl", config={"agent_id": "left"}),
    )
    texts = {window.tabs.tabText(index) for index in range(window.tabs.count())}
    assert texts == {"SPADE-BDI-Live-walker", "SB3-Live-agent0", "CleanRL-Live-left"}


def test_a_tab_detaches_and_docks_again_still_live(qtbot, window, data_dir):
    with make_writer("run-1", data_dir) as writer:
        tell(window, make_run("run-1"))
        (tab,) = window._agent_tabs["run-1"]
        detached = window.tabs.detach(tab)
        assert window.tabs.count() == 0
        with qtbot.waitSignal(tab.consumer.frame_ready, timeout=5000):
            publish(writer, 1)
        detached.close()
        assert window.tabs.widget(0) is tab
        qtbot.waitUntil(lambda: tab.consumer.is_active)
        with qtbot.waitSignal(tab.consumer.frame_ready, timeout=5000):
            publish(writer, 2)


def test_a_deletion_can_be_undone_and_is_sent_only_after(qtbot, window):
    tell(window, make_run("run-1", RunState.FINISHED))
    window.panel.select("run-1")
    window.do_delete_run()
    assert window.model.rowCount() == 0
    with qtbot.assertNotEmitted(window.panel.delete_confirmed):
        window.panel.undo_deleting()
    assert window.model.rowCount() == 1
    window.do_delete_run()
    with qtbot.waitSignal(window.panel.delete_confirmed) as confirmed:
        window.panel.finish_deleting()
    assert confirmed.args == ["run-1"]


def test_a_lost_recorder_is_said_in_plain_words_and_the_way_back_too(window):
    window.context.link.state_changed.emit(LinkState.LOST, "The socket is gone.")
    assert "training goes on" in window.status.recorder.text()
    assert window.status.recorder.toolTip() == "The socket is gone."
    window.context.link.state_changed.emit(LinkState.CONNECTED, "")
    assert window.status.recorder.text() == "Recorder ready"


def test_an_error_is_counted_listed_and_its_details_copied(qtbot, window):
    from gym_gui.core.errors import UsageError

    for _ in range(2):
        window.report("start", UsageError("No such script.", next_step="Choose another."))
    assert window.status.problems.text() == "1 problem"
    window.do_problems()
    dialog = window.findChild(QtWidgets.QDialog)
    assert "Choose another." in dialog.list.item(0).text()
    assert "(2 times)" in dialog.list.item(0).text()
    dialog.copy_details()
    assert "UsageError" in QtWidgets.QApplication.clipboard().text()
    dialog.close()


def test_the_palette_runs_the_command_that_is_typed(qtbot, window):
    from gym_gui.ui.widgets.command_palette import CommandPalette

    palette = CommandPalette(window.actions_by_name.values(), window)
    palette.open_over(window)
    qtbot.keyClicks(palette.line, "search ru")
    assert palette.list.topLevelItem(0).text(0) == "View: Search runs"
    with qtbot.waitSignal(window.actions_by_name["search_runs"].triggered):
        qtbot.keyClick(palette.line, QtCore.Qt.Key.Key_Return)


def test_every_command_has_a_method_and_no_shortcut_twice(window):
    keys = [action.shortcut().toString() for action in window.actions_by_name.values()]
    used = [key for key in keys if key]
    assert len(used) == len(set(used))


def test_preferences_are_saved_to_the_file_the_command_line_reads(qtbot, window, data_dir):
    from gym_gui.services.settings import Settings
    from gym_gui.ui.widgets.preferences_dialog import PreferencesDialog

    dialog = PreferencesDialog(window.context.settings, window)
    qtbot.addWidget(dialog)
    (theme,) = [
        box for box in dialog.findChildren(QtWidgets.QComboBox) if box.accessibleName() == "Theme"
    ]
    theme.setCurrentText("Light")
    with qtbot.waitSignal(dialog.applied):
        dialog.save()
    assert Settings.load(data_dir.settings)["window.theme"] == "light"


def test_a_shortcut_of_ones_own_is_used_at_once_and_two_of_the_same_are_refused(
    qtbot, window, data_dir
):
    from PySide6 import QtGui

    from gym_gui.services.settings import Settings

    window.do_preferences()
    from gym_gui.ui.widgets.preferences_dialog import PreferencesDialog

    dialog = window.findChild(PreferencesDialog)
    editors = dialog.shortcuts.editors
    editors["demo"].setKeySequence(QtGui.QKeySequence("Ctrl+N"))
    dialog.save()
    assert "New run" in dialog.problem.text()
    assert dialog.isVisible()
    editors["demo"].setKeySequence(QtGui.QKeySequence("Ctrl+D"))
    with qtbot.waitSignal(dialog.applied):
        dialog.save()
    assert window.actions_by_name["demo"].shortcut().toString() == "Ctrl+D"
    assert Settings.load(data_dir.settings).shortcuts == {"demo": "Ctrl+D"}


def test_a_data_folder_of_ones_choice_is_used_from_the_next_start_on(qtbot, tmp_path, monkeypatch):
    from gym_gui.core.paths import DATA_DIR_VARIABLE, DataDir
    from gym_gui.services.settings import Settings
    from gym_gui.ui.widgets.preferences_dialog import PreferencesDialog

    monkeypatch.delenv(DATA_DIR_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = DataDir().create()
    settings = Settings.load(before.settings)
    settings["window.theme"] = "dark"
    dialog = PreferencesDialog(settings, data_dir=before)
    qtbot.addWidget(dialog)
    dialog.folder.setText(str(tmp_path / "big disk"))
    dialog.save()
    assert DataDir().root == tmp_path / "big disk"
    assert Settings.load(DataDir().settings)["window.theme"] == "dark"
    back = PreferencesDialog(Settings.load(DataDir().settings), data_dir=DataDir())
    qtbot.addWidget(back)
    back.folder.setText(str(before.root))
    back.save()
    assert DataDir().root == before.root


def test_an_episode_that_is_chosen_anywhere_opens_in_the_replay(qtbot, window, monkeypatch):
    from gym_gui.ui import tab_registry

    class Chooser(QtWidgets.QWidget):
        episode_activated = QtCore.Signal(str, int, int)

    class Replay(QtWidgets.QWidget):
        shown = ()

        def show_episode(self, stream, episode, step=-1):
            self.shown = (stream, episode)

    monkeypatch.setattr(sys.modules[__name__], "make_chooser", lambda *_: Chooser(), raising=False)
    monkeypatch.setattr(sys.modules[__name__], "make_replay", lambda *_: Replay(), raising=False)
    monkeypatch.setattr(tab_registry, "_KINDS", dict(tab_registry._KINDS))
    for key, title, maker in (("choose", "Choose", "chooser"), ("replay", "Replay", "replay")):
        kind = tab_registry.TabKind(key, title, f"{__name__}:make_{maker}")
        tab_registry.register_tab(kind)
    tell(window, make_run("run-1", RunState.FINISHED))
    window.do_open_tab("choose", "run-1")
    window.tabs.find("run-1", "Choose").episode_activated.emit("run-1", 2, 7)
    assert window.tabs.find("run-1", "Replay").shown == (2, 7)


def test_a_renamed_and_tagged_run_keeps_it_over_news_and_is_found_by_it(qtbot, window, data_dir):
    from gym_gui.services.registry import RunRegistry
    from gym_gui.ui.widgets.run_details_dialog import RunDetailsDialog

    record = make_run("run-1")
    with RunRegistry(data_dir) as registry:
        registry.add(record.spec)
    tell(window, record)
    window.panel.select("run-1")
    window.do_edit_run()
    dialog = window.findChild(RunDetailsDialog)
    dialog.name.setText("Baseline")
    dialog.tags.setText("paper, seed 3, paper")
    dialog.accept()
    qtbot.waitUntil(lambda: window.model.record("run-1").spec.name == "Baseline")
    tell(window, make_run("run-1", steps=9))
    window.panel.search.setText("baseline paper")
    assert window.model.rowCount() == 1
    with RunRegistry(data_dir) as registry:
        assert registry.get("run-1").spec.tags == ["paper", "seed 3"]


def test_commands_take_every_selected_run(qtbot, window, data_dir):
    from gym_gui.services.registry import RunRegistry
    from gym_gui.ui.widgets.run_details_dialog import RunDetailsDialog

    runs = [make_run(f"run-{n}", RunState.FINISHED, created_ns=n) for n in (1, 2, 3)]
    with RunRegistry(data_dir) as registry:
        for run in runs:
            registry.add(run.spec, state=run.state)
    for run in runs:
        tell(window, run)
    window.panel.table.selectAll()
    assert sorted(window.panel.marked()) == ["run-1", "run-2", "run-3"]
    window.do_compare_runs()
    tab = window.tabs.currentWidget()
    qtbot.waitUntil(lambda: len(tab.chosen()) == 3)
    window.do_edit_run()
    dialog = window.findChild(RunDetailsDialog)
    dialog.group.setText("paper")
    dialog.tags.setText("best")
    dialog.accept()
    qtbot.waitUntil(lambda: all(window.model.record(r.run_id).spec.group == "paper" for r in runs))
    assert {window.model.record(r.run_id).spec.name for r in runs} == {r.run_id for r in runs}
    window.panel.grouping.setCurrentIndex(window.panel.grouping.findData("group"))
    assert window.panel.table.rowSpan(0, 0) == 1
    assert window.panel.table.columnSpan(0, 0) == 2
    assert sorted(window.panel.marked()) == ["run-1", "run-2", "run-3"]
    window.do_delete_run()
    assert window.model.total == 0
    window.panel.undo_deleting()
    assert window.model.total == 3


def test_closing_asks_while_a_run_trains(qtbot, window):
    tell(window, make_run("run-1"))
    window.close()
    assert window.isVisible()
    (box,) = window.findChildren(QtWidgets.QMessageBox)
    assert box.text() == "A run is still training."
    with qtbot.waitSignal(box.finished):
        box.button(QtWidgets.QMessageBox.StandardButton.Cancel).click()
    assert window.isVisible()
    settle()
    window.close()
    (box,) = window.findChildren(QtWidgets.QMessageBox)
    box.defaultButton().click()
    assert not window.isVisible()


def _descriptors() -> int:
    import os

    return len(os.listdir("/proc/self/fd"))


def _mapped_rings() -> int:
    with open("/proc/self/maps") as maps:
        return sum(".ring" in line for line in maps)


def test_closing_a_tab_200_times_leaves_nothing(qtbot, window, data_dir):
    import threading

    with make_writer("run-1", data_dir) as writer:

        def open_and_close() -> None:
            tell(window, make_run("run-1", RunState.QUEUED), make_run("run-1"))
            publish(writer, 3)
            window.tabs.close_run("run-1")
            settle()
            tell(window, make_run("run-1", RunState.QUEUED))

        for _ in range(5):
            open_and_close()
        mapped = _mapped_rings()
        before = (_descriptors(), threading.active_count(), mapped, timers(window))
        for _ in range(200):
            open_and_close()
        assert (_descriptors(), threading.active_count(), _mapped_rings(), timers(window)) == before


def timers(window: MainWindow) -> int:
    return sum(timer.isActive() for timer in window.findChildren(QtCore.QTimer))


def test_five_thousand_runs_are_all_listed(qtbot, window):
    now = time.time_ns()
    tell(
        window,
        *(
            make_run(f"r{number}", RunState.FINISHED, created_ns=now - number)
            for number in range(5000)
        ),
    )
    assert window.panel.count.text() == "5,000"
    window.panel.search.setText("r4999")
    assert window.panel.count.text() == "1 of 5,000"
