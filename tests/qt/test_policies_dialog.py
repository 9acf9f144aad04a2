"""Saved policies in the window: listed with their run, and watched as a run of its own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6 import QtWidgets
from window_parts import make_run, settle

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord
from gym_gui.services.workers import build_spec
from gym_gui.ui.presenters.workers.registry import default_registry
from gym_gui.ui.widgets.policies_dialog import PoliciesDialog


@pytest.fixture
def trained(data_dir: DataDir) -> RunRecord:
    """A run of Stable-Baselines3 that has saved two policies."""
    spec = build_spec("sb3", {"algorithm": "DQN"}, data_dir=data_dir)
    files = data_dir.run(spec.run_id).root / "files"
    files.mkdir(parents=True)
    for number, name in enumerate(("checkpoint_500_steps.zip", "final.zip")):
        (files / name).write_bytes(b"x" * 1000)
        os.utime(files / name, ns=(spec.created_ns + number,) * 2)
    return replace(make_run(spec.run_id), spec=spec)


@pytest.fixture
def holder(qtbot) -> QtWidgets.QWidget:
    widget = QtWidgets.QWidget()
    qtbot.addWidget(widget)
    return widget


def opened(
    qtbot, holder: QtWidgets.QWidget, record: RunRecord, data_dir: DataDir
) -> PoliciesDialog:
    dialog = PoliciesDialog(record, data_dir, holder)
    dialog.show()
    qtbot.waitUntil(lambda: "Looking" not in dialog.note.text())
    return dialog


def test_policies_are_listed_newest_first_and_one_is_watched(
    qtbot, holder, trained, data_dir
) -> None:
    dialog = opened(qtbot, holder, trained, data_dir)
    names = [dialog.list.topLevelItem(row).text(0) for row in range(2)]
    assert names == ["final.zip", "checkpoint_500_steps.zip"]
    dialog.list.setCurrentItem(dialog.list.topLevelItem(1))
    with qtbot.waitSignal(dialog.watch_requested) as asked:
        dialog.watch.click()
    (spec,) = asked.args
    assert spec.mode == "evaluate"
    assert Path(spec.config["evaluate"]).name == "checkpoint_500_steps.zip"
    assert spec.config["algorithm"] == "DQN"
    settle()


def test_a_run_without_policies_says_what_to_do(qtbot, holder, data_dir) -> None:
    record = make_run("bare", worker="sb3")
    dialog = opened(qtbot, holder, record, data_dir)
    assert "has saved no policy" in dialog.note.text()
    assert not dialog.watch.isEnabled()
    settle()


def test_an_evaluation_says_so_in_tab_and_picture(holder, trained, data_dir) -> None:
    from window_parts import make_context

    context = make_context(data_dir)
    presenter = default_registry().get("cleanrl")
    (training,) = presenter.create_tabs(context, trained, holder)
    evaluation = replace(trained, spec=replace(trained.spec, mode="evaluate"))
    (watched,) = presenter.create_tabs(context, evaluation, holder)
    titles = [tab.windowTitle() for tab in (training, watched)]
    assert titles == ["CleanRL-Live-agent0", "CleanRL-Live-agent0 (evaluation)"]
    assert [tab._root.property("mode") for tab in (training, watched)] == ["", "Evaluation"]
    for tab in (training, watched):
        tab.cleanup()
    settle()
