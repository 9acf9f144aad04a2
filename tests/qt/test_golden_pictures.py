"""What the program looks like: every tab and dialog, in both themes, beside its golden picture.

Renew them on purpose: ``python tests/scripts/photograph_window.py --renew``, and look at them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts import photograph_window

SCRIPT = Path(photograph_window.__file__)
BLOCK = 16  # pixels; text of another font or run falls into the same blocks
MOST_MEAN = 4.0  # of 255: how far blocks may be off on average …
MOST_FAR = 0.03  # … and which share of them may be off by FAR and more
FAR = 40


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, _runtime_root) -> Path:
    folder = tmp_path_factory.mktemp("golden") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(_runtime_root))
        photograph_window.record_runs(folder)
        photograph_window.gym_gui(folder, "daemon", "stop")
    return folder


@pytest.mark.xvfb
@pytest.mark.parametrize("theme", photograph_window.THEMES)
def test_every_tab_and_dialog_looks_as_it_should(recorded, tmp_path, x_display, theme):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(recorded), str(tmp_path), theme],
        env={**os.environ, "DISPLAY": x_display, "QT_QPA_PLATFORM": "xcb"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    photograph_window.gym_gui(recorded, "daemon", "stop")
    assert done.returncode == 0, done.stderr
    golden = sorted((photograph_window.GOLDEN / theme).glob("*.png"))
    assert {path.name for path in golden} == {path.name for path in tmp_path.glob("*.png")}
    off = {path.stem: difference(path, tmp_path / path.name) for path in golden}
    assert not {name: found for name, found in off.items() if found[0] > MOST_MEAN}
    assert not {name: found for name, found in off.items() if found[1] > MOST_FAR}


def difference(golden: Path, taken: Path) -> tuple[float, float]:
    """Return how far two pictures' blocks are off on average, and the share that is far off."""
    off = np.abs(blocks(golden) - blocks(taken))
    return round(float(off.mean()), 2), round(float((off >= FAR).mean()), 4)


def blocks(path: Path) -> np.ndarray:
    picture = Image.open(path).convert("RGB")
    size = (picture.width // BLOCK, picture.height // BLOCK)
    return np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=float)


def test_a_picture_with_a_part_missing_is_found(tmp_path):
    golden = photograph_window.GOLDEN / "dark" / "analytics.png"
    broken = Image.open(golden).convert("RGB")
    broken.paste((255, 255, 255), (780, 140, 1280, 640))
    broken.save(tmp_path / "broken.png")
    assert difference(golden, golden) == (0.0, 0.0)
    assert difference(golden, tmp_path / "broken.png")[1] > MOST_FAR
