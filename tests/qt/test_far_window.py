"""A window on another machine: the same tabs, fed through ssh."""

from __future__ import annotations

import contextlib

import pytest
from ssh_server import SshServer

from gym_gui.app import make_window
from gym_gui.controllers.trainer_link import LinkState
from gym_gui.core.errors import RunNotFoundError
from gym_gui.core.paths import DATA_DIR_VARIABLE, DataDir
from gym_gui.core.records import RunState
from gym_gui.services.remote.sources import FarDataDir
from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import ensure_daemon, stop_daemon
from gym_gui.services.workers.demo import demo_spec
from gym_gui.ui.fastlane_consumer import View
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab


@pytest.fixture
def far(tmp_path, data_dir, monkeypatch, _runtime_root):
    """A far machine with a run that trains, and its copies' folder here."""
    there = DataDir(tmp_path / "far-data")
    variables = {DATA_DIR_VARIABLE: str(there.root), "XDG_RUNTIME_DIR": str(_runtime_root)}
    server = SshServer(tmp_path / "ssh", environment=variables)
    monkeypatch.setenv("GYM_GUI_SSH", server.client)
    spec = demo_spec(there, steps=10_000_000, max_steps_per_s=500)
    try:
        with SyncTrainerClient(ensure_daemon(there)) as client:
            client.submit_run(spec)
            copies = FarDataDir(data_dir.create(), server.address, command=server.command)
            yield copies, spec, client
            with contextlib.suppress(RunNotFoundError):
                client.cancel_run(spec.run_id)
    finally:
        server.close()
        stop_daemon(there)


@pytest.fixture
def window(far, qtbot):
    window = make_window(far[0].create())
    qtbot.addWidget(window)
    window.show()
    window.context.link.start()
    yield window
    window.shutdown()
    window.context.link.stop()


def test_a_far_run_is_watched_paused_ended_and_replayed(far, window, qtbot) -> None:
    far_dir, spec, client = far
    assert window.windowTitle() == "gym-gui — 127.0.0.1"
    assert not window.actions_by_name["new_run"].isEnabled()
    qtbot.waitUntil(lambda: window.tabs.count() > 0, timeout=60_000)
    tab = window.tabs.currentWidget()
    assert isinstance(tab, FastLaneTab)
    qtbot.waitUntil(lambda: tab.consumer.frames > 20, timeout=60_000)
    assert tab.consumer.view is View.LIVE
    assert (tab.consumer.frame.width, tab.consumer.frame.height) == (600, 400)
    tab._set_pace(True, 0.0)
    qtbot.waitUntil(lambda: client.get_run(spec.run_id).state is RunState.PAUSED, timeout=30_000)
    tab._set_pace(False, 0.0)
    qtbot.waitUntil(lambda: client.get_run(spec.run_id).state is RunState.RUNNING, timeout=30_000)
    window.panel.select(spec.run_id)
    window.do_stop_run()
    record = window.model.record
    qtbot.waitUntil(lambda: record(spec.run_id).state is RunState.CANCELLED, timeout=30_000)
    window.do_open_tab("replay", spec.run_id)
    qtbot.waitUntil(lambda: window.tabs.find(spec.run_id, "Replay") is not None, timeout=60_000)
    assert far_dir.run(spec.run_id).store.exists()
    window.context.link.delete(spec.run_id)
    qtbot.waitUntil(lambda: record(spec.run_id) is None, timeout=30_000)
    assert not far_dir.run(spec.run_id).root.exists()


def test_a_machine_that_is_not_there_is_said_in_the_window(data_dir, qtbot, monkeypatch) -> None:
    monkeypatch.setenv("GYM_GUI_SSH", "ssh -F /dev/null -oBatchMode=yes")
    window = make_window(FarDataDir(data_dir.create(), "ssh://127.0.0.1:1").create())
    qtbot.addWidget(window)
    said = []
    window.context.link.state_changed.connect(lambda state, words: said.append((state, words)))
    window.context.link.start()
    qtbot.waitUntil(lambda: any(state is LinkState.LOST for state, _ in said), timeout=30_000)
    assert said[0] == (LinkState.CONNECTING, "Connecting to 127.0.0.1…")
    assert "No ssh server answers on 127.0.0.1. " in said[1][1]
    window.shutdown()
    window.context.link.stop()
