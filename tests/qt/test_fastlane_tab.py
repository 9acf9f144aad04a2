"""What the live tab's bar does: pace, budget, numbers, pictures and films; and what it says."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from PIL import Image
from PySide6 import QtCore, QtGui
from window_parts import make_writer, publish, settle

from gym_gui.core.errors import GymGuiError
from gym_gui.core.records import RunState
from gym_gui.fastlane import FastLaneConfig, FastLaneMetrics
from gym_gui.fastlane.layout import VIEW_ALL, VIEW_ONE
from gym_gui.ui import fastlane_consumer
from gym_gui.ui.widgets.capture import STILL_S, Film
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab
from gym_gui.ui.widgets.render_tabs import RenderTabs


@pytest.fixture
def make_tab(qtbot, data_dir, tmp_path):
    tabs = []

    def make(**options):
        made = FastLaneTab(
            "run-1", "agent0", ring_dir=data_dir.create().ring_dir, captures=tmp_path, **options
        )
        qtbot.addWidget(made)
        made.show()
        tabs.append(made)
        return made

    yield make
    for tab in tabs:
        tab.cleanup()
    settle()


def coloured(shade: int, side: int = 16) -> QtGui.QImage:
    image = QtGui.QImage(side, side, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtGui.QColor(shade, 0, 0))
    return image


@pytest.mark.parametrize(
    ("own_pace", "text"),
    [
        (0.0, "Script's own pace"),
        (60.0, "60 steps/s (as started)"),
        (2500.0, "2,500 steps/s (as started)"),
        (0.5, "0.5 steps/s (as started)"),
    ],
)
def test_the_first_speed_names_the_pace_the_run_was_started_with(make_tab, own_pace, text):
    assert make_tab(own_pace=own_pace)._bar.speed.itemText(0) == text


def test_speed_pause_and_the_way_back_reach_the_training(qtbot, data_dir, make_tab):
    tab = make_tab(own_pace=60.0)
    bar = tab._bar
    with make_writer("run-1", data_dir) as writer:
        with qtbot.waitSignal(tab.consumer.frame_ready, timeout=5000):
            publish(writer, 1)
        bar.speed.setCurrentIndex(bar.speed.findData(10.0))
        assert writer.control() == (False, 10.0)
        bar.pause.click()
        assert writer.control() == (True, 10.0)
        bar.pause.click()
        bar.speed.setCurrentIndex(0)
        assert writer.control() == (False, 60.0)


def test_all_views_of_a_run_show_its_pause_and_any_of_them_ends_it(qtbot, data_dir, make_tab):
    with make_writer("run-1", data_dir) as writer:
        one, other = make_tab(own_pace=60.0), make_tab(own_pace=60.0)
        one._bar.pause.click()
        qtbot.waitUntil(other._bar.pause.isChecked)
        assert other._root.findChild(QtCore.QObject, "paused").property("visible")
        assert writer.control() == (True, 60.0)
        other._bar.pause.click()
        qtbot.waitUntil(lambda: not one._bar.pause.isChecked())
        assert one._consumer.asked is None, "it would pause again at its next look"
        assert not writer.control().paused
        assert not other._bar.pause.isChecked()
        other._bar.speed.setCurrentIndex(other._bar.speed.findData(10.0))
        qtbot.waitUntil(lambda: one._bar.speed.currentData() == 10.0)
        other.cleanup()
        qtbot.waitUntil(lambda: one._bar.speed.currentIndex() == 0)
        assert writer.control() == (False, 0.0)


def test_the_way_back_to_the_scripts_own_pace_ends_what_another_view_asked_for(
    qtbot, data_dir, make_tab
):
    with make_writer("run-1", data_dir) as writer:
        one, other = make_tab(), make_tab()
        one._bar.pause.click()
        qtbot.waitUntil(other._bar.pause.isChecked)
        other._bar.pause.click()
        assert not writer.control().paused
        qtbot.waitUntil(lambda: not one._bar.pause.isChecked())
        assert one._consumer.asked is None
        assert not writer.control().paused


def test_a_run_paused_from_elsewhere_is_shown_so_until_a_click_is_answered(
    qtbot, data_dir, make_tab
):
    with make_writer("run-1", data_dir):
        tab = make_tab()
        tab.take_state(RunState.PAUSED)
        assert tab._bar.pause.isChecked()
        tab._bar.pause.click()
        tab._show_pause()
        assert not tab._bar.pause.isChecked(), "the state of before the click counted"
        tab.take_state(RunState.RUNNING)
        assert not tab._bar.pause.isChecked()
        tab.take_state(RunState.PAUSED)
        assert tab._bar.pause.isChecked()


def test_a_budget_set_in_the_bar_is_what_the_training_sees(qtbot, data_dir, make_tab):
    tab = make_tab(budget=0.05)
    with make_writer("run-1", data_dir) as writer:
        qtbot.waitUntil(lambda: writer.demand().budget == pytest.approx(0.05))
        tab._bar.budget.setValue(20.0)
        qtbot.waitUntil(lambda: writer.demand().budget == pytest.approx(0.2))


def test_the_numbers_can_be_switched_off_and_on(make_tab):
    tab = make_tab()
    for shown in (False, True):
        tab._bar.hud.click()
        assert tab._root.property("hudVisible") is shown


def test_it_says_at_once_why_there_is_no_picture_and_shows_the_numbers(qtbot, data_dir, make_tab):
    tab = make_tab()
    assert tab.message == "Waiting for the agent"
    hud = tab._root.findChild(QtCore.QObject, "hud")
    with make_writer("run-1", data_dir) as writer:
        writer.set_hud(FastLaneMetrics(1.0, 2.0, 3.0))
        writer.cannot_draw("Own-v0: it has no render mode rgb_array.")
        qtbot.waitUntil(lambda: tab.message == "No pictures from this environment")
        assert tab._root.property("detail").startswith("Own-v0: it has no render mode rgb_array.")
        assert hud.property("visible")
        assert tab._bar.pause.isEnabled()
        writer.cannot_draw("")
        with qtbot.waitSignal(tab.consumer.frame_ready, timeout=5000):
            publish(writer, 1)
        assert tab.message == ""
    tab.run_ended("It finished after 3 episodes.")
    assert tab.message == "The run has ended"
    assert tab._root.property("detail") == "It finished after 3 episodes."
    assert not tab._bar.pause.isEnabled()


def test_a_run_without_live_pictures_says_so_and_what_to_do(make_tab):
    tab = make_tab(live="off")
    assert tab.message == "Live pictures are off for this run"
    assert "start it again with live pictures" in tab._root.property("detail")
    assert not tab._bar.pause.isEnabled()
    assert not tab.consumer.is_active
    tab.run_ended("It finished after 3 episodes.")
    assert tab.message == "The run has ended"


def test_an_agent_that_steps_without_a_ring_is_not_waited_for_in_silence(
    qtbot, data_dir, make_tab, monkeypatch
):
    monkeypatch.setattr(fastlane_consumer, "NO_RING_S", 0.0)
    tab = make_tab()
    tab.take_state(RunState.RUNNING, steps=0)
    assert tab.message == "Waiting for the agent"
    tab.take_state(RunState.RUNNING, steps=500)
    qtbot.waitUntil(lambda: tab.message == "No picture has come")
    assert "Its numbers, its recording" in tab._root.property("detail")
    assert not tab._bar.pause.isEnabled()
    with make_writer("run-1", data_dir) as writer:  # it comes after all
        with qtbot.waitSignal(tab.consumer.frame_ready, timeout=5000):
            publish(writer, 1)
        assert tab.message == ""
        assert tab._bar.pause.isEnabled()


@pytest.mark.parametrize(("live", "view"), [("grid", VIEW_ALL), ("single", VIEW_ONE)])
def test_one_environment_or_all_can_be_chosen_where_there_are_several(
    qtbot, data_dir, make_tab, live, view
):
    tab = make_tab(live=live)
    box = tab._bar.environments
    assert not box.isVisible()
    with make_writer("run-1", data_dir) as writer:
        qtbot.waitUntil(lambda: writer.demand().view == view)
        writer.resize(FastLaneConfig(16, 6, 3, tiles=2, columns=2, environments=2))
        halves = np.zeros((6, 16, 3), np.uint8)
        halves[:, 8:] = 200
        with qtbot.waitSignal(tab.consumer.frame_ready, timeout=5000) as arrived:
            writer.publish(halves)
        assert arrived.args[0].width() == (16 if live == "grid" else 8)
        assert box.isVisible()
        assert box.itemText(0) == "All 2 environments"
        for index, wanted in ((1, VIEW_ONE), (0, VIEW_ALL)):
            box.setCurrentIndex(index)
            assert writer.demand().view == wanted


def test_another_environments_picture_is_not_shown_for_the_wanted_one(qtbot, data_dir, make_tab):
    tab = make_tab(tile=1)
    with make_writer("run-1", data_dir) as writer:
        qtbot.waitUntil(lambda: writer.demand().view == VIEW_ONE + 1)
        writer.resize(FastLaneConfig(8, 6, 3, environments=3, first=2))
        with qtbot.assertNotEmitted(tab.consumer.frame_ready, wait=100):
            publish(writer, 1)
        writer.resize(FastLaneConfig(8, 6, 3, environments=3, first=1))
        with qtbot.waitSignal(tab.consumer.frame_ready, timeout=5000):
            publish(writer, 2)
        assert not tab._bar.environments.isVisible(), "this tab is about one"


@pytest.mark.parametrize("place", ["tab", "window of its own"])
def test_a_minimised_window_demands_nothing(qtbot, data_dir, make_tab, place):
    tab = make_tab()
    tabs = RenderTabs()
    qtbot.addWidget(tabs)
    tabs.add_dynamic_tab("run-1", "live", tab)
    tabs.show()
    window = tabs if place == "tab" else tabs.detach(tab)
    with make_writer("run-1", data_dir) as writer:
        qtbot.waitUntil(lambda: writer.demand().wanted_hz > 0)
        window.showMinimized()
        qtbot.waitUntil(lambda: writer.demand().wanted_hz == 0)
        window.showNormal()
        qtbot.waitUntil(lambda: writer.demand().wanted_hz > 0)
    tabs.close_all()


def test_a_picture_is_saved_at_its_own_size(qtbot, make_tab, tmp_path):
    tab = make_tab()
    tab.consumer.frame_ready.emit(coloured(200), FastLaneMetrics())
    with qtbot.waitSignals([tab.captured, tab.captured], timeout=5000):
        tab.capture_picture()
        qtbot.wait(5)
        tab.capture_picture()
    saved = sorted(tmp_path.glob("run-1-agent0-*.png"))
    assert len(saved) == 2, "one must not take the other's name"
    with Image.open(saved[0]) as image:
        assert image.size == (16, 16)
        assert image.convert("RGB").getpixel((3, 3)) == (200, 0, 0)


def test_a_film_is_saved_also_when_its_tab_is_closed(qtbot, make_tab, tmp_path):
    tab = make_tab()
    tab._bar._begin_film(".gif")
    tab.consumer.frame_ready.emit(coloured(200), FastLaneMetrics())
    tab.close()
    qtbot.waitUntil(lambda: bool(list(tmp_path.glob("*.gif"))))


def test_a_film_lasts_as_long_as_what_was_shown(tmp_path):
    film = Film(".gif")
    for at_s, shade in ((10.0, 50), (10.5, 100), (10.51, 150), (100.0, 200)):
        film.add(coloured(shade), at_s)
    with Image.open(film.save(tmp_path / "film.gif")) as image:
        assert image.n_frames == 3, "the third came sooner than a film's frames follow each other"
        stood_ms = []
        for number, shade in enumerate((50, 100, 200)):
            image.seek(number)
            stood_ms.append(image.info["duration"])
            assert image.convert("RGB").getpixel((3, 3)) == (shade, 0, 0)
        assert stood_ms == [500, STILL_S * 1000, 30]


def test_a_film_can_be_an_mp4(tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    film = Film(".mp4")
    for number in range(10):
        film.add(coloured(250 if number > 4 else 0, side=64), number / 10)
    path = film.save(tmp_path / "film.mp4")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    reds = np.frombuffer(raw, np.uint8).reshape(-1, 64, 64, 3)[..., 0].mean(axis=(1, 2))
    assert len(reds) == pytest.approx(28, abs=2)
    assert reds[0] < 20
    assert reds[-1] > 220


def test_a_film_of_nothing_says_so(tmp_path):
    with pytest.raises(GymGuiError, match="No frame came"):
        Film(".gif").save(tmp_path / "film.gif")
