"""Starts the desktop program: graphics backend, look, window, and the link to the recorder."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.ui.icons import icon

PLOTS_AFTER_MS = 4000  # after the start: the first live picture comes before
EMULATED = ("llvmpipe", "softpipe", "swrast", "software")


def choose_graphics() -> None:
    """Paint Qt Quick in software where a GPU would only be emulated; before any Quick window."""
    if "QT_QUICK_BACKEND" in os.environ or "QSG_RHI_BACKEND" in os.environ:
        return
    if (sys.platform != "darwin" and not any(Path("/dev/dri").glob("renderD*"))) or _is_emulated():
        os.environ["QT_QUICK_BACKEND"] = "software"


def _is_emulated() -> bool:
    """Ask OpenGL for its renderer's name; no OpenGL counts as emulated."""
    context = QtGui.QOpenGLContext()
    surface = QtGui.QOffscreenSurface()
    surface.create()
    if not context.create() or not context.makeCurrent(surface):
        return True
    name = str(context.functions().glGetString(0x1F01)).lower()  # GL_RENDERER
    context.doneCurrent()
    return any(word in name for word in EMULATED)


def make_application(arguments: list[str] | None = None) -> QtWidgets.QApplication:
    """Return the application, made once, with its name and icon."""
    known = QtWidgets.QApplication.instance()
    if isinstance(known, QtWidgets.QApplication):
        return known
    application = QtWidgets.QApplication(arguments or ["gym-gui"])
    application.setApplicationName("gym-gui")
    application.setDesktopFileName("gym-gui")
    application.setWindowIcon(icon("live", "accent"))
    application.setApplicationDisplayName("gym-gui")
    return application


def make_window(data_dir: DataDir) -> Any:
    """Return the main window with all its parts, not yet shown and not yet connected."""
    from gym_gui.controllers.live_telemetry_controllers import LiveTelemetryController
    from gym_gui.controllers.trainer_link import TrainerLink
    from gym_gui.services.remote.sources import FarDataDir
    from gym_gui.services.settings import Settings
    from gym_gui.ui import theme, translate
    from gym_gui.ui.context import ProgramContext
    from gym_gui.ui.main_window import MainWindow

    base = data_dir.base if isinstance(data_dir, FarDataDir) else data_dir
    source = data_dir.source if isinstance(data_dir, FarDataDir) else None
    settings = Settings.load(base.settings)
    application = make_application()
    translate.install(application)
    theme.apply(application, settings["window.theme"])
    application.styleHints().colorSchemeChanged.connect(
        lambda: theme.apply(application, settings["window.theme"])
    )
    link = TrainerLink(data_dir, source=source)
    live = LiveTelemetryController(link, link)
    context = ProgramContext(data_dir, data_dir.ring_dir, link, live, settings)
    store = QtCore.QSettings(str(base.root / "window.ini"), QtCore.QSettings.Format.IniFormat)
    return MainWindow(context, store=store)


def main(
    data_dir: DataDir,
    *,
    submit: RunSpec | None = None,
    replay: str = "",
    moment: tuple[int, int, int] | None = None,
    select_run: str = "",
) -> int:
    """Open the window and return when it is closed.

    submit: a run to start in it; replay: a run whose replay is opened, at ``moment`` (stream,
    episode, step; -1 is the reset) if it is given; select_run: a run to show.
    """
    application = make_application()
    choose_graphics()
    window = make_window(data_dir)
    link = window.context.link
    if submit or replay or select_run:
        window.memory.selects = False  # what was asked for now is in front
    window.show()
    QtCore.QTimer.singleShot(0, link.start)
    _recover_sessions(window)
    QtCore.QTimer.singleShot(PLOTS_AFTER_MS, window, lambda: _load_plots(window))
    if submit is not None:
        QtCore.QTimer.singleShot(0, lambda: window.submit(submit))
    if replay or select_run:
        _show_once_known(window, replay or select_run, is_replay=bool(replay), moment=moment)
    if not window.context.settings["window.tour_seen"] and submit is None:
        QtCore.QTimer.singleShot(0, window.do_tour)
    interrupt = _quit_on_interrupt(window)
    hooks = _report_uncaught(window)
    try:
        return application.exec()
    finally:
        sys.excepthook, threading.excepthook = hooks
        interrupt.stop()
        window.shutdown()
        link.stop()


def _load_plots(window: Any) -> None:
    """Load the plots' library beside the window, so that the first figure need not wait for it."""
    window.background.run(
        lambda: importlib.import_module("pyqtgraph"),
        done=lambda _: None,
        failed=lambda error: window.report("plots", error),
    )


def _recover_sessions(window: Any) -> None:
    """Bring sessions into their stores that were played when the program last died."""
    from gym_gui.services.session_recovery import recover_sessions

    context = window.context
    window.background.run(
        lambda: recover_sessions(context.data_dir),
        done=lambda records: records and context.link.runs_changed.emit(records),
        failed=lambda error: window.report("recover", error),
    )


def _show_once_known(
    window: Any, run_id: str, *, is_replay: bool, moment: tuple[int, int, int] | None
) -> None:
    """Open a run's tab as soon as the list of runs holds it."""

    def look() -> None:
        if window.model.record(run_id) is None:
            return
        window.model.modelReset.disconnect(look)
        window.panel.select(run_id)
        if moment is not None:
            window.open_episode(run_id, *moment)
        elif is_replay:
            window.do_open_tab("replay", run_id)
        else:
            window.show_run(run_id)

    window.model.modelReset.connect(look)


def _report_uncaught(window: Any) -> tuple[Any, Any]:
    """Show errors that nobody caught where all problems are shown; return the hooks before."""
    before = sys.excepthook, threading.excepthook

    def caught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        before[0](kind, error, trace)
        if isinstance(error, Exception):
            window.uncaught.emit(error)

    def caught_elsewhere(told: Any) -> None:
        caught(told.exc_type, told.exc_value, told.exc_traceback)

    sys.excepthook, threading.excepthook = caught, caught_elsewhere
    return before


def _quit_on_interrupt(window: Any) -> QtCore.QTimer:
    """Let Ctrl-C in the terminal, or a plain kill, end the program; training goes on."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: QtCore.QCoreApplication.exit(0))
    timer = QtCore.QTimer(window)  # Python sees signals only when it runs
    timer.start(250)
    timer.timeout.connect(lambda: None)
    return timer
