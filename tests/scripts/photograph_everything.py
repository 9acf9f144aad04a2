"""Photographs whatever the window can show, to be looked at: every tab and page, every dialog,
empty states, errors. The golden pictures are a few of these; this is what a reviewer opens.

python tests/scripts/photograph_everything.py FOLDER             both themes, 100 % and 200 %, Xvfb
python tests/scripts/photograph_everything.py DATA_DIR PICTURES THEME        on the display there is
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import photograph_window
from PySide6 import QtCore, QtWidgets
from window_driver import Stage, Wait, drive

from gym_gui.core.errors import StoreBusyError
from gym_gui.core.paths import DataDir
from gym_gui.ui.widgets.tour import Tour

SCREENS = {1: "1280x800x24", 2: "2560x1600x24"}  # by scale factor
LOGGING_SCRIPT = """
import math, struct, sys, time
from pathlib import Path
import gymnasium
from torch.utils.tensorboard import SummaryWriter
env = gymnasium.make("CartPole-v1")
writer = SummaryWriter("runs/CartPole-v1__ppo__1")
for update in range(200):
    env.reset(seed=update)
    over = False
    while not over:
        _, _, one, other, _ = env.step(env.action_space.sample())
        over = one or other
    for tag, value in (("losses/value_loss", math.exp(-update / 60)),
                       ("losses/policy_loss", 0.1 * math.sin(update / 9)),
                       ("charts/learning_rate", 2.5e-4 * (1 - update / 200)),
                       ("charts/SPS", 900 + update)):
        writer.add_scalar(tag, value, update * 128)
writer.close()
Path(time.strftime("wandb/offline-run-%Y%m%d_%H%M%S-abc123")).mkdir(parents=True)
print("trained")
"""
FAILING_SCRIPT = """
import gymnasium
env = gymnasium.make("FrozenLake-v1")
env.reset(seed=1)
for _ in range(40):
    _, _, one, other, _ = env.step(env.action_space.sample())
    if one or other:
        env.reset()
