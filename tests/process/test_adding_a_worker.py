"""Follows docs/adding-a-worker.md to the letter: its files, its commands, in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gym_gui.telemetry.reader import RunReader

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-worker.md").read_text()
_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
_COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the page's files, and an installation target of the test's own."""
    for name, text in _FILE.findall(PAGE):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    site = folder / "site"
    found = dict(os.environ)
    found["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found["PYTHONPATH"] = os.pathsep.join([str(site), str(ROOT)])
    found.update(PIP_TARGET=str(site), PIP_NO_BUILD_ISOLATION="0", PIP_NO_INDEX="1")
    found["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    found["GYM_GUI_DATA_DIR"] = str(folder / "data")
    return found


def shell(line: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["/bin/sh", "-ec", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_page_gives_a_worker_with_its_form(folder: Path, environment: dict[str, str]) -> None:
    install = _COMMANDS.findall(PAGE)[0].strip()
    shell(install.replace("pip ", "python -m pip ", 1), folder, environment)
    asked = (
        "from gym_gui.services.workers import build_spec, get_worker, tab_name;"
        "print([field.name for field in get_worker('coins').form({})]);"
        "print(tab_name('coins', 'agent0'));"
        "print(build_spec('coins', {'episodes': 3}, data_dir='d').command[2:])"
    )
    told = shell(f'python -c "{asked}"', folder, environment).splitlines()
    assert told == ["['episodes', 'tosses', 'seed']", "Coins-Live-agent0", "['--episodes', '3']"]
    printed = shell("python coins/coin_worker/toss.py --episodes 2", folder, environment)
    assert printed.count('"type": "step"') == 20


def test_the_pages_run_is_recorded(folder: Path, environment: dict[str, str]) -> None:
    install, run = (block.strip() for block in _COMMANDS.findall(PAGE))
    shell(install.replace("pip ", "python -m pip ", 1), folder, environment)
    try:
        shell(run, folder, environment)
    finally:
        shell("gym-gui daemon stop", folder, environment)
    (store,) = (folder / "data" / "runs").glob("*/telemetry.sqlite")
    with RunReader(store) as reader:
        assert reader.totals()["steps"] == 12
        returns = [point.value for point in reader.metrics("coins/return")]
        assert len(returns) == 3
        assert sum(step.reward for step in reader.steps(0, 0, 12)) == sum(returns)
        assert [one.return_ for one in reader.episodes()] == returns
