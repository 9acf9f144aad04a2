"""The dialog that starts a run: made from the worker's form, and showing the line that does it."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.errors import UsageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.services.workers import (
    Worker,
    build_spec,
    command_line,
    detect_worker,
    get_worker,
    resolve_python,
    workers,
)
from gym_gui.services.workers.environments import Interpreter, interpreter_info
from gym_gui.services.workers.presets import Presets
from gym_gui.services.workers.sweep import sweep_specs, write_sweep
from gym_gui.ui import theme
from gym_gui.ui.widgets.environment_preview import EnvironmentPreview
from gym_gui.ui.widgets.interpreter_box import InterpreterBox
from gym_gui.ui.widgets.run_options import RunOptions
from gym_gui.ui.widgets.settings_form import SettingsForm
from gym_gui.ui.widgets.sweep_editor import SweepEditor


class StartRunDialog(QtWidgets.QDialog):
    """Asks for a worker and its settings; ``run_requested(RunSpec)`` once per run to start.

    data_dir: where presets and the last values are kept. spec: fill the form from this run
    ("run again with…"). settings: the user's preferences, for what a new run begins with.
    """

    run_requested = QtCore.Signal(object)

    def __init__(
        self,
        parent: QtWidgets.QWidget | None = None,
        data_dir: DataDir | None = None,
        *,
        spec: RunSpec | None = None,
        script: str = "",
        settings: Any = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Start a run"))
        self.resize(1000, 640)
        self._settings = settings
        self._data_dir = data_dir or DataDir()
        self._presets = Presets(self._data_dir)
        self._background = Background(self)
        self._field_names: list[str] = []
        self._build()
        self._later = QtCore.QTimer(self, singleShot=True, interval=250)
        self._later.timeout.connect(self._refresh)
        self._probed = ""
        if spec is not None:
            self.set_state(state_of(spec))
        elif script:
            self.set_state({"worker": detect_worker(script), "values": {"script": script}})
        else:
            self._background.run(self._presets.last, done=self._use_last, failed=self._show_problem)
            self._show_form({})
        if not self._python.text() and settings is not None and spec is None:
            self._python.set_text(settings["run.python"])
        self._background.run(
            self._presets.interpreters, done=self._offer_interpreters, failed=_ignore
        )

    # -- building ---------------------------------------------------------------------------

    def _build(self) -> None:
        outer = QtWidgets.QVBoxLayout(self)
        outer.addLayout(self._build_head())
        self._tabs = QtWidgets.QTabWidget()
        self._tabs.addTab(self._build_settings(), self.tr("Settings"))
        self._options = RunOptions(_defaults(self._settings))
        self._options.changed.connect(self._edited)
        self._tabs.addTab(self._options, self.tr("Name, place, recording"))
        self._sweep = SweepEditor()
        self._sweep.changed.connect(self._edited)
        self._tabs.addTab(self._sweep, self.tr("Sweep"))
        outer.addWidget(self._tabs, 1)
        outer.addLayout(self._build_line())
        self._problem = QtWidgets.QLabel()
        self._problem.setWordWrap(True)
        self._problem.setAccessibleName(self.tr("Problem"))
        outer.addWidget(self._problem)
        outer.addLayout(self._build_buttons())

    def _build_head(self) -> QtWidgets.QLayout:
        row = QtWidgets.QHBoxLayout()
        self._worker = QtWidgets.QComboBox()
        self._worker.setAccessibleName(self.tr("Worker"))
        for worker in workers():
            self._worker.addItem(worker.title, worker.name)
            self._worker.setItemData(
                self._worker.count() - 1, worker.summary, QtCore.Qt.ItemDataRole.ToolTipRole
            )
        self._worker.currentIndexChanged.connect(self._worker_chosen)
        self._python = InterpreterBox()
        self._python.changed.connect(self._edited)
        self._preset = QtWidgets.QComboBox()
        self._preset.setAccessibleName(self.tr("Preset"))
        self._preset.activated.connect(self._use_preset)
        self._fill_presets()
        for text, widget, focus, stretch in (
            (self.tr("&Worker"), self._worker, self._worker, 1),
            (self.tr("&Interpreter"), self._python, self._python.box, 2),
            (self.tr("&Preset"), self._preset, self._preset, 1),
        ):
            caption = QtWidgets.QLabel(text)
            caption.setBuddy(focus)
            row.addWidget(caption)
            row.addWidget(widget, stretch)
        return row

    def _build_settings(self) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(page)
        left = QtWidgets.QVBoxLayout()
        self._search = QtWidgets.QLineEdit()
        self._search.setPlaceholderText(self.tr("Find a setting"))
        self._search.setAccessibleName(self.tr("Find a setting"))
        self._search.setClearButtonEnabled(True)
        self._form = SettingsForm()
        self._form.changed.connect(self._edited)
        self._search.textChanged.connect(self._form.filter)
        left.addWidget(self._search)
        left.addWidget(self._form, 1)
        row.addLayout(left, 1)
        self._picture = EnvironmentPreview()
        row.addWidget(self._picture)
        return page

    def _build_line(self) -> QtWidgets.QLayout:
        row = QtWidgets.QHBoxLayout()
        self._line = QtWidgets.QLineEdit()
        self._line.setReadOnly(True)
        self._line.setPlaceholderText(self.tr("The command line that starts the same"))
        self._line.setAccessibleName(self.tr("Equivalent command line"))
        self._line.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        copy = QtWidgets.QPushButton(self.tr("Copy"))
        copy.clicked.connect(lambda: QtWidgets.QApplication.clipboard().setText(self._line.text()))
        row.addWidget(self._line, 1)
        row.addWidget(copy)
        return row

    def _build_buttons(self) -> QtWidgets.QLayout:
        row = QtWidgets.QHBoxLayout()
        save = QtWidgets.QPushButton(self.tr("Save as preset…"))
        save.clicked.connect(self._save_preset)
        delete = QtWidgets.QPushButton(self.tr("Delete preset"))
        delete.clicked.connect(self._delete_preset)
        delete.setEnabled(False)
        self._preset.currentIndexChanged.connect(lambda index: delete.setEnabled(index > 0))
        self._start = QtWidgets.QPushButton(self.tr("Start"))
        self._start.setDefault(True)
        self._start.setMinimumWidth(96)
        self._start.clicked.connect(self.accept)
        cancel = QtWidgets.QPushButton(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        row.addWidget(save)
        row.addWidget(delete)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self._start)
        return row

    # -- state ------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what the dialog holds, as plain data for presets."""
        return {
            "worker": self._worker.currentData(),
            "python": self._python.text(),
            "values": self._form.raw_values(),
            "options": self._options.state(),
            "sweep": self._sweep.state(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Fill the dialog from ``state()``'s form; what is missing gets its default."""
        index = self._worker.findData(state.get("worker"))
        with QtCore.QSignalBlocker(self._worker):
            self._worker.setCurrentIndex(max(0, index))
        self._python.set_text(state.get("python", ""))
        self._options.set_state(state.get("options", {}))
        self._show_form(state.get("values", {}))
        self._sweep.set_state(state.get("sweep", {}))

    def specs(self) -> list[RunSpec]:
        """Return the runs to start: one, or those of the sweep. Raises UsageError."""
        worker = self._chosen()
        values = self._form.values()
        grid = self._sweep.grid()
        if not grid:
            return [self._spec(worker, values)]
        options = {**self._common(values), "group_limit": self._sweep.at_once()}
        return sweep_specs(worker, values, grid, **options)

    def accept(self) -> None:
        try:
            specs = self.specs()
        except UsageError as error:
            self._show_problem(error)
            return
        state = self.state()
        self._background.run(
            lambda: self._presets.remember(state), done=_ignore, failed=self._show_problem
        )
        for spec in specs:
            self.run_requested.emit(spec)
        super().accept()

    def done(self, result: int) -> None:
        self._later.stop()
        self._background.close()
        self._picture.close_background()
        super().done(result)

    # -- reactions --------------------------------------------------------------------------

    def _chosen(self) -> Worker:
        return get_worker(self._worker.currentData())

    def _spec(self, worker: Worker, values: dict[str, Any]) -> RunSpec:
        return build_spec(worker, values, **self._common(values))

    def _common(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return what every run of the dialog shares, as keyword arguments of ``build_spec``."""
        options = self._options.values()
        script = values.get("script")
        if not options["cwd"] and script:
            options["cwd"] = Path(script).expanduser().absolute().parent
        return {**options, "data_dir": self._data_dir, "python": self._python.text() or None}

    def _use_last(self, state: dict[str, Any]) -> None:
        if state:
            self.set_state(state)

    def _worker_chosen(self) -> None:
        script = self._form.raw_values().get("script")
        keeps = script and self._chosen().takes_script
        self._show_form({"script": script} if keeps else {})

    def _show_form(self, values: dict[str, Any]) -> None:
        try:
            fields = self._chosen().form(values)
        except UsageError as error:
            self._show_problem(error)
            fields = self._chosen().form({})
        self._form.set_fields(fields, values)
        self._field_names = [field.name for field in fields]
        self._form.filter(self._search.text())
        offered = [name for name in self._field_names if name not in ("script", "args")]
        self._sweep.set_settings(offered, any_name=self._chosen().accepts_unknown)
        self._edited()

    def _edited(self) -> None:
        self._later.start()

    def _refresh(self) -> None:
        """After a short pause in typing: re-read the form if the script changed, show the line."""
        self._follow_script()
        self._probe()
        try:
            specs = self.specs()
        except UsageError as error:
            self._line.clear()
            self._show_problem(error, gently=not self._form.raw_values())
            self._start.setEnabled(False)
            return
        self._problem.clear()
        self._start.setEnabled(True)
        many = len(specs) > 1
        start = self.tr("Start {} runs").format(len(specs)) if many else self.tr("Start")
        self._start.setText(start)
        self._sweep.show_runs([spec.name for spec in specs])
        self._line.setText(self._written(specs))
        self._line.setCursorPosition(0)
        self._picture.show_environment(self._probed, specs[0].env_id)

    def _written(self, specs: list[RunSpec]) -> str:
        """Return the command line that starts the same."""
        if len(specs) == 1:
            return command_line(specs[0])
        one = self._spec(self._chosen(), self._form.values())
        one.group_limit = self._sweep.at_once()
        return command_line(one, sweep=write_sweep(self._sweep.grid()))

    def _follow_script(self) -> None:
        values = self._form.raw_values()
        if not self._chosen().takes_script or not values.get("script"):
            return
        try:
            fields = self._chosen().form(values)
        except UsageError:
            return
        if [field.name for field in fields] != self._field_names:
            self._show_form(values)

    def _probe(self) -> None:
        try:
            python = resolve_python(self._python.text() or None)
        except UsageError:
            return
        if python != self._probed:
            self._probed = python
            self._background.run(
                lambda: interpreter_info(python), done=self._offer, failed=self._cannot_list
            )

    def _offer_interpreters(self, recent: list[str]) -> None:
        known = self._settings["run.interpreters"] if self._settings is not None else []
        self._python.offer([*known, *recent])

    def _offer(self, info: Interpreter) -> None:
        self._form.set_environments(info.environments)
        self._python.setToolTip(
            self.tr("Python {}, gymnasium {}, {} environments").format(
                info.python, info.gymnasium, len(info.environments)
            )
        )
        self._edited()  # what was typed may not be among them

    def _cannot_list(self, error: Exception) -> None:
        self._form.set_environments(())
        self._python.setToolTip(str(error))

    def _show_problem(self, error: Exception, *, gently: bool = False) -> None:
        """Say what is wrong; ``gently`` what is still to be entered."""
        shades = theme.current()
        self._problem.setStyleSheet(f"color: {shades.muted if gently else shades.bad};")
        self._problem.setText(str(error))

    # -- presets ----------------------------------------------------------------------------

    def _fill_presets(self) -> None:
        self._preset.clear()
        self._preset.addItem("—")
        self._background.run(self._presets.names, done=self._preset.addItems, failed=_ignore)

    def _use_preset(self, index: int) -> None:
        if index > 0:
            name = self._preset.itemText(index)
            self._background.run(
                lambda: self._presets.get(name), done=self.set_state, failed=self._show_problem
            )

    def _save_preset(self) -> None:
        name, chosen = QtWidgets.QInputDialog.getText(
            self, self.tr("Save as preset"), self.tr("Name"), text=self._preset_name()
        )
        if chosen and name.strip():
            state = self.state()
            self._background.run(
                lambda: self._presets.put(name.strip(), state),
                done=lambda _: self._fill_presets(),
                failed=self._show_problem,
            )

    def _preset_name(self) -> str:
        return self._preset.currentText() if self._preset.currentIndex() > 0 else ""

    def _delete_preset(self) -> None:
        name = self._preset.currentText()
        if self._preset.currentIndex() > 0:
            self._background.run(
                lambda: self._presets.delete(name),
                done=lambda _: self._fill_presets(),
                failed=self._show_problem,
            )


def state_of(spec: RunSpec) -> dict[str, Any]:
    """Return the dialog's state that would start ``spec`` again."""
    python = spec.command[0] if spec.command else ""
    return {
        "worker": spec.worker,
        "python": python if Path(python).name.startswith("python") else "",
        "values": _values_of(spec),
        "options": {
            "name": spec.name,
            "tags": ", ".join(spec.tags),
            "notes": spec.notes,
            "group": spec.group,
            "cwd": spec.cwd,
            "launcher": "" if spec.launcher == "local" else spec.launcher,
            "live": spec.live,
            "render_budget": spec.render_budget,
            "max_steps_per_s": spec.max_steps_per_s,
            **asdict(spec.recording),
        },
    }


def _values_of(spec: RunSpec) -> dict[str, Any]:
    """Return the run's settings for the form: its script's place, its words as fields."""
    values = dict(spec.config)
    if values.get("script"):
        values["script"] = str(Path(spec.cwd) / Path(values["script"]).expanduser())
        with contextlib.suppress(UsageError):  # a worker that is no longer installed
            told = get_worker(spec.worker).values([values["script"], *(values.pop("args") or [])])
            values |= told
    return values


def _defaults(settings: Any) -> dict[str, Any]:
    """Return what the user's preferences say of new runs, in the form of ``RunOptions.state``."""
    if settings is None:
        return {}
    return {
        **asdict(settings.recording()),
        "render_budget": settings.render_budget,
        "live": settings["live.environments"],
    }


def _ignore(_: object) -> None:
    """For answers that change nothing on screen."""
