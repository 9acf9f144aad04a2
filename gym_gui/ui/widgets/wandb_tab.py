"""W&B: the history of a run's own offline file, its sync state, and the command that syncs it."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import OfflineRun, find_offline_runs
from gym_gui.ui.widgets.scalars_tab import Drawn, ScalarsTab, reduce_points


class WandbTab(ScalarsTab):
    """Charts from the offline file. Nothing is sent anywhere by this tab."""

    empty = (
        "This run has no offline file of W&B. Scripts write one with WANDB_MODE=offline; "
        "online runs show on W&B's own page."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._file: OfflineRun | None = None
        super().__init__(*args, **kwargs)
        self._copy = QtWidgets.QPushButton("Copy sync command")
        self._copy.setEnabled(False)
        self._copy.clicked.connect(self._copy_command)
        self._page = QtWidgets.QPushButton("Open its page")
        self._page.setEnabled(False)
        self._page.clicked.connect(self._open_page)
        self.head.addWidget(self._copy)
        self.head.addWidget(self._page)

    def read(self, spec: RunSpec) -> tuple[str, Drawn]:
        files = find_offline_runs(spec, self.run_dir)
        if not files:
            return "", {}
        if self._file is None or self._file.path != files[0]:
            self._file = OfflineRun(files[0])
        self._file.update()
        return self._describe(self._file), {
            key: reduce_points(points.step, points.value)
            for key, points in self._file.history.items()
        }

    @staticmethod
    def _describe(file: OfflineRun) -> str:
        state = "sent to W&B" if file.synced else "not sent to W&B"
        written = "complete" if file.finished else "being written"
        line = (
            f"{file.project}/{file.name or file.run_id}: {written}, {state}.   {file.sync_command}"
        )
        if file.damaged:
            line += f"   ({file.damaged} records could not be read)"
        return line

    def _take(self, answer: tuple[str, Drawn]) -> None:
        super()._take(answer)
        self._copy.setEnabled(self._file is not None)
        known = self._file is not None and bool(self._file.synced and self._file.url)
        self._page.setEnabled(known)

    def _copy_command(self) -> None:
        if self._file is not None:
            QtWidgets.QApplication.clipboard().setText(self._file.sync_command)

    def _open_page(self) -> None:
        if self._file is not None:
            QtGui.QDesktopServices.openUrl(QtCore.QUrl(self._file.url))


def make_tab(context: Any, run_id: str, parent: QtWidgets.QWidget | None = None) -> WandbTab:
    """Return the tab for a run; ``context`` is the program's ``ProgramContext``."""
    return WandbTab(run_id, context.record(run_id), data_dir=context.data_dir, parent=parent)
