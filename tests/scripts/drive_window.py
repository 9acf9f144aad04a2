"""Opens the program with the demonstration, as a person sees it, and photographs the screen.

drive_window.py DATA_DIR PICTURES: writes first.png, second.png and seen.json (the HUD's numbers).
"""

import json
import sys
from pathlib import Path

from PySide6 import QtCore, QtGui

from gym_gui import app
from gym_gui.core.paths import DataDir
from gym_gui.services.workers.demo import demo_spec

data_dir, pictures = DataDir(sys.argv[1]).create(), Path(sys.argv[2])
application = app.make_application()
windows = []
make_window = app.make_window
app.make_window = lambda folder: windows.append(make_window(folder)) or windows[-1]
spec = demo_spec(data_dir)
seen = []


def look() -> None:
    tabs = windows[0]._agent_tabs.get(spec.run_id, []) if windows else []
    if not tabs or tabs[0].consumer.frame is None or not tabs[0].isVisible():
        return
    frame = tabs[0].consumer.frame
    if seen and frame.step == seen[-1]["step"]:
        return  # early episodes are alike: the same step shows the same picture
    if frame.metrics.step_rate_hz <= 0 or frame.episode < 3:
        return
    item = tabs[0]._item
    seen.append(
        {
            "tab": windows[0].tabs.tabText(0),
            "step": frame.step,
            "episode": frame.episode,
            "last_reward": item.lastReward,
            "rolling_return": item.rollingReturn,
            "step_rate_hz": item.stepRateHz,
            "place": place_of(tabs[0]._quick),
        }
    )
    screen = QtGui.QGuiApplication.primaryScreen()
    screen.grabWindow(0).save(str(pictures / f"{len(seen)}.png"))
    if len(seen) == 2:
        watcher.stop()
        (pictures / "seen.json").write_text(json.dumps({"run_id": spec.run_id, "seen": seen}))
        windows[0].context.link.cancel(spec.run_id)
        windows[0].context.live.run_completed.connect(lambda *_: windows[0].close_for_good())


def place_of(widget) -> list[int]:
    corner = widget.mapToGlobal(QtCore.QPoint(0, 0))
    return [corner.x(), corner.y(), widget.width(), widget.height()]


watcher = QtCore.QTimer()
watcher.timeout.connect(look)
watcher.start(200)
sys.exit(app.main(data_dir, submit=spec))
