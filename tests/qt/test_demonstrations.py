"""From key presses to a learned policy: played in the tab, exported to Minari, cloned."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import minari
import numpy as np
from PySide6 import QtCore, QtTest

from gym_gui.core.paths import DataDir
from gym_gui.core.records import ControlMode
from gym_gui.services.exporting import Export, export
from gym_gui.services.human_session import PolicySource
from gym_gui.telemetry.reader import RunReader
from gym_gui.ui.widgets.play_tab import PlayTab

EXAMPLE = Path(__file__).parents[2] / "examples" / "behaviour_cloning.py"
EPISODES, LENGTH = 4, 60
Key = QtCore.Qt.Key


class Demonstrator:
    """Presses a key for every step: towards where the pole falls. Stops at enough episodes."""

    def __init__(self, tab: PlayTab) -> None:
        self._tab = tab
        self._observation: list[float] = []
        self.ended = 0
        tab.session.began.connect(self._look)
        tab.session.stepped.connect(self._look)
        tab.session.episode_finished.connect(self._end)
        tab.session.situation_changed.connect(
            self._press, QtCore.Qt.ConnectionType.QueuedConnection
        )

    def _look(self, record) -> None:
        self._observation = record.observation

    def _end(self, _episode) -> None:
        self.ended += 1

    def _press(self, _situation, _mine) -> None:
        if self.ended < EPISODES:
            _, _, angle, speed = self._observation
            key = Key.Key_Right if angle + 0.4 * speed > 0 else Key.Key_Left
            QtTest.QTest.keyClick(self._tab.screen_, key)


def test_what_is_played_by_keys_teaches_a_policy_that_beats_chance(
    qtbot, data_dir: DataDir, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    tab = PlayTab(data_dir)
    qtbot.addWidget(tab)
    tab.show()
    tab.setup.environment.setCurrentText("CartPole-v1")
    tab.setup.settings.setText(json.dumps({"max_episode_steps": LENGTH}))
    runs: list[str] = []
    tab.session.started.connect(lambda run_id, about: runs.append(run_id))
    person = Demonstrator(tab)
    tab.setup.play.click()
    qtbot.waitUntil(lambda: person.ended >= EPISODES, timeout=90_000)
    tab.cleanup()
    assert QtCore.QThreadPool.globalInstance().waitForDone(60_000)
    run_dir = data_dir.run(runs[0])
    export(run_dir, Export(Path("cartpole/human-v0"), "minari", by_human=True))
    dataset = minari.load_dataset("cartpole/human-v0")
    with RunReader(run_dir.store) as reader:
        played = reader.steps(0, 0, 10_000)
    actions = np.concatenate([episode.actions for episode in dataset.iterate_episodes()])
    assert actions.tolist() == [step.action for step in played[: len(actions)]]
    assert all(episode.infos["human"][1:].all() for episode in dataset.iterate_episodes())
    done = subprocess.run(
        [sys.executable, EXAMPLE, "cartpole/human-v0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["cloned"] > 1.5 * result["random"]


def test_interventions_and_proposals_are_in_the_dataset(
    qtbot, data_dir: DataDir, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    policy = tmp_path / "policy.py"
    policy.write_text("def act(observation):\n    return 0\n")
    tab = PlayTab(data_dir)
    qtbot.addWidget(tab)
    ended: list = []
    runs: list[str] = []
    tab.session.episode_finished.connect(ended.append)
    tab.session.started.connect(lambda run_id, about: runs.append(run_id))
    tab.session.start(
        "CartPole-v1",
        mode=ControlMode.HYBRID_TAKE_OVER,
        policy=PolicySource("python", f"{policy}:act"),
        frames_per_s=100.0,
        options={"max_episode_steps": 6},
    )
    tab.session.stepped.connect(
        lambda step: tab.session.hold_action(1 if step.step in (1, 2) else None)
    )
    qtbot.waitUntil(lambda: len(ended) >= 2, timeout=60_000)
    tab.cleanup()
    assert QtCore.QThreadPool.globalInstance().waitForDone(60_000)
    export(data_dir.run(runs[0]), Export(Path("cartpole/dagger-v0"), "minari", by_human=True))
    with RunReader(data_dir.run(runs[0]).store) as reader:
        stored = reader.episode_steps(0, 0)
    episode = next(iter(minari.load_dataset("cartpole/dagger-v0").iterate_episodes()))
    flags = [bool(step.flags & 16) for step in stored]
    assert any(flags)
    assert not all(flags)
    assert episode.infos["intervention"].tolist() == [False, *flags]
    assert episode.infos["proposed_action"].tolist() == [-1] + [0] * len(stored)
