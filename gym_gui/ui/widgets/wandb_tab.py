"""W&B: the history of a run's own offline file, its sync state, and the command that syncs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import RunSpec
from gym_gui.services.learner_logs import OfflineRun, Points, find_offline_runs
from gym_gui.ui.translate import mark
from gym_gui.ui.widgets.scalars_tab import Scalars, ScalarsTab

NOT_RUN = mark("The command sends the run to W&B; it is not run from here")


class WandbTab(ScalarsTab):
    """Charts from the run's own file, online or not. Nothing is sent anywhere by this tab."""

    empty = mark(
        "This run has written nothing for W&B yet.\n"
        "What wandb.log writes appears here, online and offline; nothing is sent from here."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._file: OfflineRun | None = None
        super().__init__(*args, **kwargs)
        self._copy = QtWidgets.QPushButton(self.tr("Copy sync command"))
        self._copy.setToolTip(self.tr(NOT_RUN))
        self._copy.setEnabled(False)
        self._copy.clicked.connect(self._copy_command)
        self._page_button = QtWidgets.QPushButton(self.tr("Open its page"))
        self._page_button.setEnabled(False)
        self._page_button.clicked.connect(self._open_page)
        self.head.addWidget(self._copy)
        self.head.addWidget(self._page_button)

    def read_source(self, spec: RunSpec) -> tuple[str, Mapping[str, Points], int]:
        found = find_offline_runs(spec, self.run_dir)
        if not found:
            return "", {}, 0
        if self._file is None or self._file.path != found[0].path:
            self._file = found[0]
        file = self._file
        file.update()
        return self._describe(file), file.history, file.unread_whole()

    def _describe(self, file: OfflineRun) -> str:
        if file.is_online and file.url:
            state = self.tr("online, sent as it trains; {}").format(file.url)
        elif file.is_online:
            state = self.tr("online, sent as it trains; its page is not known here")
        elif file.synced:
            state = self.tr("sent to W&B; {}").format(file.url)
        else:
            state = self.tr("offline, not sent to W&B")
        name = "/".join(filter(None, (file.project, file.name or file.run_id)))
        written = self.tr("complete") if file.finished else self.tr("being written")
        line = f"{name}: {written}, {state}"
        if file.damaged:
            line += self.tr("   ({} records could not be read)").format(file.damaged)
        return line

    def _take(self, found: Scalars) -> None:
        super()._take(found)
        file = self._file
        self._copy.setEnabled(file is not None and not file.is_online)
        if file is not None:
            self._copy.setToolTip(f"{self.tr(NOT_RUN)}\n{file.sync_command}")
        page = file.url if file is not None else ""
        self._page_button.setEnabled(bool(page))
        self._page_button.setToolTip(page or self._why_no_page(file))

    def _why_no_page(self, file: OfflineRun | None) -> str:
        if file is None:
            return self.tr("This run has written nothing for W&B")
        if file.is_online or file.synced:
            return self.tr("W&B has not told this run's page; look for it in its project there")
        return self.tr("It is not online; the sync command sends it")

    def _copy_command(self) -> None:
        if self._file is not None:
            QtWidgets.QApplication.clipboard().setText(self._file.sync_command)

    def _open_page(self) -> None:
        if self._file is not None and self._file.url:
            QtGui.QDesktopServices.openUrl(QtCore.QUrl(self._file.url))


def make_tab(context: Any, run_id: str, parent: QtWidgets.QWidget | None = None) -> WandbTab:
    """Return the tab for a run; ``context`` is the program's ``ProgramContext``."""
    return WandbTab(run_id, context.record(run_id), data_dir=context.data_dir, parent=parent)
