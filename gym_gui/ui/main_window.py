"""The main window: runs on the left, tabs in the middle, states below.

It joins the parts and holds none of their work: presenters make the live tabs, ``RenderTabs``
owns the tabs' lives, ``TrainerLink`` talks to the daemon, ``RunCommands`` holds the commands.

Tabs of other parts: a module puts ``make_tab(context: ProgramContext, run_id: str, parent) ->
QWidget`` in place and is named in ``ui/tab_registry.py`` (or calls ``register_tab``). It is then
offered in the menu *Run*, in a run's context menu and in the command palette, imported when first
opened, and its ``cleanup()`` is called when its tab closes. Double-click opens the live tab.
"""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.core.errors import DaemonVersionError, StorageError
from gym_gui.core.records import RunRecord, RunSpec, RunState
from gym_gui.ui.actions import fill_menu_bar, make_actions, run_menu
from gym_gui.ui.context import ProgramContext
from gym_gui.ui.far_commands import FarCommands
from gym_gui.ui.notifier import Notifier
from gym_gui.ui.presenters.workers.registry import WorkerPresenterRegistry, default_registry
from gym_gui.ui.run_commands import RunCommands
from gym_gui.ui.runs_model import RunsModel
from gym_gui.ui.tab_memory import TabMemory
from gym_gui.ui.translate import tr
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab
from gym_gui.ui.widgets.problems_panel import ProblemLog
from gym_gui.ui.widgets.render_tabs import RenderTabs
from gym_gui.ui.widgets.runs_panel import RunsPanel
from gym_gui.ui.widgets.status_line import StatusLine
from gym_gui.ui.widgets.tour import Stop
from gym_gui.ui.widgets.trouble_strip import TroubleStrip
from gym_gui.ui.widgets.welcome import Welcome
from gym_gui.ui.words import duration

TICK_MS = 1000
RECORDER, LIST = "recorder", "list"  # kinds of problems that end by themselves
MAX_REOPENED = 20
MAX_OPENED = 8  # live tabs that open by themselves at the start; the others by a double click


