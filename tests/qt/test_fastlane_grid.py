from __future__ import annotations

import numpy as np
from PySide6 import QtCore, QtGui
from window_parts import make_context, make_run, settle

from gym_gui.core.records import RunState
from gym_gui.fastlane import FastLaneWriter
from gym_gui.fastlane.tiling import Tiling
from gym_gui.ui.main_window import MainWindow
from gym_gui.ui.widgets.fastlane_grid import FastLaneGrid, Tile, make_tab

SIDE = 10


def tiled_writer(data_dir, channel: str, tiles: int, columns: int) -> FastLaneWriter:
    config = Tiling(tiles, columns, SIDE, SIDE, 3).config
    return FastLaneWriter.create("run-1", config, ring_dir=data_dir.ring_dir, channel=channel)


def atlas(tiles: int, columns: int, first: int) -> np.ndarray:
    """Each tile is grey in a shade of its own: ``first`` plus ten for each."""
    rows = -(-tiles // columns)
    frame = np.zeros((rows * SIDE, columns * SIDE, 3), np.uint8)
    for index in range(tiles):
        row, column = divmod(index, columns)
        frame[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = (
            first + 10 * index
        )
    return frame


def test_the_tiles_of_all_rings_are_painted_each_in_its_place(qtbot, data_dir):
    data_dir.create()
    with tiled_writer(data_dir, "a", 4, 2) as one, tiled_writer(data_dir, "b", 3, 2) as two:
        grid = FastLaneGrid("run-1", ring_dir=data_dir.ring_dir)
        qtbot.addWidget(grid)
        grid.resize(640, 400)
        grid.show()
        one.publish(atlas(4, 2, 20))
        two.publish(atlas(3, 2, 120))
        qtbot.waitUntil(lambda: len(grid.tiles) == 7)
        assert grid.tiles[0] == Tile("a", 0)
        assert grid.tiles[-1] == Tile("b", 2)
        qtbot.waitUntil(lambda: shades(grid) == [20, 30, 40, 50, 120, 130, 140])
        with qtbot.waitSignal(grid.tile_requested) as asked:
            qtbot.mouseClick(
                grid.widget(), QtCore.Qt.MouseButton.LeftButton, pos=grid.rect_of(5).center()
            )
        assert asked.args == ["b", 1]
        assert one.demand().wanted_hz > 0
        grid.hide()
        assert one.demand().wanted_hz == 0
        grid.cleanup()


def shades(grid: FastLaneGrid) -> list[int]:
    image = grid.widget().grab().toImage()
    return [
        QtGui.QColor(image.pixel(grid.rect_of(number).center())).red()
        for number in range(len(grid.tiles))
    ]


def test_it_says_what_is_missing_and_lets_go_of_a_process_that_is_gone(qtbot, data_dir):
    context = make_context(data_dir)
    grid = FastLaneGrid("run-1", ring_dir=data_dir.ring_dir)
    qtbot.addWidget(grid)
    grid.show()
    assert "Waiting for the agent" in grid.words
    with tiled_writer(data_dir, "a", 2, 2) as one:
        one.cannot_draw("Own-v0: it has no <render> mode.")
        qtbot.waitUntil(lambda: "Own-v0: it has no &lt;render&gt; mode." in grid.words)
        one.cannot_draw("")
        one.publish(atlas(2, 2, 20))
        qtbot.waitUntil(lambda: len(grid.tiles) == 2)
        assert grid.words == ""
        with tiled_writer(data_dir, "b", 1, 1) as two:
            two.publish(atlas(1, 1, 120))
            qtbot.waitUntil(lambda: len(grid.tiles) == 3)
        qtbot.waitUntil(lambda: grid.tiles == [Tile("a", 0), Tile("a", 1)])
        assert "b" not in grid.consumers
    context.live.run_completed.connect(grid.take_ended)
    context.live.run_completed.emit("another", make_run("another"))
    assert "The run has ended" not in grid.words
    context.live.run_completed.emit("run-1", make_run("run-1"))
    assert "The run has ended" in grid.words
    assert len(grid.tiles) == 2, "the last pictures stay"
    grid.cleanup()
    off = FastLaneGrid("run-2", ring_dir=data_dir.ring_dir, live="off")
    qtbot.addWidget(off)
    assert "Live pictures are off for this run" in off.words
    off.cleanup()


def test_the_grid_of_a_run_that_ended_before_it_was_opened_says_so(qtbot, data_dir):
    context = make_context(data_dir)
    context.link.runs_changed.emit([make_run("run-1", RunState.FAILED)])
    grid = make_tab(context, "run-1")
    qtbot.addWidget(grid)
    grid.show()
    assert "The run has ended" in grid.words
    grid.cleanup()


def test_sixty_four_agents_fit_on_one_screen(qtbot, data_dir):
    data_dir.create()
    with tiled_writer(data_dir, "a", 64, 8) as writer:
        grid = FastLaneGrid("run-1", ring_dir=data_dir.ring_dir)
        qtbot.addWidget(grid)
        grid.resize(1000, 700)
        grid.show()
        writer.publish(np.zeros((8 * SIDE, 8 * SIDE, 3), np.uint8))
        qtbot.waitUntil(lambda: len(grid.tiles) == 64)
        viewport = grid.viewport().rect()
        assert all(viewport.contains(grid.rect_of(number)) for number in range(64))
        grid.cleanup()


def test_a_clicked_tile_opens_in_a_tab_that_shows_it_alone(qtbot, data_dir):
    window = MainWindow(make_context(data_dir))
    window.show()
    with tiled_writer(data_dir, "a", 4, 2) as writer:
        window.context.link.runs_changed.emit([make_run("run-1")])
        (whole,) = window._agent_tabs["run-1"]
        with qtbot.waitSignal(whole.consumer.frame_ready, timeout=5000):
            writer.publish(atlas(4, 2, 20))
        whole._item.tileClicked.emit(0.25, 0.75)  # row 1, column 0
        tile = window._agent_tabs["run-1"][1]
        assert tile.windowTitle() == "CleanRL-Live-agent0-2"
        with qtbot.waitSignal(tile.consumer.frame_ready, timeout=5000) as arrived:
            writer.publish(atlas(4, 2, 20))
        image = arrived.args[0]
        assert (image.width(), image.height()) == (SIDE, SIDE)
        assert image.pixelColor(5, 5).red() == 40
        whole._item.tileClicked.emit(0.25, 0.75)
        assert len(window._agent_tabs["run-1"]) == 2, "a tile that is open is shown, not doubled"
    window.close_for_good()
    settle()
