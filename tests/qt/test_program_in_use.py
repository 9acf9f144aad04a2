"""A person at the program: starts a run, watches, pauses, replays, compares two runs, closes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gym_gui.core.records import RunState
from gym_gui.services.registry import RunRegistry
from gym_gui.telemetry.reader import RunReader

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "use_window.py"


@pytest.mark.xvfb
def test_a_person_starts_watches_pauses_replays_compares_and_closes(
    x_display, data_dir, tmp_path, gym_gui
):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(data_dir.root), str(tmp_path)],
        env={**os.environ, "DISPLAY": x_display, "QT_QPA_PLATFORM": "xcb"},
        capture_output=True,
        text=True,
        timeout=160,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["line"] == "gym-gui run --worker demo -- --steps 9000000"
    assert seen["tab"] == "Demo-Live-agent0"
    with RunRegistry(data_dir) as registry:
        runs = registry.list()
    assert {run.run_id for run in runs} == set(seen["compared"])
    assert [run.state for run in runs] == [RunState.CANCELLED] * 2
    for run in runs:
        with RunReader(data_dir.run(run.run_id).store) as store:
            assert store.totals()["steps"] == seen["steps"][run.run_id]
    with RunReader(data_dir.run(runs[-1].run_id).store) as store:
        assert [event.event for event in store.events("paused", "resumed")] == ["paused", "resumed"]
