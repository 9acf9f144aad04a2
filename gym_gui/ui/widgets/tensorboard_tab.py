"""TensorBoard's scalars of a run, shown natively; the real TensorBoard on request."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import EventFolder, Points, find_event_folders
from gym_gui.ui.translate import mark
from gym_gui.ui.widgets.scalars_tab import Scalars, ScalarsTab

_URL = re.compile(r"http://[^\s)]+")
_SERVE = "import sys\nfrom tensorboard.main import run_main\nsys.exit(run_main())\n"


class TensorBoardTab(ScalarsTab):
    """All points of the run's newest event folder, and a button for TensorBoard itself."""

    empty = mark(
        "This run has written no TensorBoard files yet.\n"
        "What a SummaryWriter logs appears here as it is written."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._folders: dict[Path, EventFolder] = {}
        self._shown_folder: Path | None = None  # chosen by the user; None: the newest
        self._server: QtCore.QProcess | None = None
        self._said = ""
        super().__init__(*args, **kwargs)
        self._choice = QtWidgets.QComboBox()
        self._choice.setAccessibleName(self.tr("Folder"))
        self._choice.hide()
        self._choice.activated.connect(self._choose)
        self._open = QtWidgets.QPushButton(self.tr("Open TensorBoard"))
        self._open.setToolTip(
            self.tr("Starts TensorBoard for this folder, on loopback, and opens it")
        )
        self._open.clicked.connect(self.serve)
        self._open.setEnabled(False)
        self.head.addWidget(self._choice)
        self.head.addWidget(self._open)

    def read_source(self, spec: RunSpec) -> tuple[str, Mapping[str, Points], int]:
        for found in find_event_folders(spec, self.run_dir):
            known = self._folders.get(found.folder)
            if known is None or known.pids != found.pids:
                self._folders[found.folder] = found
        folder = self._folder()
        if folder is None:
            return "", {}, 0
        folder.update()
        line = str(folder.folder)
        if folder.damaged:
            line += self.tr("   ({} damaged files were read as far as they go)").format(
                folder.damaged
            )
        return line, folder.scalars, 0 if folder.damaged else folder.unread_whole()

    def _folder(self) -> EventFolder | None:
        first = next(iter(self._folders.values()), None)
        return self._folders.get(self._shown_folder, first) if self._shown_folder else first

    def _take(self, found: Scalars) -> None:
        super()._take(found)
        self._open.setEnabled(bool(self._folders))
        names = [str(path) for path in self._folders]
        if [self._choice.itemData(row) for row in range(self._choice.count())] != names:
            self._choice.clear()
            for path in self._folders:
                self._choice.addItem(path.name, str(path))
        self._choice.setVisible(len(names) > 1)

    def _choose(self, row: int) -> None:
        self._shown_folder = Path(self._choice.itemData(row))
        self._tags.clear()
        self._made.clear()
        self.poll()

    def serve(self) -> None:
        """Start TensorBoard on a free port of loopback; it ends with this tab."""
        shown = self._folder()
        if shown is None or self._server is not None:
            return
        self._said = ""
        self._open.setText(self.tr("Starting TensorBoard…"))
        server = self._server = QtCore.QProcess(self)
        server.setProcessChannelMode(QtCore.QProcess.ProcessChannelMode.MergedChannels)
        server.readyReadStandardOutput.connect(self._heard)
        server.finished.connect(self._ended)
        words = ["--logdir", str(shown.folder), "--host", "127.0.0.1", "--port", "0"]
        server.start(sys.executable, ["-c", _SERVE, *words])

    def _heard(self) -> None:
        if self._server is None:
            return
        self._said += bytes(self._server.readAllStandardOutput().data()).decode("utf-8", "replace")
        found = _URL.search(self._said)
        if found:
            self._said = ""
            self._open.setText(self.tr("TensorBoard is open"))
            self._open.setToolTip(found[0])
            QtGui.QDesktopServices.openUrl(QtCore.QUrl(found[0]))

    def _ended(self) -> None:
        self._server = None
        self._open.setText(self.tr("Open TensorBoard"))
        lines = self._said.strip().splitlines()
        if lines:
            self._open.setToolTip(self.tr("TensorBoard ended: {}").format(lines[-1]))

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