class MainWindow(RunCommands, FarCommands, QtWidgets.QMainWindow):
    """Shows every run and lets its user start, watch, stop and compare them."""

    uncaught = QtCore.Signal(object)  # an error that nobody handled, on any thread

    def __init__(
        self,
        context: ProgramContext,
        *,
        presenters: WorkerPresenterRegistry | None = None,
        store: QtCore.QSettings | None = None,
    ) -> None:
        """``store`` remembers geometry and layout; None remembers nothing."""
        super().__init__()
        self.context = context
        self._presenters = presenters or default_registry()
        self._store = store
        self._agent_tabs: dict[str, list[FastLaneTab]] = {}
        self.problems = ProblemLog(self)
        self._own_runs: set[str] = set()
        self._show_when_known = ""
        self._edited: dict[str, RunSpec] = {}  # the daemon keeps the spec a run was started with
        self._closed_tabs: list[tuple[str, str]] = []
        self._closing = self._is_shut = False
        self.background = Background(self)
        self.model = RunsModel(self)
        self.notifier = Notifier(self)
        self.setWindowTitle("gym-gui")
        self.setAcceptDrops(True)
        self.actions_by_name = make_actions(self, context.settings.shortcuts)
        fill_menu_bar(self, self.actions_by_name)
        self._compose()
        self._connect()
        self.prepare_for_place()
        self._tick_timer = QtCore.QTimer(self)
        self._tick_timer.timeout.connect(self._tick)
        self._tick_timer.start(TICK_MS)
        self._restore()
        self.memory = TabMemory(self, store) if store is not None else None

    def _compose(self) -> None:
        self.panel = RunsPanel(self.model)
        self.tabs = RenderTabs()
        self.welcome = Welcome()
        self.middle = QtWidgets.QStackedWidget()
        self.middle.addWidget(self.welcome)
        self.middle.addWidget(self.tabs)
        self.splitter = QtWidgets.QSplitter()
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(1)
        self.splitter.addWidget(self.panel)
        self.splitter.addWidget(self.middle)
        self.splitter.setStretchFactor(1, 1)
        self.panel.setMinimumWidth(300)
        self.middle.setMinimumWidth(420)
        self.splitter.setSizes([484, 796])
        self.trouble = TroubleStrip()
        centre = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.trouble)
        column.addWidget(self.splitter, 1)
        self.setCentralWidget(centre)
        self.status = StatusLine()
        self.setStatusBar(self.status)

    def _connect(self) -> None:
        link, live = self.context.link, self.context.live
        link.state_changed.connect(self.status.set_link)
        link.trouble_changed.connect(self._show_link_trouble)
        link.runs_changed.connect(self._take_runs)
        link.runs_removed.connect(self.model.remove)
        link.request_done.connect(self._request_done)
        link.request_failed.connect(self._request_failed)
        link.request_ended.connect(lambda what, run_id: self.status.progress.end((what, run_id)))
        self.notifier.activated.connect(self.show_run)
        live.run_started.connect(self._handle_run_started)
        live.run_completed.connect(self._handle_run_completed)
        self.panel.new_run_requested.connect(self.do_new_run)
        self.panel.activated.connect(self.show_run)
        self.panel.menu_requested.connect(self._show_run_menu)
        self.panel.selection_changed.connect(self._enable_commands)
        self.panel.delete_confirmed.connect(link.delete)
        self.welcome.new_run_requested.connect(self.do_new_run)
        self.welcome.demo_requested.connect(self.do_demo)
        self.tabs.tab_closed.connect(self._forget_tab)
        self.tabs.currentChanged.connect(self._show_middle)
        self.status.problems_requested.connect(self.do_problems)
        self.uncaught.connect(lambda error: self.report("unexpected", error))
        self.problems.changed.connect(lambda: self.status.set_problems(len(self.problems.problems)))
        self._show_middle()
        self._enable_commands()

    # -- runs -----------------------------------------------------------------------------------

    def submit(self, spec: RunSpec) -> None:
        """Start a run and show it as soon as it is under way."""
        self._own_runs.add(spec.run_id)
        self._show_when_known = spec.run_id
        link = self.context.link
        text = self.tr("Starting {}…").format(spec.name or spec.run_id)
        self.status.progress.begin(
            ("submit", spec.run_id), text, cancel=lambda: link.withdraw(spec.run_id)
        )
        link.submit(spec)

    @QtCore.Slot(object)
    def _take_runs(self, records: list[RunRecord]) -> None:
        for record in records:
            record.spec = self._edited.get(record.run_id, record.spec)
            self._show_run_trouble(record)
        self.model.update(records)

    def _show_run_trouble(self, record: RunRecord) -> None:
        """Say what keeps a run from being recorded where it is looked for, until it is over."""
        what = f"run {record.run_id}"
        for tab in self._agent_tabs.get(record.run_id, []):
            tab.trouble.tell_run(record)
            tab.take_state(record.state, record.steps)
        if record.trouble:
            name = record.spec.name or record.run_id
            told = StorageError(f"{name}: {record.trouble}")
            if self.problems.hold(what, told):
                self.status.say(told.message, seconds=15)
        else:
            self.problems.solve(what)

    def show_edited(self, record: RunRecord) -> None:
        """Show a run's new name, group, tags and notes from now on."""
        self._edited[record.run_id] = record.spec
        known = self.model.record(record.run_id)
        if known is not None:
            self._take_runs([known])

    @QtCore.Slot(object)
    def _handle_run_started(self, record: RunRecord) -> None:
        """Open the live tabs of a run that trains, unless they are open already."""
        if record.spec.mode == "human":
            return  # its own tab shows it
        own = record.run_id in self._own_runs
        if own or len(self._agent_tabs) < MAX_OPENED:
            self._open_live_tabs(record, select=own or not self._agent_tabs)
        if record.run_id == self._show_when_known:
            self._show_when_known = ""
            self.panel.select(record.run_id)

    def _open_live_tabs(self, record: RunRecord, *, select: bool) -> None:
        if self._agent_tabs.get(record.run_id):
            return
        presenter = self._presenters.get(record.spec.worker)
        tabs = presenter.create_tabs(self.context, record, self.tabs)
        for tab in tabs:
            self._host(tab, select=select)

    def _host(self, tab: FastLaneTab, *, select: bool) -> None:
        self._agent_tabs.setdefault(tab.run_id, []).append(tab)
        record = self.context.record(tab.run_id)
        if record is not None:
            tab.trouble.tell_run(record)
        tab.captured.connect(lambda path: self.status.say(self.tr("Saved {}").format(path)))
        tab.failed.connect(lambda error: self.report("capture", error))
        tab.tile_requested.connect(lambda stream, tile: self.open_tile(tab.run_id, stream, tile))
        self.tabs.open_fastlane_tab(tab.run_id, tab.agent_id, tab, select=select)
        self._show_middle()

    def open_tile(self, run_id: str, stream: str, tile: int) -> None:
        """Open one environment of a vectorised run in a tab of its own."""
        record = self.context.record(run_id)
        if record is not None:
            presenter = self._presenters.get(record.spec.worker)
            tab = presenter.create_tile_tab(self.context, record, stream, tile, self.tabs)
            known = self.tabs.find(run_id, tab.windowTitle())
            if known is None:
                self._host(tab, select=True)
            else:
                tab.cleanup()
                tab.deleteLater()
                self.tabs.reveal(known)

    @QtCore.Slot(str, object)
    def _handle_run_completed(self, run_id: str, record: RunRecord) -> None:
        """Let go of the run's ring; the last picture stays with a word on the end."""
        words = ending(record)
        for tab in self._agent_tabs.get(run_id, []):
            tab.run_ended(words)
            tab.cleanup()
        name = record.spec.name or run_id
        self.status.say(f"{name}: {words}")
        if self.context.settings["window.notify"]:
            failed = record.state is RunState.FAILED
            self.notifier.tell(name, words, run_id=run_id, bad=failed)

    @QtCore.Slot(str)
    def show_run(self, run_id: str) -> None:
        """Open, or bring to the front, what shows a run best: its live tab, else its replay."""
        record = self.context.record(run_id) or self.model.record(run_id)
        open_tabs = self.tabs.tabs_of(run_id)
        if record is None:
            return
        if open_tabs:
            self.tabs.reveal(open_tabs[0])
        elif record.state.is_final and "open_replay" in self.actions_by_name:
            self.do_open_tab("replay", run_id)
        else:
            self._open_live_tabs(record, select=True)
            if record.state.is_final:
                for tab in self._agent_tabs[run_id]:
                    tab.run_ended(ending(record))

    @QtCore.Slot(str, str)
    def _forget_tab(self, run_id: str, name: str) -> None:
        left = [tab for tab in self._agent_tabs.get(run_id, []) if tab.windowTitle() != name]
        if left:
            self._agent_tabs[run_id] = left
        else:
            self._agent_tabs.pop(run_id, None)
        if not self._closing:
            self._closed_tabs = [*self._closed_tabs[1 - MAX_REOPENED :], (run_id, name)]
            self.actions_by_name["reopen_tab"].setEnabled(True)
        self._show_middle()

    # -- what the window shows ------------------------------------------------------------------

    @QtCore.Slot()
    def _show_middle(self) -> None:
        self.middle.setCurrentWidget(self.tabs if self.tabs.count() else self.welcome)

    def _enable_commands(self) -> None:
        chosen = self.model.record(self.panel.selected)
        for action in self.actions_by_name.values():
            if action.property("needs_run"):
                action.setEnabled(chosen is not None)
        self.actions_by_name["stop_run"].setEnabled(
            chosen is not None and not chosen.state.is_final
        )

    def _show_run_menu(self, run_id: str, place: QtCore.QPoint) -> None:
        record = self.model.record(run_id)
        if record is not None:
            if run_id not in self.panel.marked():
                self.panel.select(run_id)
            self._enable_commands()
            menu = run_menu(self, self.actions_by_name, is_final=record.state.is_final)
            menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(place)

    @QtCore.Slot(object)
    def _show_link_trouble(self, error: Exception | None) -> None:
        """Say why there is no recorder, and what can be done; None: there is one."""
        if error is None:
            self.problems.solve(RECORDER)
            self.problems.solve(LIST)  # it has told of all runs itself
            self.trouble.solve(RECORDER)
            return
        link = self.context.link
        action = (self.tr("Try now"), link.retry_now)
        if isinstance(error, DaemonVersionError) and not link.is_far:
            action = (self.tr("Restart the recorder"), link.restart_daemon)
        self.problems.hold(RECORDER, error)
        self.trouble.tell(RECORDER, error, action=action)

    def tour_stops(self) -> list[Stop]:
        """Return what the tour explains, in its order."""
        return [
            Stop(
                None,
                self.tr("Welcome to gym-gui"),
                self.tr(
                    "Train with your own scripts, unchanged, watch the agent live, and replay "
                    "any moment. This takes half a minute."
                ),
            ),
            Stop(
                self.panel.new,
                self.tr("Start a run"),
                self.tr(
                    "Choose a script or an algorithm, an environment and its settings. "
                    "Or drop a script onto the window."
                ),
            ),
            Stop(
                self.panel,
                self.tr("All your runs"),
                self.tr(
                    "Every run is kept with all its steps. Search, sort and filter them; "
                    "double-click one to open it, right-click for all that can be done with it."
                ),
            ),
            Stop(
                self.middle,
                self.tr("Tabs"),
                self.tr(
                    "Live picture, telemetry, analytics and replay open here. A tab can be moved "
                    "into a window of its own, and comes back when that is closed."
                ),
            ),
            Stop(
                self.status,
                self.tr("How things stand"),
                self.tr(
                    "The recorder keeps every step, even while this window is closed. "
                    "Problems appear here too, with what to do about them."
                ),
            ),
            Stop(
                None,
                self.tr("Every command by its name"),
                self.tr("Ctrl+K finds commands and runs. F1 lists the keys. Enjoy!"),
            ),
        ]

    def _tick(self) -> None:
        training = self.context.live.training()
        self.status.set_training(len(training), sum(run.steps for run in training))
        current = self.tabs.currentWidget()
        frames = current.frames_per_s() if isinstance(current, FastLaneTab) else 0.0
        self.status.set_live(self.tr("Live {:.0f} pictures/s").format(frames) if frames else "")
        self._enable_commands()
        self.model.grow_older()

    @QtCore.Slot(str, object)
    def _request_done(self, what: str, answer: object) -> None:
        if what == "submit" and isinstance(answer, RunRecord):
            self.context.link.runs_changed.emit([answer])

    @QtCore.Slot(str, object)
    def _request_failed(self, what: str, error: Exception) -> None:
        self.report(what, error)

    def report(self, what: str, error: Exception) -> None:
        """Put an error where problems are shown, and say it once in passing."""
        self.problems.add(what, error)
        told = self.problems.problems[-1]
        self.status.say(f"{told.message} {told.next_step}".strip(), seconds=15)

    # -- life -----------------------------------------------------------------------------------

    def _restore(self) -> None:
        self.resize(1280, 720)
        if self._store is None:
            return
        for key, restore in (
            ("geometry", self.restoreGeometry),
            ("splitter", self.splitter.restoreState),
            ("columns", self.panel.table.horizontalHeader().restoreState),
        ):
            value = self._store.value(f"window/{key}")
            if isinstance(value, QtCore.QByteArray):
                restore(value)

    def _remember(self) -> None:
        if self._store is None:
            return
        self._store.setValue("window/geometry", self.saveGeometry())
        self._store.setValue("window/splitter", self.splitter.saveState())
        self._store.setValue("window/columns", self.panel.table.horizontalHeader().saveState())

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        training = self.context.live.training()
        if training and not self._closing:
            event.ignore()
            self.ask_before_closing(training)
            return
        self.shutdown()
        super().closeEvent(event)

    def close_for_good(self) -> None:
        """Close without asking about runs that train."""
        self._closing = True
        self.close()

    def shutdown(self) -> None:
        """Release every tab, timer and ring. Twice is safe."""
        self._closing = True
        self._tick_timer.stop()
        self.panel.finish_deleting()
        if self.memory is not None and not self._is_shut:
            self.memory.save()
        self._is_shut = True
        self.tabs.close_all()
        self.background.close()
        self.notifier.close()
        self._remember()


def ending(record: RunRecord) -> str:
    """Return in plain words how a run ended."""
    length = duration(record.started_ns, record.ended_ns) if record.started_ns else ""
    after = tr(" after {}").format(length) if length else ""
    lost = tr(" kept; {:,} records not, for want of room").format(record.dropped)
    kept = lost if record.dropped else tr(", all kept")
    words = {
        "finished": tr("The training finished{after}: {steps:,} steps{kept}."),
        "cancelled": tr("Stopped{after}: {steps:,} steps{kept}."),
        "failed": tr("It failed{after}. {cause}"),
    }
    told = words.get(record.state.value, record.state.value)
    return told.format(after=after, steps=record.steps, kept=kept, cause=record.cause).strip()
