"""The registry of runs: shared by threads and processes, deletion with a way back."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading

import pytest
from store_samples import steps_batch, write

from gym_gui.core.clock import ManualClock
from gym_gui.core.errors import RunNotFoundError, StorageError, UsageError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec, RunState
from gym_gui.services.registry import RunRegistry
from gym_gui.services.retention import Retention, apply_retention


def spec(run_id: str, created_ns: int = 1) -> RunSpec:
    return RunSpec(run_id, "script", ["python"], "/tmp", created_ns=created_ns)


@pytest.fixture
def registry(data_dir: DataDir):
    with RunRegistry(data_dir.create()) as found:
        yield found


def finished(registry: RunRegistry, *names: str) -> None:
    for number, name in enumerate(names):
        registry.add(spec(name, number + 1), state=RunState.FINISHED)
        folder = registry.data_dir.run(name).root
        folder.mkdir(parents=True)
        write(folder / "telemetry.sqlite", steps_batch(0, 1000))


def test_a_record_comes_back_as_it_was(registry):
    added = registry.add(spec("run-1"), state=RunState.RUNNING, steps=5)
    assert registry.get("run-1") == added
    changed = registry.update("run-1", state=RunState.FAILED, exit_code=3, best_return=1.5)
    assert (changed.steps, changed.exit_code, changed.state) == (5, 3, RunState.FAILED)


def test_an_update_names_only_fields_there_are(registry):
    registry.add(spec("run-1"))
    for wrong in ({"mood": 1}, {"run_id": "run-2"}):
        with pytest.raises(TypeError):
            registry.update("run-1", **wrong)
    with pytest.raises(RunNotFoundError):
        registry.update("run-2", steps=1)


def test_ids_are_unique_and_cannot_leave_the_folder(registry):
    registry.add(spec("run-1"))
    with pytest.raises(UsageError, match="exists"):
        registry.add(spec("run-1"))
    with pytest.raises(UsageError):
        registry.add(spec("../run-1"))


def test_the_newest_comes_first_and_prefixes_resolve(registry):
    finished(registry, "run-a1", "run-a2", "run-b")
    assert [run.run_id for run in registry.list()] == ["run-b", "run-a2", "run-a1"]
    assert registry.resolve("run-b").run_id == "run-b"
    assert registry.resolve("run-a1").run_id == "run-a1"
    for wrong in ("run-a", "nothing"):
        with pytest.raises(RunNotFoundError):
            registry.resolve(wrong)


def test_deletion_has_a_way_back_until_the_trash_is_emptied(data_dir):
    clock = ManualClock(10**18)
    with RunRegistry(data_dir, clock=clock) as registry:
        finished(registry, "run-1", "run-2")
        assert registry.trash(["run-1"]) == ["run-1"]
        assert [run.run_id for run in registry.list()] == ["run-2"]
        assert [run.run_id for run in registry.list(deleted=True)] == ["run-1"]
        registry.restore(["run-1"])
        assert len(registry.list()) == 2
        registry.trash(["run-1"])
        clock.advance(seconds=50)
        assert registry.empty_trash(older_than_s=100) == 0
        clock.advance(seconds=60)
        freed = registry.empty_trash(older_than_s=100)
        assert freed > 20_000
        assert not data_dir.run("run-1").root.exists()
        assert list(data_dir.runs.glob(".deleted-*")) == []
        assert registry.list(deleted=True) == []


def test_a_live_run_cannot_be_deleted_and_none_is_when_one_cannot(registry):
    finished(registry, "run-1")
    registry.add(spec("run-2"), state=RunState.RUNNING)
    with pytest.raises(UsageError, match="still running"):
        registry.trash(["run-1", "run-2"])
    with pytest.raises(UsageError, match="still running"):
        registry.delete("run-2")
    assert len(registry.list()) == 2


def test_deletion_gives_its_space_back(registry):
    finished(registry, "run-1")
    size = registry.size_bytes("run-1")
    assert size > 20_000
    assert registry.delete("run-1") == size
    assert not registry.data_dir.run("run-1").root.exists()
    with pytest.raises(RunNotFoundError):
        registry.get("run-1")


def test_run_folders_that_it_does_not_know_are_adopted(registry):
    folder = registry.data_dir.run("run-9")
    folder.root.mkdir(parents=True)
    folder.spec.write_text('{"run_id":"old","worker":"script","command":[],"cwd":"/"}')
    assert [run.run_id for run in registry.adopt()] == ["run-9"]
    assert registry.adopt() == []
    assert registry.get("run-9").state is RunState.FINISHED


def test_only_the_owner_can_read_it(registry):
    for file in registry.data_dir.root.glob("registry.sqlite*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


_ADD = """
import sys
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.services.registry import RunRegistry
from gym_gui.services.retention import Retention, apply_retention
with RunRegistry(DataDir(sys.argv[1])) as registry:
    for i in range(30):
        registry.add(RunSpec(f"p{sys.argv[2]}-{i}", "script", [], "/"))
        registry.update("shared", **{sys.argv[3]: i + 1})
"""


def test_processes_and_threads_do_not_undo_each_other(registry):
    registry.add(spec("shared"))
    root = str(registry.data_dir.root)
    fields = ("steps", "episodes", "rejected")
    others = [
        subprocess.Popen([sys.executable, "-c", _ADD, root, str(n), name])
        for n, name in enumerate(fields)
    ]
    threads = [
        threading.Thread(
            target=lambda n=n: [registry.add(spec(f"t{n}-{i}")) for i in range(20)] and None
        )
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0, 0]
    assert len(registry.list()) == 1 + 3 * 30 + 3 * 20
    shared = registry.get("shared")
    assert (shared.steps, shared.episodes, shared.rejected) == (30, 30, 30)


def test_a_registry_of_another_kind_is_refused(data_dir):
    data_dir.create()
    data_dir.registry.write_bytes(b"hello" * 100)
    with pytest.raises(StorageError):
        RunRegistry(data_dir)


def test_what_is_too_much_goes_to_the_trash_but_not_what_is_kept_or_live(data_dir):
    clock = ManualClock(100 * 86_400 * 10**9)
    with RunRegistry(data_dir, clock=clock) as registry:
        for number in range(6):
            state = RunState.RUNNING if number == 0 else RunState.FINISHED
            one = spec(f"run-{number}", (10 + number) * 86_400 * 10**9)
            one.tags = ["keep"] if number == 1 else []
            registry.add(one, state=state)
        assert apply_retention(registry, Retention(), clock=clock) == []
        assert apply_retention(registry, Retention(max_runs=3), clock=clock) == ["run-2"]
        assert apply_retention(registry, Retention(max_days=86.5), clock=clock) == ["run-3"]
        assert [run.run_id for run in registry.list()] == ["run-5", "run-4", "run-1", "run-0"]
        registry.restore(["run-2"])
        clock.advance(seconds=8 * 86_400)
        apply_retention(registry, Retention(), clock=clock)
        assert registry.list(deleted=True) == []
        assert len(registry.list()) == 5


def test_the_size_of_all_runs_together_is_kept(registry):
    finished(registry, "run-1", "run-2", "run-3")
    size = registry.size_bytes("run-3")
    assert apply_retention(registry, Retention(max_bytes=2 * size + 100)) == ["run-1"]
