"""A run that somebody hands over: a copied ``telemetry.sqlite``, or a whole run folder.

The file is copied by SQLite itself, so that a file which is still being written comes over whole.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import apsw

from gym_gui.core.errors import UsageError
from gym_gui.core.ids import new_run_id
from gym_gui.core.paths import DataDir, private_dir
from gym_gui.core.records import RunRecord, RunSpec, RunState
from gym_gui.services.importing import import_tensorboard
from gym_gui.services.registry import RunRegistry
from gym_gui.telemetry.connection import storage_errors
from gym_gui.telemetry.reader import RunReader

STORE_NAME = "telemetry.sqlite"


def take_run(data_dir: DataDir, path: Path) -> RunRecord:
    """Make a run of what ``path`` holds and return it; one of this data folder is returned as is.

    Raises UsageError when it holds no run, StoreCorruptError or StoreVersionError when it holds
    one that cannot be read. A failure leaves no half run behind.
    """
    store = path / STORE_NAME if path.is_dir() else path
    if path.is_dir() and not store.is_file():
        return import_tensorboard(data_dir, path)
    store = store.resolve()
    if store.parent.parent == data_dir.runs.resolve():
        with RunRegistry(data_dir) as registry:
            return registry.get(store.parent.name)
    with RunReader(store) as reader:
        spec, totals = reader.spec(), reader.totals()
    if spec is None:
        raise UsageError(
            f"{store} does not say what was trained.",
            next_step="Take the telemetry.sqlite of a run's folder.",
        )
    spec = replace(spec, run_id=new_run_id(spec.name or spec.worker))
    _copy(data_dir, store, spec)
    with RunRegistry(data_dir) as registry:
        return registry.add(
            spec,
            state=RunState.FINISHED,
            steps=totals["steps"],
            episodes=totals["episodes"],
            last_return=totals["last_return"],
            best_return=totals["best_return"],
            size_bytes=registry.size_bytes(spec.run_id),
        )


def _copy(data_dir: DataDir, store: Path, spec: RunSpec) -> None:
    folder = data_dir.create().run(spec.run_id)
    private_dir(folder.root)
    try:
        folder.spec.write_text(json.dumps(spec.to_dict()), encoding="utf-8")
        with storage_errors(store):
            _back_up(store, folder.store)
    except BaseException:
        shutil.rmtree(folder.root, ignore_errors=True)
        raise


def _back_up(source: Path, target: Path) -> None:
    begun = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    made = apsw.Connection(str(target))
    try:
        with made.backup("main", begun, "main") as backup:
            backup.step(-1)
    finally:
        made.close()
        begun.close()
    target.chmod(0o600)
