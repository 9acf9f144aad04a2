from __future__ import annotations

import numpy as np
import pytest
from PySide6 import QtGui
from window_parts import make_writer, publish

from gym_gui.fastlane import FastLaneConfig, FastLaneMetrics, FastLaneWriter
from gym_gui.ui.fastlane_consumer import FastLaneConsumer, View, ViewConfig
from gym_gui.ui.renderers.fastlane_item import FastLaneItem, fitted
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab


@pytest.fixture
def consumer(qtbot):
    made = FastLaneConsumer()
    yield made
    made.stop()


def test_a_writers_frame_arrives_with_its_size_and_metrics(qtbot, data_dir, consumer):
    with make_writer("run-1", data_dir) as writer:
        with qtbot.waitSignal(consumer.frame_ready, timeout=5000) as arrived:
            consumer.start("run-1", ViewConfig(data_dir.ring_dir))
            publish(writer, 7)
        image, metrics = arrived.args
        assert (image.width(), image.height()) == (8, 6)
        assert metrics == FastLaneMetrics(7.0, 70.0, 700.0)
        assert image.pixelColor(3, 2) == QtGui.QColor(7, 7, 7)


def test_a_tab_shows_an_injected_image_offscreen(qtbot, data_dir, tmp_path):
    scene = tmp_path / "FastLaneView.qml"
    scene.write_text(
        "import QtQuick\nimport GymGui 1.0\n"
        "Item { property string message; property string detail; property bool hudVisible\n"
        "property bool paused; FastLaneItem { anchors.fill: parent } }\n"
    )
    tab = FastLaneTab("run-1", "agent0", ring_dir=data_dir.create().ring_dir, qml=scene)
    qtbot.addWidget(tab)
    tab.resize(320, 240)
    tab.show()
    image = QtGui.QImage(16, 16, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtGui.QColor("#ff0000"))
    tab.consumer.frame_ready.emit(image, FastLaneMetrics(1.0, 2.0, 3.0))
    item = tab.findChild(object) and tab._item
    assert (item.lastReward, item.rollingReturn, item.stepRateHz) == (1.0, 2.0, 3.0)
    qtbot.waitUntil(lambda: has_colour(tab, "#ff0000"))
    tab.cleanup()
    tab.cleanup()
    assert not tab.consumer.is_active


def has_colour(widget, colour: str) -> bool:
    image = widget.grab().toImage()
    return image.pixelColor(image.width() // 2, image.height() * 2 // 3) == QtGui.QColor(colour)


def test_nothing_is_emitted_when_there_is_no_newer_frame(qtbot, data_dir, consumer):
    with make_writer("run-1", data_dir) as writer:
        publish(writer, 1)
        with qtbot.waitSignal(consumer.frame_ready, timeout=5000):
            consumer.start("run-1", ViewConfig(data_dir.ring_dir))
        with qtbot.assertNotEmitted(consumer.frame_ready, wait=100):
            pass
        with qtbot.waitSignal(consumer.frame_ready, timeout=5000):
            publish(writer, 2)


def test_only_a_visible_viewer_demands_pictures(qtbot, data_dir, consumer):
    with make_writer("run-1", data_dir) as writer:
        assert writer.demand().wanted_hz == 0
        consumer.start("run-1", ViewConfig(data_dir.ring_dir, wanted_hz=30, budget=0.1))
        demand = writer.demand()
        assert (demand.wanted_hz, demand.budget) == (30, pytest.approx(0.1))
        consumer.set_visible(False)
        assert writer.demand().wanted_hz == 0
        consumer.set_visible(True)
        qtbot.waitUntil(lambda: writer.demand().wanted_hz == 30)
        consumer.stop()
        assert writer.demand().wanted_hz == 0


def test_a_hidden_viewer_keeps_the_training_paused(qtbot, data_dir, consumer):
    with make_writer("run-1", data_dir) as writer:
        consumer.start("run-1", ViewConfig(data_dir.ring_dir))
        consumer.set_control(paused=True, max_steps_per_s=None)
        assert writer.control().paused
        consumer.set_visible(False)
        assert writer.control().paused
        consumer.stop()
        qtbot.waitUntil(lambda: not writer.control().paused)


def test_a_new_writer_of_the_run_is_followed(qtbot, data_dir, consumer):
    consumer.start("run-1", ViewConfig(data_dir.ring_dir))
    assert consumer.view is View.WAITING
    for value in (1, 2):
        with make_writer("run-1", data_dir) as writer:
            with qtbot.waitSignal(consumer.frame_ready, timeout=5000) as arrived:
                publish(writer, value)
            assert arrived.args[1].last_reward == value
    consumer.run_ended()
    assert consumer.view is View.ENDED


def test_a_frame_of_another_size_is_shown_in_its_size(qtbot, data_dir, consumer):
    consumer.start("run-1", ViewConfig(data_dir.ring_dir))
    with make_writer("run-1", data_dir) as writer:
        for width, height in ((8, 6), (24, 10)):
            writer.resize(FastLaneConfig(width, height, 3))
            with qtbot.waitSignal(consumer.frame_ready, timeout=5000) as arrived:
                publish(writer, 9, width=width, height=height)
            image = arrived.args[0]
            assert (image.width(), image.height()) == (width, height)


@pytest.mark.parametrize(
    ("frame", "colour"),
    [
        (np.full((4, 5, 1), 90, np.uint8), (90, 90, 90)),
        (np.full((4, 5, 4), (10, 20, 30, 255), np.uint8), (10, 20, 30)),
        (np.full((5, 4, 3), (40, 50, 60), np.uint8).transpose(1, 0, 2), (40, 50, 60)),
    ],
    ids=["grey", "rgba", "transposed"],
)
def test_every_kind_of_frame_keeps_its_colours(qtbot, data_dir, consumer, frame, colour):
    config = FastLaneConfig(5, 4, frame.shape[2])
    consumer.start("run-1", ViewConfig(data_dir.ring_dir))
    with FastLaneWriter.create("run-1", config, ring_dir=data_dir.ring_dir) as writer:
        with qtbot.waitSignal(consumer.frame_ready, timeout=5000) as arrived:
            writer.publish(frame)
        image = arrived.args[0]
        assert (image.width(), image.height()) == (5, 4)
        assert image.pixelColor(2, 1) == QtGui.QColor(*colour)


def test_an_image_fits_with_its_aspect_kept():
    from PySide6 import QtCore

    area = QtCore.QRectF(0, 0, 400, 200)
    assert fitted(QtCore.QSize(100, 100), area) == QtCore.QRectF(100, 0, 200, 200)
    assert fitted(QtCore.QSize(), area).isEmpty()


def test_the_items_numbers_are_told_only_when_they_change(qtbot):
    item = FastLaneItem()
    image = QtGui.QImage(2, 2, QtGui.QImage.Format.Format_RGB32)
    with qtbot.waitSignal(item.hudChanged, timeout=1000):
        item.setFrame(image, 1.0, 2.0, 3.0)
    with qtbot.assertNotEmitted(item.hudChanged):
        item.setFrame(image, 1.0, 2.0, 3.0)
