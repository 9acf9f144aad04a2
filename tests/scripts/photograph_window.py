"""Photographs every tab and dialog of the program: the golden pictures, and those of the README.

python tests/scripts/photograph_window.py DATA_DIR PICTURES THEME    what the test calls
python tests/scripts/photograph_window.py --renew                    takes all anew, under Xvfb
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from window_driver import Stage, Wait, drive

from gym_gui.core.paths import DATA_DIR_VARIABLE, DataDir

CHECKOUT = Path(__file__).resolve().parents[2]
GOLDEN = CHECKOUT / "tests" / "qt" / "golden"
README_PICTURES = {"analytics": "analytics", "replay": "replay", "new-run": "start-dialog"}
THEMES = ("dark", "light")
TABS = ("telemetry", "analytics", "replay", "tensorboard", "wandb", "play")
DIALOGS = {
    "new-run": "Ctrl+N",
    "preferences": "Ctrl+,",
    "shortcuts": "F1",
    "palette": "Ctrl+K",
    "run-details": "F2",
}


def scenes(stage: Stage) -> Iterator[Wait]:
    """Walk through the program, one picture a scene."""
    window = stage.window
    runs = window.context.live.records
    yield lambda: len(runs()) == 2, "both runs in the list"
    yield from stage.photograph("welcome")
    window.panel.select(min(record.run_id for record in runs()))
    for key in TABS:
        window.do_open_tab(key)
        yield from _fill(key, stage)
        yield from stage.photograph(key)
    for name, keys in DIALOGS.items():
        yield from stage.press(keys)
        yield lambda: stage.front() is not window, f"the dialog {name}"
        if name == "new-run":
            yield from _choose_ppo(stage)
        yield from stage.photograph(name)
        yield from stage.close_front()


def _fill(key: str, stage: Stage) -> Iterator[Wait]:
    """Wait until a tab shows what it reads and simulates."""
    tab = stage.window.tabs.currentWidget()
    if key == "analytics":
        yield lambda: len(tab._items()) == 2, "both runs in Analytics"
        tab.choose([record.run_id for record in stage.window.context.live.records()])
        yield lambda: len(tab.chosen()) == 2, "both runs chosen"
    elif key == "replay":
        yield lambda: not tab.pane.screen_.image.isNull(), "the episode's first picture"


def _choose_ppo(stage: Stage) -> Iterator[Wait]:
    """Fill the dialog as a person would, with an algorithm and an environment."""
    dialog = stage.front()
    dialog._worker.setCurrentIndex(dialog._worker.findData("sb3"))
    yield lambda: not dialog._picture.pixmap().isNull(), "the environment's picture"


def record_runs(data_dir: Path) -> None:
    """Record the two runs that the pictures show: the demonstration with two seeds."""
    for seed in ("3", "4"):
        gym_gui(data_dir, "demo", "--headless", "--steps", "20000", "--seed", seed)


def gym_gui(data_dir: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "gym_gui", *words],
        env={**os.environ, DATA_DIR_VARIABLE: str(data_dir)},
        check=True,
        capture_output=True,
    )


def renew() -> None:
    """Take every golden picture anew, and the README's from them."""
    command = ["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", sys.executable, __file__]
    environment = {**os.environ, "QT_QPA_PLATFORM": "xcb"}
    with tempfile.TemporaryDirectory(prefix="gym-gui-pictures-") as folder:
        data = Path(folder) / "data"
        record_runs(data)
        try:
            for theme in THEMES:
                shutil.rmtree(GOLDEN / theme, ignore_errors=True)
                words = [str(data), str(GOLDEN / theme), theme]
                subprocess.run([*command, *words], env=environment, check=True)
        finally:
            gym_gui(data, "daemon", "stop")
    for golden, name in README_PICTURES.items():
        picture = CHECKOUT / "docs" / "pictures" / f"{name}.png"
        shutil.copyfile(GOLDEN / "dark" / f"{golden}.png", picture)


if __name__ == "__main__":
    if sys.argv[1:] == ["--renew"]:
        renew()
    else:
        sys.exit(drive(DataDir(sys.argv[1]), Path(sys.argv[2]), scenes, theme=sys.argv[3]))