raise RuntimeError("The loss is not a number after 40 steps: lower the learning rate.")
"""
PREFERENCES = ("Window", "Live pictures", "Interpreters", "Recording", "Storage", "Shortcuts")


def scenes(stage: Stage) -> Iterator[Wait]:
    """Walk through everything."""
    window = stage.window
    runs = window.context.live.records
    yield lambda: len(runs()) == 4, "the runs in the list"
    yield from stage.photograph("01-welcome")
    for part in (
        run_tabs, logger_tabs, empty_tabs, live, play, start_dialogs, preferences, dialogs,
        runs_panel, errors, tour,
    ):  # fmt: skip
        yield from part(stage)
        for dialog in window.findChildren(QtWidgets.QDialog):
            dialog.close()
        window.tabs.close_all()


def named(stage: Stage, word: str) -> str:
    """Return the id of the run whose name holds ``word``."""
    runs = stage.window.context.live.records()
    return next(run.run_id for run in runs if word in (run.spec.name or run.run_id))


def run_tabs(stage: Stage) -> Iterator[Wait]:
    window = stage.window
    window.panel.select(named(stage, "Demo"))
    window.do_open_tab("telemetry")
    tab: Any = window.tabs.currentWidget()
    for place in range(tab.tabs.count()):
        tab.tabs.setCurrentIndex(place)
        yield from stage.photograph(f"10-telemetry-{_slug(tab.tabs.tabText(place))}")
    window.do_open_tab("analytics")
    tab = window.tabs.currentWidget()
    yield lambda: len(tab._items()) == 4, "the runs in Analytics"
    tab.choose([run.run_id for run in window.context.live.records() if run.spec.name == "Demo"])
    for place in range(tab.pages.count()):
        tab.pages.setCurrentIndex(place)
        yield from stage.photograph(f"11-analytics-{_slug(tab.pages.tabText(place))}")
    tab.choose([])
    tab.pages.setCurrentIndex(0)
    yield from stage.photograph("11-analytics-nothing-chosen")
    window.do_open_tab("replay")
    yield from photograph_window._fill("replay", stage)
    tab = window.tabs.currentWidget()
    tab.go_to_step(20)
    yield from stage.photograph("12-replay-step")
    tab.verify.button.click()
    yield from stage.photograph("12-replay-verified")
    others = [tab.bar.beside.itemData(place) for place in range(tab.bar.beside.count())]
    tab.show_beside(next(run for run in others if run and "demo" in run))
    yield from stage.photograph("12-replay-beside")


def logger_tabs(stage: Stage) -> Iterator[Wait]:
    window = stage.window
    window.panel.select(named(stage, "Logger"))
    for key in ("tensorboard", "wandb"):
        window.do_open_tab(key)
        tab: Any = window.tabs.currentWidget()
        yield lambda tab=tab: len(tab._plots) > 1, f"the plots of {key}"
        yield from stage.photograph(f"13-{key}")
    window.do_open_tab("telemetry")
    tab = window.tabs.currentWidget()
    tab.tabs.setCurrentIndex(2)
    yield from stage.photograph("13-telemetry-metrics")


def empty_tabs(stage: Stage) -> Iterator[Wait]:
    window = stage.window
    window.panel.select(named(stage, "fails"))
    for key in ("telemetry", "analytics", "replay", "tensorboard", "wandb", "grid"):
        window.do_open_tab(key)
        yield from stage.photograph(f"14-failed-{key}")


def live(stage: Stage) -> Iterator[Wait]:
    """A run while it trains, and after it was stopped."""
    window = stage.window
    before = {run.run_id for run in window.context.live.records()}
    window.do_demo()
    yield lambda: len(window._agent_tabs) == 1, "the live tab"
    tab = next(iter(window._agent_tabs.values()))[0]
    yield from stage.snapshot("20-live-waiting")
    yield lambda: tab.consumer.frames > 60, "live pictures"
    yield from stage.snapshot("20-live")
    window.do_open_tab("telemetry")
    yield from stage.pass_s(2.5)
    yield from stage.snapshot("21-live-telemetry")
    window.do_open_tab("grid")
    yield from stage.pass_s(1)
    yield from stage.snapshot("22-live-grid")
    window.tabs.reveal(tab)
    tab._bar.pause.click()
    yield from stage.pass_s(1.5)
    yield from stage.snapshot("23-live-paused")
    tab._bar.pause.click()
    window.tabs.detach(tab)
    yield from stage.pass_s(0.5)
    yield from stage.snapshot("24-live-detached")
    window.tabs.dock(tab)
    window.close()
    yield lambda: stage.front() is not window, "the question before closing"
    yield from stage.snapshot("25-close-question")
    yield from stage.close_front()
    run_id = ({run.run_id for run in window.context.live.records()} - before).pop()
    window.context.link.cancel(run_id)
    yield lambda: window.context.live.record(run_id).state.is_final, "the run to stop"
    yield from stage.pass_s(0.5)
    yield from stage.snapshot("26-live-ended")
    window.panel.select(run_id)
    window.do_delete_run()
    yield from stage.snapshot("27-undo")
    window.panel.finish_deleting()
    yield lambda: len(window.context.live.records()) == 4, "the run to be deleted"
    yield from stage.pass_s(8)  # the toast goes


def play(stage: Stage) -> Iterator[Wait]:
    window = stage.window
    window.do_open_tab("play")
    tab: Any = window.tabs.currentWidget()
    yield from stage.photograph("30-play")
    for env_id in ("CartPole-v1", "Pendulum-v1"):
        tab.setup.environment.setCurrentText(env_id)
        tab.setup.play.click()
        yield lambda: not tab.screen_.image.isNull() and tab.session.is_running, "the picture"
        yield from stage.photograph(f"31-play-{env_id.lower()}")
        if env_id == "CartPole-v1":
            tab.edit_keys()
            yield lambda: stage.front() is not window, "the key editor"
            yield from stage.photograph("32-keys")
            yield from stage.close_front()
        tab.setup.play.click()
        yield lambda: tab.setup.play.text() == "Play", "the session to end"
    tab.setup.environment.setCurrentText("NoSuch-v0")
    tab.setup.play.click()
    yield from stage.pass_s(3)
    yield from stage.photograph("33-play-unknown")


def start_dialogs(stage: Stage) -> Iterator[Wait]:
    """The form of every worker, and the dialog's other pages."""
    window = stage.window
    window.do_new_run()
    yield lambda: stage.front() is not window, "the dialog"
    dialog: Any = stage.front()
    yield from stage.photograph("40-start-first")
    for place in range(dialog._worker.count()):
        name = dialog._worker.itemData(place)
        dialog._worker.setCurrentIndex(place)
        yield from stage.pass_s(1)
        yield from stage.photograph(f"41-start-{name}")
        if name == "sb3":
            dialog._form._rows["env_id"][1].set_value("LunarLander-v3")
            yield from stage.pass_s(4)
            yield from stage.photograph("42-start-preview")
            dialog._tabs.setCurrentIndex(1)
            yield from stage.photograph("42-start-options")
            dialog._tabs.setCurrentIndex(2)
            dialog._sweep._rows[0][1].setText("1-5")
            yield from stage.pass_s(1)
            yield from stage.photograph("42-start-sweep")
            dialog._sweep._rows[0][1].clear()
            dialog._tabs.setCurrentIndex(0)
            dialog._form._rows["env_id"][1].set_value("NoSuch-v3")
            yield from stage.pass_s(1)
            yield from stage.photograph("42-start-unknown")
    yield from stage.close_front()


