"""One live tab on one run, as the window has it: prints the frames shown for each line it is sent.

``python -m gym_gui.bench.overhead_viewer RING_DIR RUN_ID``
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(ring_dir: str, run_id: str) -> None:
    """Show the run until standard input closes."""
    from gym_gui.bench import gui_loop

    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    gui_loop.prepare()
    from PySide6 import QtCore

    from gym_gui.ui.widgets.fastlane_tab import FastLaneTab

    tab = FastLaneTab(run_id, "agent0", ring_dir=Path(ring_dir))
    tab.resize(640, 480)
    tab.show()
    loop = QtCore.QEventLoop()
    lines = QtCore.QSocketNotifier(sys.stdin.fileno(), QtCore.QSocketNotifier.Type.Read)

    def say() -> None:
        sys.stdout.write(f"{tab.consumer.frames}\n")
        sys.stdout.flush()

    def answer() -> None:
        if os.read(sys.stdin.fileno(), 1):
            say()
        else:
            loop.quit()

    lines.activated.connect(answer)
    say()
    loop.exec()
    lines.setEnabled(False)
    tab.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
