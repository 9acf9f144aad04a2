"""The recorder dies, halts, or is of another version; the network goes: the window says so, stays
usable, and goes on by itself. Real processes, real signals, real sockets."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6 import QtCore, QtWidgets

from gym_gui.app import make_window
from gym_gui.controllers import pulse
from gym_gui.core.errors import DaemonNotRunningError
from gym_gui.core.records import RunState
from gym_gui.services.registry import RunRegistry
from gym_gui.services.remote.sources import FarDataDir
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon, stop_daemon
from gym_gui.services.trainer.listener import token_path
from gym_gui.services.workers.demo import demo_spec

OTHER_DAEMON = Path(__file__).resolve().parents[1] / "scripts" / "other_daemon.py"
WAIT_MS = 40_000


@pytest.fixture(autouse=True)
def quick_pulse(monkeypatch):
    monkeypatch.setattr(pulse, "PULSE_S", 0.1)
    monkeypatch.setattr(pulse, "ANSWER_S", 1.0)


@pytest.fixture
def open_window(qtbot):
    """Return what opens a real window, linked with the daemon of a data folder."""
    opened = []

    def open_(folder):
        window = make_window(folder)
        window.context.settings["window.notify"] = False
        qtbot.addWidget(window)
        window.show()
        window.context.link.start()
        opened.append(window)
        return window

    yield open_
    for window in opened:
        window.shutdown()
        window.context.link.stop()


@pytest.fixture
def window(data_dir, open_window):
    yield open_window(data_dir.create())
    with contextlib.suppress(DaemonNotRunningError):
        with SyncTrainerClient(ensure_daemon(data_dir)) as client:
            for record in client.list_runs():
                client.cancel_run(record.run_id)
        stop_daemon(data_dir)


class Ticks(QtCore.QTimer):
    """Counts how often the event loop came round: it does not while the GUI thread is blocked."""

    def __init__(self, parent) -> None:
        super().__init__(parent, interval=5)
        self.count = 0
        self.timeout.connect(self._tick)
        self.start()

    def _tick(self) -> None:
        self.count += 1


def is_well(window) -> bool:
    """Nothing is said to be wrong any more, anywhere."""
    said = (window.trouble.told, window.problems.problems)
    return window.status.recorder.text() == "Recorder ready" and not any(said)


def has_ended(window, spec) -> bool:
    record = window.model.record(spec.run_id)
    return record is not None and record.state.is_final


def begin_training(window, qtbot):
    """Start the demonstration, open its telemetry, and return its spec and that tab."""
    spec = demo_spec(window.context.data_dir, steps=10_000_000, max_steps_per_s=400)
    window.submit(spec)
    qtbot.waitUntil(lambda: window.model.record(spec.run_id) is not None, timeout=WAIT_MS)
    window.do_open_tab("telemetry", spec.run_id)
    tab = window.tabs.find(spec.run_id, "Live Telemetry")
    qtbot.waitUntil(lambda: tab._steps_seen > 100, timeout=WAIT_MS)
    return spec, tab


def test_after_a_killed_recorder_tabs_and_list_go_on_without_a_hole(window, qtbot, data_dir):
    spec, tab = begin_training(window, qtbot)
    pid = daemon_status(data_dir).pid
    with qtbot.waitSignal(window.context.link.trouble_changed) as told:
        os.kill(pid, signal.SIGKILL)
    assert "started again by itself" in told.args[0].next_step
    qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)
    assert daemon_status(data_dir).pid not in (0, pid)
    before = window.model.record(spec.run_id).steps
    qtbot.waitUntil(lambda: window.model.record(spec.run_id).steps > before + 400, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: tab._steps_seen > before + 400, timeout=WAIT_MS)
    tab.steps.refresh()
    shown = [tab.steps.row(row) for row in range(tab.steps.rowCount())]
    places = [(row[1], row[2]) for row in reversed(shown)]  # episode, step
    holes = [
        (before, after)
        for before, after in itertools.pairwise(places)
        if before[0] == after[0] and after[1] != before[1] + 1
    ]
    assert len(places) > 400
    assert not holes


def test_a_halted_recorder_is_told_while_the_window_works_and_what_was_asked_is_done_later(
    window, qtbot, data_dir
):
    qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)
    pid = daemon_status(data_dir).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        ticks = Ticks(window)
        qtbot.waitUntil(window.trouble.isVisible, timeout=WAIT_MS)
        assert ticks.count > 50, "the window stood still"
        assert f"kill -CONT {pid}" in window.trouble.told
        assert window.status.recorder.text() == ("The recorder does not answer; training goes on.")
        assert [problem.what for problem in window.problems.problems] == ["recorder"]
        window.trouble.copy.click()
        assert f"process {pid}" in QtWidgets.QApplication.clipboard().text()
        spec = demo_spec(data_dir, steps=10)
        window.submit(spec)
        qtbot.waitUntil(window.status.progress.isVisible, timeout=WAIT_MS)
    finally:
        os.kill(pid, signal.SIGCONT)
    qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)
    record = window.model.record
    qtbot.waitUntil(lambda: has_ended(window, spec), timeout=WAIT_MS)
    assert record(spec.run_id).state is RunState.FINISHED
    assert window.trouble.isHidden()


def test_what_was_asked_of_a_recorder_that_dies_is_done_by_the_next_one(window, qtbot, data_dir):
    qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)
    pid = daemon_status(data_dir).pid
    os.kill(pid, signal.SIGSTOP)  # so that the request is under way when it dies
    spec = demo_spec(data_dir, steps=10)
    window.submit(spec)
    qtbot.waitUntil(window.trouble.isVisible, timeout=WAIT_MS)
    os.kill(pid, signal.SIGKILL)
    record = window.model.record
    qtbot.waitUntil(lambda: has_ended(window, spec), timeout=WAIT_MS)
    assert record(spec.run_id).state is RunState.FINISHED
    qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)


def test_a_recorder_of_another_version_is_replaced_at_a_click(open_window, qtbot, data_dir):
    data_dir.create()
    other = subprocess.Popen([sys.executable, str(OTHER_DAEMON), str(data_dir.root)])
    try:
        qtbot.waitUntil(lambda: bool(daemon_status(data_dir).pid), timeout=WAIT_MS)
        window = open_window(data_dir)
        lost = []
        window.context.link.state_changed.connect(lambda state, words: lost.append(words))
        qtbot.waitUntil(window.trouble.isVisible, timeout=WAIT_MS)
        assert "is of gym-gui 0.0.1" in window.trouble.told
        assert window.trouble.action.text() == "Restart the recorder"
        qtbot.waitUntil(lambda: len(lost) > 2, timeout=WAIT_MS)  # it tries again, and again
        assert len(window.problems.problems) == 1
        assert window.problems.problems[0].count == 1
        window.trouble.action.click()
        qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)
        assert other.wait(10) == 0
        assert window.trouble.isHidden()
    finally:
        other.kill()
        other.wait()
        stop_daemon(data_dir)


def test_runs_deleted_while_there_was_no_recorder_leave_the_list(window, qtbot, data_dir):
    qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)
    spec = demo_spec(data_dir, steps=10)
    window.submit(spec)
    record = window.model.record
    qtbot.waitUntil(lambda: has_ended(window, spec), timeout=WAIT_MS)
    pid = daemon_status(data_dir).pid
    with RunRegistry(data_dir) as registry:
        registry.delete(spec.run_id)
    os.kill(pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: record(spec.run_id) is None, timeout=WAIT_MS)


class Wire:
    """A TCP connection on the way to a daemon, that can fall silent, be cut, and come back."""

    def __init__(self, port: int) -> None:
        self._there = port
        self._sockets: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        self._threads: list[threading.Thread] = []
        self._server: socket.socket | None = None
        self.port = 0
        self.join()

    def silence(self) -> None:
        self._flows.clear()

    def speak(self) -> None:
        self._flows.set()

    def join(self) -> None:
        """Take connections."""
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        self._start(self._accept, self._server)

    def cut(self) -> None:
        """End every connection and take no more."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        self._flows.set()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()
        self._sockets.clear()
        self._threads.clear()

    def _start(self, function, *arguments) -> None:
        thread = threading.Thread(target=function, args=arguments, name="wire")
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                here, _ = server.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._there))
            self._sockets += [here, there]
            self._start(self._carry, here, there)
            self._start(self._carry, there, here)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


