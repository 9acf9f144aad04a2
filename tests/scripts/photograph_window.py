"""Photographs the window: every tab, dialog, empty state and error, from recorded runs.

photograph_window.py DATA_DIR PICTURES THEME [SCENE...]: writes PICTURES/THEME-SCENE.png.
DATA_DIR holds what ``gallery_data.py`` recorded. ``--list`` names the scenes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui import app
from gym_gui.core.errors import StoreCorruptError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord
from gym_gui.fastlane import FastLaneMetrics, FastLaneWriter
from gym_gui.services.settings import Settings

SIZE = (1280, 720)
PATIENCE_S = 40.0
Scene = Callable[["Photographer"], None]
SCENES: dict[str, Scene] = {}


def scene(function: Scene) -> Scene:
    """Offer a function as a scene of its name."""
    SCENES[function.__name__] = function
    return function


class Photographer:
    """One window over the recorded runs, and the means to bring it into a state."""

    def __init__(self, data_dir: DataDir, pictures: Path, theme: str) -> None:
        self.pictures, self.theme = pictures, theme
        self.application = app.make_application()
        app.choose_graphics()
        settings = Settings.load(data_dir.settings)
        settings["window.theme"], settings["window.tour_seen"] = theme, True
        settings.save()
        self.window = app.make_window(data_dir)
        self.window.resize(*SIZE)
        self.window.move(0, 0)
        self.window.show()
        self.window.context.link.start()

    def until(self, condition: Callable[[], Any], what: str = "") -> None:
        """Let the program live until ``condition`` holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited for {what or condition}")
            self.application.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.005)

    def rest(self, seconds: float = 0.3) -> None:
        """Let what is under way be painted."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)

    def run(self, name: str) -> RunRecord:
        """Return the recorded run of that name, as soon as the window knows it."""
        runs = self.window.context.live.records
        self.until(lambda: any(run.spec.name == name for run in runs()), f"run {name}")
        return next(run for run in runs() if run.spec.name == name)

    def open(self, key: str, name: str) -> Any:
        """Open a tab of a run and return its widget."""
        from gym_gui.ui.tab_registry import tab_kind

        run_id = self.run(name).run_id if name else ""
        self.window.panel.select(run_id)
        self.window.do_open_tab(key, run_id)
        return self.window.tabs.find(run_id, tab_kind(key).title)

    def dialog(self) -> Any:
        """Return the dialog on top."""
        self.until(lambda: self._dialogs(), "a dialog")
        return self._dialogs()[-1]

    def _dialogs(self) -> list[QtWidgets.QDialog]:
        return [
            widget
            for widget in self.application.topLevelWidgets()
            if isinstance(widget, QtWidgets.QDialog) and widget.isVisible()
        ]

    def shoot(self, name: str) -> None:
        """Photograph the screen where the window is, with what stands over it."""
        self.rest()
        screen = self.window.screen()
        place = self.window.frameGeometry()
        picture = screen.grabWindow(0, place.x(), place.y(), place.width(), place.height())
        picture.save(str(self.pictures / f"{self.theme}-{name}.png"))

    def clear(self) -> None:
        """Close dialogs and tabs."""
        for dialog in self._dialogs():
            dialog.close()
        self.window.tabs.close_all()
        self.rest(0.1)

    def close(self) -> None:
        self.window.close_for_good()
        self.window.context.link.stop()
        self.rest(0.1)


# -- scenes ---------------------------------------------------------------------------------------


@scene
def welcome(at: Photographer) -> None:
    at.run("demo seed 4")


@scene
def live(at: Photographer) -> None:
    run = at.run("demo seed 3")
    with _ring(at, run.run_id):
        at.window.panel.select(run.run_id)
        at.window._open_live_tabs(run, select=True)
        (tab,) = at.window._agent_tabs[run.run_id]
        at.until(lambda: tab.consumer.frame is not None, "a picture")
        at.shoot("live")


@scene
def grid(at: Photographer) -> None:
    run = at.run("demo seed 3")
    with _ring(at, run.run_id, tiles=16):
        tab = at.open("grid", "demo seed 3")
        at.until(lambda: len(tab.grid.tiles if hasattr(tab, "grid") else tab.tiles) == 16, "tiles")
        at.shoot("grid")


@scene
def waiting(at: Photographer) -> None:
    run = at.run("demo seed 3")
    at.window._open_live_tabs(run, select=True)


@scene
def telemetry(at: Photographer) -> None:
    at.open("telemetry", "demo seed 3")
    at.rest(1.0)


@scene
def analytics(at: Photographer) -> None:
    at.open("analytics", "demo seed 3")
    at.rest(2.0)


@scene
def replay(at: Photographer) -> None:
    tab = at.open("replay", "demo seed 3")
    at.until(lambda: tab.pane.episode is not None, "the episode")
    tab.go_to_step(60)
    at.rest(2.0)


@scene
def tensorboard(at: Photographer) -> None:
    at.open("tensorboard", "demo seed 3")
    at.rest(1.5)


@scene
def wandb(at: Photographer) -> None:
    at.open("wandb", "demo seed 3")
    at.rest(1.5)


@scene
def play(at: Photographer) -> None:
    at.open("play", "")
    at.rest(2.0)


@scene
def failed(at: Photographer) -> None:
    at.open("telemetry", "no such environment")
    at.rest(1.0)


@scene
def start(at: Photographer) -> None:
    at.window.do_new_run()
    at.rest(4.0)


@scene
def preferences(at: Photographer) -> None:
    at.window.do_preferences()
    at.dialog()


@scene
def shortcuts(at: Photographer) -> None:
    at.window.do_shortcuts()


@scene
def palette(at: Photographer) -> None:
    at.window.do_find_command()


@scene
def details(at: Photographer) -> None:
    at.window.panel.select(at.run("demo seed 3").run_id)
    at.window.do_edit_run()


@scene
def problems(at: Photographer) -> None:
    at.window.report("follow", StoreCorruptError("The file is damaged.", next_step="Mend it."))
    at.window.do_problems()


@scene
def about(at: Photographer) -> None:
    at.window.do_about()


@scene
def no_match(at: Photographer) -> None:
    at.run("demo seed 3")
    at.window.panel.search.setText("nothing of that name")
    at.rest()
    at.shoot("no_match")
    at.window.panel.search.clear()


@scene
def undo(at: Photographer) -> None:
    at.window.panel.select(at.run("demo seed 3").run_id)
    at.window.do_delete_run()
    at.shoot("undo")
    at.window.panel.undo_deleting()


@scene
def closing(at: Photographer) -> None:
    at.window.ask_before_closing([at.run("demo seed 3")])


@scene
def menu(at: Photographer) -> None:
    at.window.panel.select(at.run("demo seed 3").run_id)
    at.window._show_run_menu(
        at.run("demo seed 3").run_id, at.window.mapToGlobal(QtCore.QPoint(150, 200))
    )
    at.shoot("menu")
    for widget in at.application.topLevelWidgets():
        if isinstance(widget, QtWidgets.QMenu):
            widget.close()


class _ring:
    """A ring with one still picture, as a training would publish it."""

    def __init__(self, at: Photographer, run_id: str, *, tiles: int = 1) -> None:
        from gym_gui.fastlane.tiling import layout_for

        self._layout = layout_for(tiles, 300, 200, 3)
        self._writer = FastLaneWriter.create(
            run_id, self._layout.config, ring_dir=at.window.context.ring_dir
        )
        self._number = 0
        self._timer = QtCore.QTimer()
        self._timer.timeout.connect(self._publish)

    def __enter__(self) -> None:
        self._timer.start(30)

    def __exit__(self, *_: object) -> None:
        self._timer.stop()
        self._writer.close()

    def _publish(self) -> None:
        config = self._layout.config
        image = QtGui.QImage(config.width, config.height, QtGui.QImage.Format.Format_RGB888)
        image.fill(QtGui.QColor("#f7f7f7"))
        painter = QtGui.QPainter(image)
        for x in range(0, config.width, 300):
            for y in range(0, config.height, 200):
                painter.fillRect(x + 120, y + 140, 60, 24, QtGui.QColor("#111111"))
                painter.setPen(QtGui.QPen(QtGui.QColor("#c88c50"), 8))
                painter.drawLine(x + 150, y + 145, x + 165, y + 40)
        painter.end()
        rows = bytes(image.constBits())
        stride = image.bytesPerLine()
        data = b"".join(rows[y * stride :][: config.width * 3] for y in range(config.height))
        self._number += 1
        self._writer.publish(data, metrics=FastLaneMetrics(1.0, 142.5, 60.0), step=self._number)


def main() -> int:
    if "--list" in sys.argv:
        print(*SCENES)
        return 0
    data_dir, pictures, theme, *names = sys.argv[1:]
    at = Photographer(DataDir(data_dir), Path(pictures), theme)
    wrong = 0
    for name in names or SCENES:
        try:
            SCENES[name](at)
            if not (Path(pictures) / f"{theme}-{name}.png").exists():
                at.shoot(name)
        except Exception as error:  # noqa: BLE001 - one scene that fails does not spoil the others
            print(f"{name}: {error!r}", file=sys.stderr)
            wrong = 1
        at.clear()
    at.close()
    return wrong


if __name__ == "__main__":
    sys.exit(main())
