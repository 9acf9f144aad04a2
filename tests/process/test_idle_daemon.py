from __future__ import annotations

import shutil
import subprocess
import sys

from waiting import wait_until

from gym_gui.services.trainer.client import SyncTrainerClient
from gym_gui.services.trainer.daemon import daemon_address, daemon_status
from gym_gui.services.trainer.upkeep import Idleness


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_ten_minutes_without_anybody_are_enough_and_a_client_starts_them_anew():
    clock = Clock()
    idleness = Idleness(600, clock=clock)
    clock.now = 599
    assert not idleness.is_over(needed=False)
    assert not idleness.is_over(needed=True)
    clock.now = 1198
    assert not idleness.is_over(needed=False), "the client's call did not count"
    clock.now = 1199
    assert idleness.is_over(needed=False)


def test_a_limit_of_none_never_ends():
    clock = Clock()
    idleness = Idleness(0, clock=clock)
    clock.now = 1e9
    assert not idleness.is_over(needed=False)


def test_a_daemon_that_nobody_needs_ends_by_itself(data_dir):
    data_dir.create()
    words = ["-m", "gym_gui.services.trainer.daemon", "--data-dir", str(data_dir.root)]
    daemon = subprocess.Popen(
        [sys.executable, *words, "--idle-s", "2"], stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: daemon_status(data_dir).pid == daemon.pid, timeout_s=60)
        with SyncTrainerClient(daemon_address(data_dir)) as client:
            assert client.health()["pid"] == daemon.pid
        _, told = daemon.communicate(timeout=60)
    finally:
        daemon.kill()
    assert daemon.returncode == 0
    assert "no run and no client" in told
    assert not data_dir.socket.exists()


def test_the_preferences_limits_are_kept_by_the_daemon(data_dir):
    from gym_gui.core.records import RunSpec, RunState
    from gym_gui.services.registry import RunRegistry
    from gym_gui.services.settings import Settings
    from gym_gui.services.trainer.upkeep import _keep_within_limits

    data_dir.create()
    settings = Settings.load(data_dir.settings)
    settings["retention.keep_days"] = 30
    settings.save()
    with RunRegistry(data_dir) as registry:
        for name, created_ns in (("old", 1), ("new", 2**62)):
            spec = RunSpec(name, "script", ["python"], "/", created_ns=created_ns)
            registry.add(spec, state=RunState.FINISHED)
    _keep_within_limits(data_dir)
    with RunRegistry(data_dir) as registry:
        assert [run.run_id for run in registry.list()] == ["new"]
        assert [run.run_id for run in registry.list(deleted=True)] == ["old"]


def test_a_daemon_whose_folder_was_deleted_ends_and_the_next_one_starts(data_dir, gym_gui):
    data_dir.create()
    words = ["-m", "gym_gui.services.trainer.daemon", "--data-dir", str(data_dir.root)]
    daemon = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: daemon_status(data_dir).pid == daemon.pid, timeout_s=60)
        shutil.rmtree(data_dir.root)
        _, told = daemon.communicate(timeout=60)
    finally:
        daemon.kill()
    assert daemon.returncode == 0, told
    assert "is not there any more" in told
    assert "Traceback" not in told
    assert gym_gui("daemon", "start").returncode == 0