def preferences(stage: Stage) -> Iterator[Wait]:
    window = stage.window
    window.do_preferences()
    dialog: Any = stage.front()
    for page in PREFERENCES:
        dialog.show_page(page)
        yield from stage.photograph(f"50-preferences-{_slug(page)}")
    yield from stage.close_front()


def dialogs(stage: Stage) -> Iterator[Wait]:
    window = stage.window
    window.panel.select(named(stage, "Demo"))
    for name, opens in (
        ("shortcuts", window.do_shortcuts),
        ("palette", window.do_find_command),
        ("details", window.do_edit_run),
        ("policies", window.do_policies),
        ("about", window.do_about),
        ("problems-none", window.do_problems),
    ):
        opens()
        yield lambda: stage.front() is not window, f"the dialog {name}"
        yield from stage.photograph(f"51-{name}")
        yield from stage.close_front()
    window.do_open_tab("replay")
    yield from photograph_window._fill("replay", stage)
    window.tabs.currentWidget().open_export()
    yield lambda: stage.front() is not window, "the export dialog"
    yield from stage.photograph("52-export")
    yield from stage.close_front()
    for menu in window.menuBar().actions():
        menu.menu().popup(window.menuBar().mapToGlobal(
            window.menuBar().actionGeometry(menu).bottomLeft()))  # fmt: skip
        yield from stage.photograph(f"53-menu-{menu.text().lower()}")
        menu.menu().close()
    window._show_run_menu(window.panel.selected, window.mapToGlobal(QtCore.QPoint(120, 150)))
    yield from stage.photograph("53-menu-of-run")
    yield from stage.close_front()


def runs_panel(stage: Stage) -> Iterator[Wait]:
    panel = stage.window.panel
    panel.grouping.setCurrentIndex(panel.grouping.findData("environment"))
    yield from stage.photograph("60-runs-grouped")
    panel.grouping.setCurrentIndex(0)
    panel.search.setText("no such run")
    yield from stage.photograph("61-runs-no-match")
    panel.search.clear()
    panel.table.selectAll()
    yield from stage.photograph("62-runs-all-selected")
    bar = panel.table.horizontalScrollBar()
    bar.setValue(bar.maximum())
    yield from stage.photograph("63-runs-scrolled")
    bar.setValue(0)


