"""Every command in the README does what a reader expects of it.

The commands stand in blocks marked ``sh``. They are executed in order, in a copy of the checkout,
with one data folder, as a reader would type them; those that open a window get a virtual display
and are closed once the window has shown a frame.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

from gym_gui.core.paths import DATA_DIR_VARIABLE

CHECKOUT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
SET_UP = {
    "./run.sh": "test_run_sh_on_a_fresh_machine_trains_and_records, below",
    "./test.sh": "it is what runs this test",
}


CLEANRL = "stress/cleanrl_scripts.py"
INLINE = {  # commands in the text, with words to fill in: which test runs the like
    "gym-gui --connect ssh://host": "process/test_far_machine.py",
    "gym-gui export RUN NAME-v0 --to minari": "process/test_exporting.py",
    "gym-gui run --python PATH -- SCRIPT": "process/test_command_line.py",
    "python tests/stress/cleanrl_scripts.py --cleanrl PATH --python PATH": CLEANRL,
    "python tests/stress/environments.py --python PATH": "stress/environments.py",
}
CODE = re.compile(r"`((?:gym-gui|python) [^`]*)`")


def readme_commands():
    blocks = BLOCK.findall((CHECKOUT / "README.md").read_text())
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def copy_checkout(target):
    """Copy what a fresh clone would have: no environment, no caches."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "node_modules"
    )
    shutil.copytree(CHECKOUT, target, ignore=ignored)
    return target


def environment(home, **more):
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    own = Path(sys.executable).parent
    return {
        **kept,
        "PATH": f"{own}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"],
        DATA_DIR_VARIABLE: str(home / "data"),
        **more,
    }


@pytest.fixture
def reader(tmp_path):
    """A reader at a shell, in a copy of the checkout; the daemon is stopped when they leave."""
    checkout = copy_checkout(tmp_path / "checkout")
    yield Reader(checkout, tmp_path)
    subprocess.run(
        [sys.executable, "-m", "gym_gui", "daemon", "stop"],
        env=environment(tmp_path),
        capture_output=True,
        check=False,
    )


class Reader:
    def __init__(self, checkout, home):
        self.checkout = checkout
        self.home = home

    def types(self, line, **more):
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.checkout,
            env=environment(self.home, **more),
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    def watches(self, line, display):
        """Type a command that opens a window, wait until its run is recording, and close it."""
        with subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=self.checkout,
            env=environment(self.home, DISPLAY=display),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as program:
            try:
                wait_until(lambda: self.trains() or program.poll() is not None, what=line)
            finally:
                program.send_signal(signal.SIGTERM)
                output, errors = program.communicate(timeout=60)
        return subprocess.CompletedProcess(line, program.returncode, output, errors)

    def trains(self):
        listed = self.types("gym-gui runs --json").stdout
        return any(run["state"] == "running" and run["steps"] for run in json.loads(listed))


def opens_window(line):
    words = line.split()
    if "--headless" in words or words[0] != "gym-gui":
        return False
    return words[1:] == [] or words[1] in ("demo", "play")


@pytest.mark.timeout(600)
@pytest.mark.xvfb
def test_every_command_of_the_readme_works(reader, x_display):
    lines = readme_commands()
    assert len(lines) > 8
    for line in lines:
        if line in SET_UP:
            continue
        done = reader.watches(line, x_display) if opens_window(line) else reader.types(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, line
        assert done.stdout or opens_window(line), f"{line} printed nothing"


def test_commands_run_elsewhere_are_still_in_the_readme():
    assert set(SET_UP) <= set(readme_commands())


def test_every_command_in_the_text_is_run_by_some_test():
    text = BLOCK.sub("", (CHECKOUT / "README.md").read_text())
    shown = set(CODE.findall(text)) - set(readme_commands()) - {"gym-gui --help"}
    assert shown == set(INLINE)
    for where in INLINE.values():
        assert (CHECKOUT / "tests" / where).is_file()


@pytest.mark.timeout(600)
def test_run_sh_on_a_fresh_machine_trains_and_records(tmp_path):
    checkout = copy_checkout(tmp_path / "checkout")
    bare = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or name in ("PATH", "XDG_RUNTIME_DIR")
    }
    home = tmp_path / "home"
    home.mkdir()

    def run():
        return subprocess.run(
            ["./run.sh", "--headless", "--steps", "20000"],
            cwd=checkout,
            env={**bare, "HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    try:
        first = run()
        assert first.returncode == 0, first.stderr
        steps = re.search(r"steps +([\d,]+) in the store, ([\d,]+) counted", first.stdout)
        assert steps, first.stdout
        assert steps[1] == steps[2] == "20,000"
        tenths = re.search(r"first tenth ([\d.]+), last tenth ([\d.]+)", first.stdout)
        assert float(tenths[2]) > float(tenths[1])
        pictures = re.findall(r"(?:curve|frame) +(\S+\.png)", first.stdout)
        assert len(pictures) == 2
        for picture in pictures:
            assert Path(picture).read_bytes().startswith(b"\x89PNG")

        for line in readme_commands():  # nothing more than run.sh installs is needed for them
            if line.startswith("gym-gui export"):
                done = subprocess.run(
                    ["bash", "-c", f".venv/bin/{line}"],
                    cwd=checkout,
                    env={**bare, "HOME": str(home)},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{line}\n{done.stderr}"

        second = run()
        assert second.returncode == 0, second.stderr
        assert "Installing" not in second.stderr
        assert "Creating" not in second.stderr
    finally:
        subprocess.run(
            [str(checkout / ".venv/bin/gym-gui"), "daemon", "stop"],
            env={**bare, "HOME": str(home)},
            capture_output=True,
            check=False,
        )
