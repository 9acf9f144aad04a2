"""A built wheel in an empty environment, away from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from gym_gui.core.paths import DATA_DIR_VARIABLE

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the sources, so that the checkout stays clean."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(
        CHECKOUT / "gym_gui", source / "gym_gui", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source / name)
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install the wheel into an environment that sees our dependencies but not our checkout.

    The dependencies come over a path file instead of being downloaded again.
    """
    home = tmp_path_factory.mktemp("installed")
    python = home / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    subprocess.run([*install, "--no-index", str(wheel)], check=True, capture_output=True)
    site = next((home / "venv" / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text("\n".join(_dependency_folders()))
    return home / "venv" / "bin" / "gym-gui"


def _dependency_folders():
    """Return the folders that hold our dependencies; in a path file they are not searched for
    further path files, so an editable install of the checkout stays out of sight."""
    import numpy

    own = Path(sysconfig.get_paths()["purelib"])
    return sorted({str(own), str(Path(numpy.__file__).parents[1])})


def test_the_wheel_carries_qml_protocol_and_tap_and_no_tests(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for needed in (
        "gym_gui/ui/qml/FastLaneView.qml",
        "gym_gui/rpc/trainer.proto",
        "gym_gui/worker/sitecustomize_template.py",
        "gym_gui/worker/programs/demo_cartpole.py",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith("tests/")]


def test_the_installed_wheel_records_a_run_outside_the_checkout(installed, tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"],
        DATA_DIR_VARIABLE: str(tmp_path / "data"),
    }

    def gym_gui(*words):
        return subprocess.run(
            [str(installed), *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    try:
        done = gym_gui("demo", "--headless", "--steps", "3000", "--json")
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert summary["steps"] == summary["trainer_steps"] == 3000
        (tap,) = (tmp_path / "data" / "runs").glob("*/tap/gym_gui/worker")
        assert tap.is_dir()
    finally:
        gym_gui("daemon", "stop")


def test_the_installed_package_is_not_the_checkout(installed, tmp_path):
    code = "import gym_gui; print(gym_gui.__file__)"
    done = subprocess.run(
        [str(installed.with_name("python")), "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(installed.parents[1])