def errors(stage: Stage) -> Iterator[Wait]:
    window = stage.window
    window.report(
        "plots",
        StoreBusyError(
            "The file of run Demo is locked by another program.",
            next_step="Close the program that has telemetry.sqlite open; it is read again then.",
        ),
    )
    window.report("unexpected", ZeroDivisionError("division by zero"))
    yield from stage.photograph("70-problem-said")
    window.do_problems()
    yield lambda: stage.front() is not window, "the problems"
    yield from stage.photograph("71-problems")
    yield from stage.close_front()
    window.notifier.tell("Demo", "The training finished after 12 min.", run_id="x", bad=False)
    window.notifier.tell("A run that fails", "It failed after 3 s.", run_id="y", bad=True)
    yield from stage.photograph("72-toasts")
    window.status.progress.begin("x", "Importing cartpole/human-v0…", cancel=lambda: None)
    yield from stage.pass_s(1)
    yield from stage.snapshot("73-progress")
    window.status.progress.end("x")


def tour(stage: Stage) -> Iterator[Wait]:
    window = stage.window
    window.do_tour()
    for place in range(len(window.tour_stops())):
        yield from stage.photograph(f"80-tour-{place}")
        stage.window.findChild(Tour).next.click()


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


# -- recording ---------------------------------------------------------------------------------


def record(data_dir: Path) -> None:
    """Record what the pictures show: two demonstrations, a run with loggers, one that fails."""
    photograph_window.record_runs(data_dir)
    scripts = {"Logger of curves": LOGGING_SCRIPT, "A run that fails": FAILING_SCRIPT}
    for name, script in scripts.items():
        folder = data_dir / name.split()[-1]  # what one logs is not looked for under the other
        folder.mkdir()
        path = folder / "train.py"
        path.write_text(script, encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "gym_gui", "run", "--headless", "--name", name, "--", str(path)],
            env={**os.environ, "GYM_GUI_DATA_DIR": str(data_dir)}, cwd=folder, check=False,
        )  # fmt: skip
    write_wandb(next((data_dir / "curves" / "wandb").iterdir()))


def write_wandb(folder: Path) -> None:
    """Write an offline file of W&B as its library does, small enough for one block."""

    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 & 0x7F | 2 | (0x80 if number > 15 else 0)]) + (
            (b"\x01" if number > 15 else b"") + bytes([len(data)]) + data
        )

    def chunk(data: bytes) -> bytes:
        return struct.pack("<IHB", 0, len(data), 1) + data

    told = field(1, b"abc123") + field(3, b"cartpole") + field(8, b"brisk-lake-7")
    out = b":W&B\xe1\xbe\x00" + chunk(field(17, told))
    for step in range(100):
        loss, reward = f"{2 / (1 + step):.4f}".encode(), str(step * 2).encode()
        items = b"".join(
            field(1, field(1, key) + field(16, value))
            for key, value in ((b"loss", loss), (b"return", reward), (b"sps", b"1200"))
        )
        out += chunk(field(2, items + field(2, bytes([8, step]))))
    (folder / "run-abc123.wandb").write_bytes(out)


def photograph_all(folder: Path) -> None:
    """Take all pictures in both themes and at both scales into ``folder``."""
    for scale in SCREENS:
        for theme in photograph_window.THEMES:
            photograph(folder / f"{theme}-{scale}00", theme, scale)


def photograph(pictures: Path, theme: str, scale: int) -> None:
    """Take all pictures in one theme and scale, of runs of their own: the scenes add and delete."""
    with tempfile.TemporaryDirectory(prefix="gym-gui-pictures-") as scratch:
        data = Path(scratch) / "data"
        record(data)
        screen = f"-screen 0 {SCREENS[scale]}"
        command = ["xvfb-run", "-a", "-s", screen, sys.executable, __file__]
        own = {"QT_QPA_PLATFORM": "xcb", "QT_SCALE_FACTOR": str(scale)}
        try:
            subprocess.run(
                [*command, str(data), str(pictures), theme], env={**os.environ, **own}, check=False
            )
        finally:
            photograph_window.gym_gui(data, "daemon", "stop")


if __name__ == "__main__":
    if len(sys.argv) == 1 or sys.argv[1].startswith("-"):
        print(__doc__)
    elif len(sys.argv) == 2:
        photograph_all(Path(sys.argv[1]))
    else:
        sys.exit(drive(DataDir(sys.argv[1]), Path(sys.argv[2]), scenes, theme=sys.argv[3]))
