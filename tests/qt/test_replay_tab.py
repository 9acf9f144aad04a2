"""The Replay tab over runs that were really recorded."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PySide6 import QtCore, QtGui

from gym_gui.core.ids import new_run_id
from gym_gui.core.records import STEP_HUMAN, STEP_INTERVENTION, StepRecord
from gym_gui.services.replay import EpisodeReplay
from gym_gui.ui import theme
from gym_gui.ui.widgets.replay_tab import ReplayTab
from gym_gui.ui.widgets.timeline import Timeline

SCRIPT = """
import gymnasium
env = gymnasium.make("CartPole-v1")
env.action_space.seed({seed})
for episode in range(4):
    env.reset(seed=40 + episode)
    ended = False
    while not ended:
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        ended = terminated or truncated
env.close()
"""


def record(gym_gui, tmp_path, seed: int = 1) -> str:
    script = tmp_path / f"train{seed}.py"
    script.write_text(SCRIPT.format(seed=seed))
    done = gym_gui("run", "--json", "--", script)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["run_id"]


def pixels(image: QtGui.QImage) -> np.ndarray:
    whole = image.convertToFormat(QtGui.QImage.Format.Format_RGB888)
    rows = np.frombuffer(whole.constBits(), np.uint8).reshape(whole.height(), whole.bytesPerLine())
    return rows[:, : 3 * whole.width()].reshape(whole.height(), whole.width(), 3).copy()


@pytest.fixture
def open_tab(qtbot, gym_gui):
    tabs = []

    def open_(run_id: str) -> ReplayTab:
        tab = ReplayTab(run_id, data_dir=gym_gui.data_dir)
        qtbot.addWidget(tab)
        tabs.append(tab)
        tab.resize(1100, 640)
        tab.show()
        return tab

    yield open_
    for tab in tabs:
        tab.cleanup()
        for pane in (tab.pane, tab.beside):
            if pane is not None:
                pane.player.wait(20)
    assert QtCore.QThreadPool.globalInstance().waitForDone(30_000)


def test_frame_and_numbers_go_in_step(qtbot, gym_gui, tmp_path, open_tab) -> None:
    run_id = record(gym_gui, tmp_path)
    tab = open_tab(run_id)
    qtbot.waitUntil(lambda: tab.pane.shown == -1, timeout=30_000)
    assert tab.pane.episode is not None
    assert tab.pane.episode.episode == 3
    assert tab.pane.fact("Step") == "reset, seed 43"
    assert "as recorded" in tab.pane.message.text()
    tab.go_to_step(5)
    qtbot.waitUntil(lambda: tab.pane.shown == 5, timeout=30_000)
    assert tab.pane.fact("Return") == "6"
    assert tab.pane.fact("Action") == str(tab.pane.episode.steps[5].action)
    with EpisodeReplay(gym_gui.data_dir.run(run_id), stream=0, episode=3) as replay:
        assert np.array_equal(pixels(tab.pane.screen_.image), replay.frame(5))
    tab.bar.back.click()
    qtbot.waitUntil(lambda: tab.pane.shown == 4, timeout=30_000)
    assert tab.bar.step.value() == tab.bar.step_field.value() == 4


def test_jumps_playing_and_another_run_beside(qtbot, gym_gui, tmp_path, open_tab) -> None:
    first, second = record(gym_gui, tmp_path), record(gym_gui, tmp_path, seed=2)
    tab = open_tab(first)
    qtbot.waitUntil(lambda: tab.pane.shown == -1, timeout=30_000)
    tab.show_beside(second)
    qtbot.waitUntil(lambda: tab.beside.shown == -1, timeout=30_000)
    assert tab.beside.fact("Step") == tab.pane.fact("Step") == "reset, seed 43"
    assert np.array_equal(pixels(tab.beside.screen_.image), pixels(tab.pane.screen_.image))
    index = tab._index
    assert index is not None
    tab.jump("best")
    best = int(index.episode[np.argmax(index.return_)])
    qtbot.waitUntil(lambda: tab.pane.episode.episode == best, timeout=30_000)
    tab.jump("first success")
    qtbot.waitUntil(lambda: "success" in tab.pane.notice.text(), timeout=30_000)
    tab.bar.speed.setCurrentIndex(tab.bar.speed.findData(64.0))
    tab.bar.play.setChecked(True)
    end = tab.bar.step.maximum()
    qtbot.waitUntil(lambda: tab.pane.shown == end, timeout=30_000)
    assert not tab.bar.play.isChecked()


def test_a_run_that_is_not_there_is_said(qtbot, gym_gui, open_tab) -> None:
    gym_gui.data_dir.create()
    tab = open_tab(new_run_id("none"))
    qtbot.waitUntil(lambda: bool(tab.trouble.told), timeout=30_000)
    tab.go_to_step(3)
    assert tab.pane.shown == -2


def test_a_verification_is_shown_and_kept_with_the_run(qtbot, gym_gui, tmp_path, open_tab) -> None:
    run_id = record(gym_gui, tmp_path)
    tab = open_tab(run_id)
    qtbot.waitUntil(lambda: tab.pane.shown == -1, timeout=30_000)
    tab.verify.button.click()
    qtbot.waitUntil(lambda: tab.verify.words.text().startswith("Verified"), timeout=60_000)
    assert "4 of 4 episodes repeat exactly" in tab.verify.words.text()
    again = open_tab(run_id)
    qtbot.waitUntil(lambda: again.verify.words.text() == tab.verify.words.text(), timeout=30_000)
    assert "4 of 4" in gym_gui("runs", "show", run_id).stdout


def test_the_episode_on_the_screen_is_exported_and_a_cancelled_one_leaves_nothing(
    qtbot, gym_gui, tmp_path, open_tab
) -> None:
    tab = open_tab(record(gym_gui, tmp_path))
    qtbot.waitUntil(lambda: tab.pane.shown == -1, timeout=30_000)
    dialog = tab.open_export()
    dialog.kind.setCurrentIndex(dialog.kind.findData(".gif"))
    dialog.path.setText(str(tmp_path / "cancelled.gif"))
    dialog._advanced.connect(lambda done, total: dialog._cancel.set())
    dialog.begin()
    qtbot.waitUntil(lambda: "nothing was written" in dialog.note.text(), timeout=60_000)
    dialog._advanced.disconnect()
    dialog.path.setText(str(tmp_path / "episode.gif"))
    dialog.begin()
    qtbot.waitUntil(lambda: dialog.note.text().startswith("Written to"), timeout=60_000)
    assert sorted(path.name for path in tmp_path.glob("*.gif")) == ["episode.gif"]
    dialog.close()


def test_the_timeline_marks_interventions_and_large_rewards(qtbot) -> None:
    human = STEP_HUMAN | STEP_INTERVENTION
    steps = [
        StepRecord(0, n, 0, n, 0, 10.0 if n == 70 else 0.0, False, False, flags=human * (n < 3))
        for n in range(100)
    ]
    line = Timeline()
    qtbot.addWidget(line)
    line.resize(200, 8)
    line.show_steps(steps)
    assert line.interventions == 3
    assert line.toolTip() == "3 interventions, 1 large rewards"
    with qtbot.waitSignal(line.step_chosen) as chosen:
        qtbot.mouseClick(line, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(140, 4))
    assert chosen.args == [70]
    image = line.grab().toImage()
    assert image.pixelColor(2, 4) == QtGui.QColor(theme.current().warn)
    assert image.pixelColor(141, 4) == QtGui.QColor(theme.current().good)
