"""TensorBoard's scalars of a run, shown natively; the real TensorBoard on request."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import EventFolder, find_event_folders
from gym_gui.ui.widgets.scalars_tab import Drawn, ScalarsTab, reduce_points

_URL = re.compile(r"http://[^\s)]+")
_SERVE = "import sys\nfrom tensorboard.main import run_main\nsys.exit(run_main())\n"


class TensorBoardTab(ScalarsTab):
    """All points of the run's newest event folder, and a button for TensorBoard itself."""

    empty = "This run has written no TensorBoard files yet."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._folder: EventFolder | None = None
        self._server: QtCore.QProcess | None = None
        self._said = ""
        super().__init__(*args, **kwargs)
        self._open = QtWidgets.QPushButton("Open TensorBoard")
        self._open.setToolTip("Starts TensorBoard for this folder, on loopback, and opens it")
        self._open.clicked.connect(self.serve)
        self._open.setEnabled(False)
        self.head.addWidget(self._open)

    def read(self, spec: RunSpec) -> tuple[str, Drawn]:
        folders = find_event_folders(spec, self.run_dir)
        if not folders:
            return "", {}
        if self._folder is None or self._folder.folder != folders[0]:
            self._folder = EventFolder(folders[0])
        self._folder.update()
        line = str(self._folder.folder)
        if self._folder.damaged:
            line += f"   ({self._folder.damaged} damaged files were read as far as they go)"
        return line, {
            tag: reduce_points(points.step, points.value)
            for tag, points in self._folder.scalars.items()
        }

    def _take(self, answer: tuple[str, Drawn]) -> None:
        super()._take(answer)
        self._open.setEnabled(self._folder is not None)

    def serve(self) -> None:
        """Start TensorBoard on a free port of loopback; it ends with this tab."""
        if self._folder is None or self._server is not None:
            return
        self._said = ""
        self._open.setText("Starting TensorBoard…")
        server = self._server = QtCore.QProcess(self)
        server.setProcessChannelMode(QtCore.QProcess.ProcessChannelMode.MergedChannels)
        server.readyReadStandardOutput.connect(self._heard)
        server.finished.connect(self._ended)
        folder: Path = self._folder.folder
        words = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", "0"]
        server.start(sys.executable, ["-c", _SERVE, *words])

    def _heard(self) -> None:
        if self._server is None:
            return
        self._said += bytes(self._server.readAllStandardOutput().data()).decode("utf-8", "replace")
        found = _URL.search(self._said)
        if found:
            self._said = ""
            self._open.setText("TensorBoard is open")
            self._open.setToolTip(found[0])
            QtGui.QDesktopServices.openUrl(QtCore.QUrl(found[0]))

    def _ended(self) -> None:
        self._server = None
        self._open.setText("Open TensorBoard")
        lines = self._said.strip().splitlines()
        if lines:
            self._open.setToolTip(f"TensorBoard ended: {lines[-1]}")

    def cleanup(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.finished.disconnect(self._ended)
            server.kill()
            server.waitForFinished(2000)
        super().cleanup()


def make_tab(context: Any, run_id: str, parent: QtWidgets.QWidget | None = None) -> TensorBoardTab:
    """Return the tab for a run; ``context`` is the program's ``ProgramContext``."""
    return TensorBoardTab(run_id, context.record(run_id), data_dir=context.data_dir, parent=parent)
