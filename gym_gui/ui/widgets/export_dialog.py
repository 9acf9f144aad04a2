"""The dialog that writes a run in a form that others read, with progress and a way to cancel."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.paths import RunDir
from gym_gui.services.exporting import ENDINGS, Export, export
from gym_gui.services.exporting.work import ExportCancelledError
from gym_gui.ui.widgets.forms import align_labels
from gym_gui.ui.widgets.numbers import DoubleSpinBox

_TABLES = (".csv", ".jsonl", ".parquet")
_PICTURES = (".mp4", ".gif", ".png")
_WHAT = ("steps", "episodes", "metrics")
_TOLD_S = 0.05  # between two words on how far it is


class ExportDialog(QtWidgets.QDialog):
    """Exports one run; of pictures, the moment that is on the screen."""

    finished_export = QtCore.Signal(object)  # the path
    _advanced = QtCore.Signal(int, int)

    def __init__(
        self,
        run_dir: RunDir,
        *,
        stream: int = 0,
        episode: int | None = None,
        step: int = -1,
        frames_per_s: float = 30.0,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export {}").format(run_dir.run_id))
        self.resize(560, 260)
        self._run_dir = run_dir
        self._stream, self._episode, self._step = stream, episode, step
        self._frames_per_s = frames_per_s
        self._background = Background(self)
        self._cancel = threading.Event()
        self._running = False
        self._told = 0.0
        self._build()
        self._advanced.connect(self._show_progress)
        self._kind_changed()

    def _build(self) -> None:
        self._form = form = QtWidgets.QFormLayout()
        self.kind = QtWidgets.QComboBox()
        for kind, text in ENDINGS.items():
            self.kind.addItem(f"{text[0].upper()}{text[1:]} ({kind.lstrip('.')})", kind)
        self.kind.setCurrentIndex(self.kind.findData(".mp4"))
        self.kind.currentIndexChanged.connect(self._kind_changed)
        self.what = QtWidgets.QComboBox()
        for what in _WHAT:
            self.what.addItem(what.capitalize(), what)
        self.hud = QtWidgets.QCheckBox(self.tr("Draw step, return, reward and action in"))
        self.rate = DoubleSpinBox()
        self.rate.setRange(1.0, 240.0)
        self.rate.setDecimals(1)
        self.rate.setValue(self._frames_per_s)
        self.rate.setSuffix(self.tr(" pictures/s"))
        self.by_human = QtWidgets.QCheckBox(self.tr("Only episodes in which a human acted"))
        self.path = QtWidgets.QLineEdit()
        self.path.setAccessibleName(self.tr("Write to"))
        choose = QtWidgets.QPushButton(self.tr("Choose…"))
        choose.clicked.connect(self._choose)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(choose)
        self.choose = choose
        form.addRow(self.tr("Format"), self.kind)
        form.addRow(self.tr("Table of"), self.what)
        form.addRow(self.tr("Speed"), self.rate)
        form.addRow("", self.hud)
        form.addRow("", self.by_human)
        form.addRow(self.tr("Write to"), row)
        align_labels(form)
        self.note = QtWidgets.QLabel()
        self.note.setWordWrap(True)
        self.bar = QtWidgets.QProgressBar()
        self.bar.setVisible(False)
        self.start = QtWidgets.QPushButton(self.tr("Export"))
        self.start.setDefault(True)
        self.start.clicked.connect(self.begin)
        self.leave = QtWidgets.QPushButton(self.tr("Close"))
        self.leave.clicked.connect(self._leave)
        buttons = QtWidgets.QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.leave)
        buttons.addWidget(self.start)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(form)
        layout.addStretch(1)
        layout.addWidget(self.note)
        layout.addWidget(self.bar)
        layout.addLayout(buttons)

    def _kind_changed(self) -> None:
        kind = self.kind.currentData()
        self._form.setRowVisible(self.what, kind in _TABLES)
        self._form.setRowVisible(self.hud, kind in _PICTURES)
        self._form.setRowVisible(self.rate, kind in (".mp4", ".gif"))
        self._form.setRowVisible(self.by_human, kind == "minari")
        self.choose.setVisible(kind != "minari")
        self.path.setText(self._proposed(kind))
        self.note.setText(self._describe(kind))

    def _proposed(self, kind: str) -> str:
        name = self._run_dir.run_id
        if kind == "minari":
            return f"{name.rsplit('-', 3)[0]}/gym-gui-v0"
        place = Path.home() / name
        if kind in _PICTURES:
            place = place.with_name(f"{name}-episode-{self._episode or 0}")
        if kind == "tensorboard":
            return str(place.with_name(f"{name}-tensorboard"))
        return f"{place}{kind}"

    def _describe(self, kind: str) -> str:
        if kind == ".png":
            return self.tr("Episode {}, step {}.").format(self._episode, self._step)
        if kind in _PICTURES:
            return self.tr("Episode {}.").format(self._episode)
        if kind == "minari":
            return self.tr("All finished episodes, under this id in Minari's own folder.")
        return self.tr("The whole run.")

    def _choose(self) -> None:
        kind = self.kind.currentData()
        if kind == "tensorboard":
            path = QtWidgets.QFileDialog.getExistingDirectory(self, self.tr("Write to"))
            if path and any(Path(path).iterdir()):  # a folder of its own in there
                path = str(Path(path) / Path(self._proposed(kind)).name)
        else:
            path, _ = QtWidgets.QFileDialog.getSaveFileName(
                self, self.tr("Write to"), self.path.text(), f"*{kind}"
            )
        if path:
            self.path.setText(path)

    def wanted(self) -> Export:
        """Return what the fields ask for."""
        kind = str(self.kind.currentData())
        pictures = kind in _PICTURES
        path = Path(self.path.text().strip()).expanduser()
        if kind.startswith(".") and path.suffix.lower() != kind:
            path = path.with_name(path.name + kind)
        return Export(
            path,
            kind,
            str(self.what.currentData()),
            self._stream if pictures else None,
            self._episode if pictures else None,
            self._step if kind == ".png" else None,
            self.rate.value(),
            self.hud.isChecked(),
            self.by_human.isChecked(),
        )

    def begin(self) -> None:
        """Write it, elsewhere than on the GUI thread."""
        if not self.path.text().strip():
            self.note.setText(self.tr("Say where to write it."))
            return
        wanted = self.wanted()
        self._cancel.clear()
        self._set_running(True)
        self._background.run(
            lambda: export(self._run_dir, wanted, progress=self._progress),
            done=lambda count: self._done(wanted.path, count),
            failed=self._failed,
        )

    def _progress(self, done: int, total: int) -> bool:
        """Called from the thread that writes."""
        now = time.monotonic()
        if now - self._told > _TOLD_S or done >= total:
            self._told = now
            self._advanced.emit(done, total)
        return not self._cancel.is_set()

    @QtCore.Slot(int, int)
    def _show_progress(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.note.setText(self.tr("{:,} of {:,}").format(done, total))

    def _set_running(self, running: bool) -> None:
        self._running = running
        self.bar.setRange(0, 0)
        self.bar.setVisible(running)
        self.start.setEnabled(not running)
        self.leave.setText(self.tr("Cancel") if running else self.tr("Close"))

    def _done(self, path: Path, count: int) -> None:
        self._set_running(False)
        many = self.tr(" ({:,})").format(count) if count else ""
        self.note.setText(self.tr("Written to {}{}.").format(path, many))
        self.finished_export.emit(path)

    def _failed(self, error: Any) -> None:
        self._set_running(False)
        if isinstance(error, ExportCancelledError):
            self.note.setText(self.tr("Cancelled; nothing was written."))
        else:
            self.note.setText(str(error))

    def _leave(self) -> None:
        if self._running:
            self._cancel.set()
        else:
            self.accept()

    def done(self, result: int) -> None:
        """Close; what is being written is broken off and leaves nothing."""
        self._cancel.set()
        self._background.close()
        super().done(result)
