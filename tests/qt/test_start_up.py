from __future__ import annotations

import os
import subprocess
import sys

FORBIDDEN = (
    "grpc", "google.protobuf", "pyqtgraph", "numpy", "gymnasium", "torch", "apsw", "msgspec",
    "PIL", "cma", "zstandard", "psutil",
)  # fmt: skip

PROGRAM = """
import sys
from PySide6 import QtCore
from gym_gui import app
from gym_gui.core.paths import DataDir
application = app.make_application()
app.choose_graphics()
window = app.make_window(DataDir(sys.argv[1]).create())
window.show()
application.processEvents()
window.grab()
print(*sorted(sys.modules))
window.shutdown()
"""


def test_only_what_the_first_paint_needs_is_imported_before_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "data")],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "gym_gui.ui.main_window" in loaded
    assert [name for name in FORBIDDEN if name in loaded] == []
