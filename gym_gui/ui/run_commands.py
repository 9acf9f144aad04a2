"""What the window's commands do; each ``do_…`` is one entry of ``ui/actions.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import RunSpec
from gym_gui.ui.actions import use_shortcuts
from gym_gui.ui.tab_memory import LazyTab
from gym_gui.ui.tab_registry import TabKind, tab_kind, tab_kinds


class RunCommands:
    """Mixed into MainWindow, whose parts it uses."""

    # Parts of MainWindow; each is typed there.
    context: Any
    background: Any
    panel: Any
    model: Any
    tabs: Any
    status: Any
    actions_by_name: dict[str, QtGui.QAction]
    tr: Any
    problems: Any
    _agent_tabs: Any
    _closed_tabs: list[tuple[str, str]]

    @property
    def _window(self) -> Any:
        return self

    def _chosen(self) -> Any:
        return self.model.record(self.panel.selected)

    # -- starting -------------------------------------------------------------------------------

    def do_new_run(self, *_: object) -> None:
        self._open_start_dialog()

    def _open_start_dialog(self, spec: RunSpec | None = None, script: str = "") -> None:
        from gym_gui.ui.widgets.start_run_dialog import StartRunDialog

        dialog = StartRunDialog(
            self._window,
            self.context.data_dir,
            spec=spec,
            script=script,
            settings=self.context.settings,
        )
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.run_requested.connect(self._window.submit)
        dialog.open()

    def do_demo(self, *_: object) -> None:
        from gym_gui.services.workers.demo import demo_spec

        self._submit_built(lambda: demo_spec(self.context.data_dir))

    def open_path(self, path: str) -> None:
        """Open what was dropped or chosen: a script in the dialog, a run's file as a run."""
        if path.endswith(".py"):
            self.start_script(path)
            return
        from gym_gui.services.adopting import take_run

        self._work(
            self.tr("Reading {}…").format(Path(path).name),
            lambda: take_run(self.context.data_dir, Path(path)),
            done=self._show_taken,
            what="open",
        )

    def do_import_tensorboard(self, *_: object) -> None:
        folder = QtWidgets.QFileDialog.getExistingDirectory(
            self._window, self.tr("Import a TensorBoard folder")
        )
        if folder:
            self.open_path(folder)

    def do_import_minari(self, *_: object) -> None:
        dataset_id, good = QtWidgets.QInputDialog.getText(
            self._window,
            self.tr("Import a Minari dataset"),
            self.tr("Id of a dataset in Minari's own folder, such as cartpole/human-v0"),
        )
        if good and dataset_id.strip():
            self.import_minari(dataset_id.strip())

    def import_minari(self, dataset_id: str) -> None:
        """Make a run of a local Minari dataset; cancelling leaves no run behind."""
        from gym_gui.services.importing import import_minari

        self._work(
            self.tr("Importing {}…").format(dataset_id),
            lambda: import_minari(self.context.data_dir, dataset_id),
            done=self._show_taken,
            what="import",
        )

    def _show_taken(self, record: Any) -> None:
        self.context.link.runs_changed.emit([record])
        self.panel.select(record.run_id)
        self._window.show_run(record.run_id)

    def _work(
        self, text: str, function: Callable[[], Any], *, done: Callable[[Any], None], what: str
    ) -> None:
        """Call ``function`` elsewhere, with progress and a way to cancel; errors are reported."""
        key = object()
        progress = self.status.progress

        def finish(then: Callable[[Any], None], value: Any) -> None:
            progress.end(key)
            then(value)

        forget = self.background.run(
            function,
            done=lambda result: finish(done, result),
            failed=lambda error: finish(lambda e: self._window.report(what, e), error),
        )
        progress.begin(key, text, cancel=forget)

    def start_script(self, path: str) -> None:
        """Start the dialog for a script that was dropped or opened."""
        from gym_gui.services.workers import build_spec, detect_worker

        def build() -> RunSpec:
            return build_spec(
                detect_worker(path), {"script": path}, data_dir=self.context.data_dir,
                cwd=Path(path).parent,
            )  # fmt: skip

        text = self.tr("Reading {}…").format(Path(path).name)
        self._work(text, build, done=lambda spec: self._open_start_dialog(spec), what="script")

    def do_open_script(self, *_: object) -> None:
        dialog = QtWidgets.QFileDialog(
            self._window,
            self.tr("Open a training script or a run's file"),
            "",
            self.tr("Scripts and runs (*.py *.sqlite);;All files (*)"),
        )
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QtWidgets.QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.open_path)
        dialog.open()

    def _submit_built(self, build: Callable[[], RunSpec]) -> None:
        self._work(self.tr("Preparing the run…"), build, done=self._window.submit, what="start")

    # -- the chosen run -------------------------------------------------------------------------

    def do_show_live(self, *_: object) -> None:
        if self._chosen() is not None:
            self._window.show_run(self.panel.selected)

    def do_open_tab(self, key: str, run_id: str = "") -> None:
        """Open a kind of tab (see ``ui/tab_registry.py``) for a run, or bring it to the front."""
        kind = tab_kind(key)
        if kind.per_run and not (run_id or self.panel.selected):
            return
        run_id = (run_id or self.panel.selected) if kind.per_run else ""
        known = self.tabs.find(run_id, kind.title)
        if known is not None:
            self.tabs.reveal(known)
        elif kind.needs_files:
            self._window.with_files(run_id, lambda: self._open_tab(kind, run_id))
        else:
            self._open_tab(kind, run_id)

    def _open_tab(self, kind: TabKind, run_id: str) -> Any:
        record = self.model.record(run_id)
        name = (record.spec.name or run_id) if record else ""
        widget = self._make_tab(kind, run_id)
        self.tabs.add_dynamic_tab(run_id, kind.title, widget, icon_name=kind.icon, help=name)
        self._window._show_middle()
        return widget

    def fill_tab(self, page: LazyTab) -> Any:
        """Put in place what a page of the last session stands for."""
        widget = self._make_tab(tab_kind(page.entry.kind), page.entry.run_id)
        self.tabs.replace(page, widget)
        return widget

    def _find_tab(self, run_id: str, kind: TabKind) -> Any:
        """Return an open tab, ready to be used; None where there is none."""
        known = self.tabs.find(run_id, kind.title)
        return self.fill_tab(known) if isinstance(known, LazyTab) else known

    def _make_tab(self, kind: TabKind, run_id: str) -> Any:
        widget: Any = kind.make(self.context, run_id, self.tabs)
        if hasattr(widget, "tile_requested"):
            widget.tile_requested.connect(
                lambda stream, tile: self._window.open_tile(run_id, stream, tile)
            )
        if hasattr(widget, "episode_activated"):
            widget.episode_activated.connect(self.open_episode)
        return widget

    def open_episode(self, run_id: str, stream: int, episode: int, step: int = -1) -> None:
        """Open the replay of one episode at a step; -1 is the reset."""
        if not tab_kind("replay").is_available:
            self.status.say(self.tr("This installation has no replay."))
            return

        def show() -> None:
            kind = tab_kind("replay")
            tab = self._find_tab(run_id, kind)
            if tab is None:
                tab = self._open_tab(kind, run_id)
            else:
                self.tabs.reveal(tab)
            if hasattr(tab, "show_episode"):
                tab.show_episode(stream, episode, step)

        self._window.with_files(run_id, show)

    def _marked(self) -> list[Any]:
        """Return the records of all selected runs, the chosen one last."""
        found = (self.model.record(run_id) for run_id in self.panel.marked())
        return [record for record in found if record is not None]

    def do_stop_run(self, *_: object) -> None:
        going = [record for record in self._marked() if not record.state.is_final]
        for record in going:
            self.context.link.cancel(record.run_id)
        if going:
            self.status.say(self.tr("Stopping {}…").format(self._called(going)))

    def _called(self, records: list[Any]) -> str:
        """Return what to call these runs in a sentence."""
        if len(records) > 1:
            return self.tr("{} runs").format(len(records))
        return records[0].spec.name or records[0].run_id

    def do_compare_runs(self, *_: object) -> None:
        """Open Analytics with every selected run ticked."""
        run_ids = self.panel.marked()
        if run_ids:
            self.do_open_tab("analytics", run_ids[-1])
            tab = self._find_tab(run_ids[-1], tab_kind("analytics"))
            tab.choose(run_ids)

    def do_run_again(self, *_: object) -> None:
        from gym_gui.services.workers.spec import again

        record = self._chosen()
        if record is not None:
            self._submit_built(lambda: again(record.spec))

    def do_run_again_with(self, *_: object) -> None:
        record = self._chosen()
        if record is not None:
            self._open_start_dialog(record.spec)

    def do_policies(self, *_: object) -> None:
        record = self._chosen()
        if record is not None:
            from gym_gui.ui.widgets.policies_dialog import PoliciesDialog

            dialog = PoliciesDialog(record, self.context.data_dir, self._window)
            dialog.watch_requested.connect(self._window.submit)
            dialog.open()

    def do_edit_run(self, *_: object) -> None:
        records = self._marked()
        if records:
            from gym_gui.ui.widgets.run_details_dialog import RunDetailsDialog

            dialog = RunDetailsDialog(records, self._window)
            dialog.accepted_spec.connect(self._save_spec)
            dialog.open()

    def _save_spec(self, spec: RunSpec) -> None:
        """Write a changed name, group, tags or notes into the registry."""

        def save() -> Any:
            from gym_gui.services.registry import RunRegistry

            with RunRegistry(self.context.data_dir) as registry:
                return registry.update(spec.run_id, spec=spec)

        self.background.run(
            save,
            done=lambda record: self._window.show_edited(record),
            failed=lambda error: self._window.report("details", error),
        )

    def do_copy_command(self, *_: object) -> None:
        record = self._chosen()
        if record is not None:
            from gym_gui.services.workers import command_line

            QtWidgets.QApplication.clipboard().setText(command_line(record.spec))
            self.status.say(self.tr("The command line is copied."))

    def do_open_folder(self, *_: object) -> None:
        if self._chosen() is not None:
            folder = self.context.data_dir.run(self.panel.selected).root
            QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(str(folder)))

    def do_delete_run(self, *_: object) -> None:
        records = self._marked()
        ended = [record for record in records if record.state.is_final]
        if len(ended) < len(records):
            self.status.say(self.tr("Stop the run first; then it can be deleted."))
        if not ended:
            return
        for record in ended:
            self.tabs.close_run(record.run_id)
        self.panel.delete_later([record.run_id for record in ended], self._called(ended))

    # -- window ---------------------------------------------------------------------------------

    def do_toggle_runs(self, *_: object) -> None:
        self.panel.setVisible(self.panel.isHidden())

    def do_search_runs(self, *_: object) -> None:
        self.panel.show()
        self.panel.search.setFocus()
        self.panel.search.selectAll()

    def do_close_tab(self, *_: object) -> None:
        self.tabs.close_widget(self.tabs.currentWidget())

    def do_reopen_tab(self, *_: object) -> None:
        """Open the tab that was closed last, if its run is still there."""
        while self._closed_tabs:
            run_id, name = self._closed_tabs.pop()
            kind = next((kind for kind in tab_kinds() if kind.title == name), None)
            if kind is not None and (not kind.per_run or self.model.record(run_id)):
                self.do_open_tab(kind.key, run_id)
                return
            if self.model.record(run_id):
                self._window.show_run(run_id)
                return

    def do_detach_tab(self, *_: object) -> None:
        if self.tabs.currentWidget() is not None:
            self.tabs.detach(self.tabs.currentWidget())

    def do_next_tab(self, *_: object) -> None:
        if self.tabs.count():
            self.tabs.setCurrentIndex((self.tabs.currentIndex() + 1) % self.tabs.count())

    def do_previous_tab(self, *_: object) -> None:
        if self.tabs.count():
            self.tabs.setCurrentIndex((self.tabs.currentIndex() - 1) % self.tabs.count())

    def do_full_screen(self, *_: object) -> None:
        window = self._window
        window.showNormal() if window.isFullScreen() else window.showFullScreen()

    def do_find_command(self, *_: object) -> None:
        from gym_gui.ui.widgets.command_palette import CommandPalette

        palette = CommandPalette(
            self.actions_by_name.values(), self._window, runs=self.context.live.records()
        )
        palette.run_chosen.connect(self._window.show_run)
        palette.open_over(self._window)

    def do_shortcuts(self, *_: object) -> None:
        from gym_gui.ui.widgets.shortcuts_dialog import ShortcutsDialog

        ShortcutsDialog(self.actions_by_name.values(), self._window).open()

    def do_tour(self, *_: object) -> None:
        from gym_gui.ui.widgets.tour import Tour

        if self._window.findChild(Tour) is None:
            Tour(self._window, self._window.tour_stops()).ended.connect(self._tour_seen)

    def _tour_seen(self) -> None:
        """Remember that the tour need not come by itself again."""
        settings = self.context.settings
        if not settings["window.tour_seen"]:
            settings["window.tour_seen"] = True
            self.background.run(
                settings.save,
                done=lambda _: None,
                failed=lambda error: self._window.report("preferences", error),
            )

    def do_problems(self, *_: object) -> None:
        from gym_gui.ui.widgets.problems_panel import ProblemsDialog

        ProblemsDialog(self.problems, self._window).open()

    def do_preferences(self, *_: object) -> None:
        from gym_gui.ui import theme
        from gym_gui.ui.widgets.preferences_dialog import PreferencesDialog

        settings = self.context.settings
        dialog = PreferencesDialog(
            settings,
            self._window,
            data_dir=self.context.data_dir,
            actions=self.actions_by_name,
        )
        application: Any = QtWidgets.QApplication.instance()

        def apply() -> None:
            theme.apply(application, settings["window.theme"])
            use_shortcuts(self.actions_by_name, settings.shortcuts)
            if dialog.folder.text().strip() != str(self.context.data_dir.root):
                self.status.say(self.tr("The new data folder is used from the next start on."))

        dialog.applied.connect(apply)
        dialog.open()

    def do_quit(self, *_: object) -> None:
        self._window.close()

    def do_about(self, *_: object) -> None:
        from gym_gui import __version__

        text = self.tr("gym-gui {}\n\nWatch agents learn, keep every step, replay any moment.")
        box = QtWidgets.QMessageBox(self._window)
        box.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle(self.tr("About"))
        box.setText(text.format(__version__))
        box.open()

    def ask_before_closing(self, training: list[Any]) -> None:
        """Ask what shall become of runs that train; the answer closes the window, or not."""
        box = QtWidgets.QMessageBox(self._window)
        box.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QtWidgets.QMessageBox.Icon.Question)
        count = len(training)
        box.setText(
            self.tr("A run is still training.")
            if count == 1
            else self.tr("{} runs are still training.").format(count)
        )
        box.setInformativeText(
            self.tr("Training can go on without this window; the next start shows it again.")
        )
        role = QtWidgets.QMessageBox.ButtonRole
        keep = box.addButton(self.tr("Keep training"), role.AcceptRole)
        stop = box.addButton(self.tr("Stop training"), role.DestructiveRole)
        box.addButton(QtWidgets.QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(keep)

        def answered(button: QtWidgets.QAbstractButton) -> None:
            if button is stop:
                for run in training:
                    self.context.link.cancel(run.run_id)
            if button in (keep, stop):
                self._window.close_for_good()

        box.buttonClicked.connect(answered)
        box.open()

    # -- drag and drop --------------------------------------------------------------------------

    def dragEnterEvent(self, event: QtGui.QDragEnterEvent) -> None:
        if dropped_path(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QtGui.QDropEvent) -> None:
        path = dropped_path(event.mimeData())
        if path:
            event.acceptProposedAction()
            self.open_path(path)


def dropped_path(data: QtCore.QMimeData) -> str:
    """Return the path of a dropped file or folder; what it holds is found out off this thread."""
    return next((url.toLocalFile() for url in data.urls() if url.isLocalFile()), "")
