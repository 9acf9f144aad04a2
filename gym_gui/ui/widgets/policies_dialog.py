"""The policies that a run has saved: choose one and watch it."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6 import QtCore, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord, RunSpec
from gym_gui.services.workers import Checkpoint, get_worker
from gym_gui.services.workers.evaluation import evaluation_spec

_MIB = 1 << 20


class PoliciesDialog(QtWidgets.QDialog):
    """Lists a run's checkpoints, newest first; ``watch_requested(RunSpec)`` evaluates one."""

    watch_requested = QtCore.Signal(object)

    def __init__(
        self, record: RunRecord, data_dir: DataDir, parent: QtWidgets.QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._spec = record.spec
        self._data_dir = data_dir
        self._background = Background(self)
        self.setWindowTitle(self.tr("Saved policies of {}").format(self._spec.name))
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(620, 360)
        self.list = self._make_list()
        self.note = QtWidgets.QLabel(self.tr("Looking for saved policies…"))
        self.note.setObjectName("muted")
        self.note.setWordWrap(True)
        standard = QtWidgets.QDialogButtonBox.StandardButton
        buttons = QtWidgets.QDialogButtonBox(standard.Close)
        self.watch = buttons.addButton(
            self.tr("Watch"), QtWidgets.QDialogButtonBox.ButtonRole.ActionRole
        )
        self.watch.setProperty("primary", True)
        self.watch.setEnabled(False)
        self.watch.clicked.connect(self._watch)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.note)
        layout.addWidget(buttons)
        self._background.run(self._find, done=self._show, failed=self._refuse)

    def _make_list(self) -> QtWidgets.QTreeWidget:
        tree = QtWidgets.QTreeWidget()
        tree.setAccessibleName(self.tr("Saved policies"))
        tree.setHeaderLabels([self.tr("Policy"), self.tr("Saved"), self.tr("Size")])
        tree.setRootIsDecorated(False)
        tree.setUniformRowHeights(True)
        tree.header().setSectionResizeMode(0, QtWidgets.QHeaderView.ResizeMode.Stretch)
        tree.header().setStretchLastSection(False)
        tree.itemDoubleClicked.connect(lambda *_: self._watch())
        return tree

    def _find(self) -> list[Checkpoint]:
        worker = get_worker(self._spec.worker)
        return worker.checkpoints(self._spec, self._data_dir.run(self._spec.run_id))

    def _show(self, found: list[Checkpoint]) -> None:
        for checkpoint in found:
            saved = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(checkpoint.time_ns / 1e9))
            size = f"{checkpoint.size_bytes / _MIB:.2f} MiB"
            item = QtWidgets.QTreeWidgetItem([checkpoint.path.name, saved, size])
            item.setToolTip(0, str(checkpoint.path))
            item.setData(0, QtCore.Qt.ItemDataRole.UserRole, str(checkpoint.path))
            item.setTextAlignment(2, QtCore.Qt.AlignmentFlag.AlignRight)
            self.list.addTopLevelItem(item)
        for column in (1, 2):
            self.list.resizeColumnToContents(column)
        if not found:
            self.note.setText(
                self.tr(
                    "This run has saved no policy. Many scripts save one only when asked to, "
                    "with an option such as \u2011\u2011save\u2011model."
                )
            )
            return
        self.list.setCurrentIndex(self.list.model().index(0, 0))
        self.watch.setEnabled(True)
        self.watch.setDefault(True)
        self.note.setText(
            self.tr("Watching a policy plays it without training, as a run of its own.")
        )

    def _watch(self) -> None:
        item = self.list.currentItem()
        if item is None or not self.watch.isEnabled():
            return
        path = Path(item.data(0, QtCore.Qt.ItemDataRole.UserRole))
        self._background.run(
            lambda: evaluation_spec(self._spec, path, data_dir=self._data_dir),
            done=self._request,
            failed=self._refuse,
        )

    def _request(self, spec: RunSpec) -> None:
        self.watch_requested.emit(spec)
        self.accept()

    def done(self, result: int) -> None:
        """Close, waiting for no more answers."""
        self._background.close()
        super().done(result)

    def _refuse(self, error: Exception) -> None:
        self.watch.setEnabled(False)
        self.note.setText(str(error) or type(error).__name__)
