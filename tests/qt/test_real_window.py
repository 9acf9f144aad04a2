from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gym_gui.telemetry.reader import RunReader

DRIVER = Path(__file__).resolve().parents[1] / "scripts" / "drive_window.py"


@pytest.mark.xvfb
def test_the_demonstration_moves_in_a_real_window_and_its_hud_agrees_with_the_store(
    x_display, data_dir, tmp_path, gym_gui
):
    from PIL import Image, ImageChops

    environment = {**os.environ, "DISPLAY": x_display, "QT_QPA_PLATFORM": "xcb"}
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(data_dir.root), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "seen.json").read_text())
    first, second = told["seen"]
    assert first["tab"] == "Demo-Live-agent0"

    x, y, width, height = first["place"]
    box = (x, y + height // 3, x + width, y + height)  # below the HUD: the cart and its pole
    pictures = [Image.open(tmp_path / f"{n}.png").convert("RGB").crop(box) for n in (1, 2)]
    assert ImageChops.difference(*pictures).getbbox() is not None, "the picture does not move"
    assert len(pictures[0].getcolors(1 << 20)) > 3, "there is no cart in the picture"

    with RunReader(data_dir.run(told["run_id"]).store) as reader:
        returns = [episode.return_ for episode in reader.episodes()]
        for seen in (first, second):
            finished = seen["episode"]  # before the one shown; at its last step, with it
            means = [sum(returns[:count]) / count for count in (finished, finished + 1)]
            assert any(seen["rolling_return"] == pytest.approx(mean) for mean in means)
            steps = {step.step: step.reward for step in reader.episode_steps(0, finished)}
            assert seen["last_reward"] in steps.values()
            assert seen["step_rate_hz"] > 0
