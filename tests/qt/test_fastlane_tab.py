"""What the live tab's bar does: pace, budget, numbers, pictures and films; and what it says."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from PIL import Image
from PySide6 import QtGui
from window_parts import make_writer, publish, settle

from gym_gui.core.errors import GymGuiError
from gym_gui.fastlane import FastLaneMetrics
from gym_gui.ui.widgets.capture import STILL_S, Film
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab


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


def test_it_says_why_there_is_no_picture(qtbot, data_dir, make_tab, monkeypatch):
    monkeypatch.setattr("gym_gui.ui.fastlane_consumer.NO_PICTURE_S", 0.0)
    tab = make_tab()
    assert tab.message == "Waiting for the agent"
    with make_writer("run-1", data_dir) as writer:
        steps = iter(range(1, 10_000))

        def is_said() -> bool:
            writer.set_hud(FastLaneMetrics(1.0, 2.0, float(next(steps))))
            return tab.message == "No pictures from this environment"

        qtbot.waitUntil(is_said)
    tab.run_ended("It finished after 3 episodes.")
    assert tab.message == "The run has ended"
    assert tab._root.property("detail") == "It finished after 3 episodes."
    assert not tab._bar.pause.isEnabled()


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