def test_a_far_recorder_whose_network_goes_is_told_and_found_again(
    open_window, qtbot, data_dir, tmp_path, monkeypatch
):
    from gym_gui.core.paths import DataDir

    there = DataDir(tmp_path / "far")
    ensure_daemon(there, listen="127.0.0.1:0")
    monkeypatch.setenv("GYM_GUI_TOKEN", token_path(there).read_text())
    place, _, secret = daemon_status(there).listen.partition("?")
    wire = Wire(int(place.rpartition(":")[2]))
    try:
        far = FarDataDir(data_dir.create(), f"tls://127.0.0.1:{wire.port}?{secret}")
        window = open_window(far.create())
        spec = demo_spec(there, steps=10_000_000, max_steps_per_s=300)
        with SyncTrainerClient(ensure_daemon(there)) as client:
            client.submit_run(spec)
        record = window.model.record
        qtbot.waitUntil(lambda: record(spec.run_id) is not None, timeout=WAIT_MS)
        wire.silence()
        qtbot.waitUntil(window.trouble.isVisible, timeout=WAIT_MS)
        assert "127.0.0.1 does not answer." in window.trouble.told
        wire.speak()
        qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)
        before = record(spec.run_id).steps
        qtbot.waitUntil(lambda: record(spec.run_id).steps > before, timeout=WAIT_MS)
        wire.cut()
        qtbot.waitUntil(window.trouble.isVisible, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: "No daemon answers" in window.trouble.told, timeout=WAIT_MS)
        assert len(window.problems.problems) == 1
        wire.join()
        window.trouble.action.click()
        qtbot.waitUntil(lambda: is_well(window), timeout=WAIT_MS)
        before = record(spec.run_id).steps
        qtbot.waitUntil(lambda: record(spec.run_id).steps > before, timeout=WAIT_MS)
        window.context.link.cancel(spec.run_id)
        qtbot.waitUntil(lambda: record(spec.run_id).state.is_final, timeout=WAIT_MS)
    finally:
        wire.cut()
        stop_daemon(there)
