"""What goes wrong is named, with a next step, and costs nothing that was recorded."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from gym_gui.core.paths import DATA_DIR_VARIABLE

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "random_agent.py"


def assert_clear_error(done, *, naming, code=1):
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    told = done.stderr[done.stderr.index("gym-gui: ") :].strip().splitlines()
    assert len(told) == 2, done.stderr
    assert re.search(naming, told[0]), told[0]
    assert told[1].startswith("  ")


def recorded(gym_gui):
    done = gym_gui("runs", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def train(gym_gui, *words):
    return gym_gui("run", "--headless", "--", EXAMPLE, *words)


def test_an_unknown_environment_id_is_named(gym_gui):
    done = train(gym_gui, "--env-id", "NoSuchThing-v0")
    assert_clear_error(done, naming="NoSuchThing")
    assert [run["state"] for run in recorded(gym_gui)] == ["failed"]


CRASHES = """
import gymnasium
env = gymnasium.make("CartPole-v1")
env.reset(seed=1)
for step in range(5):
    env.step(step % 2)
raise ValueError("the reactor is out of cheese")
"""


def test_a_crashing_script_is_named_and_its_steps_are_kept(gym_gui, tmp_path):
    script = tmp_path / "crashes.py"
    script.write_text(CRASHES)
    done = gym_gui("run", "--headless", "--", script)
    assert_clear_error(done, naming="out of cheese")
    (run,) = recorded(gym_gui)
    assert (run["state"], run["steps"], run["exit_code"]) == ("failed", 5, 1)


def test_a_second_daemon_is_refused_and_the_first_goes_on(gym_gui):
    assert gym_gui("daemon", "start").returncode == 0
    assert_clear_error(gym_gui("daemon", "start"), naming="already")
    assert gym_gui("daemon", "status").returncode == 0


def test_a_socket_in_use_by_another_program_is_named(gym_gui, data_dir):
    data_dir.create()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(data_dir.socket))
        other.listen()
        assert_clear_error(gym_gui("daemon", "start"), naming="socket|in use")
    data_dir.socket.unlink()


def test_a_run_that_does_not_exist_is_named(gym_gui):
    train(gym_gui, "--episodes", "2")
    assert_clear_error(gym_gui("runs", "show", "nope"), naming="nope")
    assert_clear_error(gym_gui("replay", "nope"), naming="nope")


def test_a_data_folder_that_is_a_file_is_named_and_left_alone(gym_gui, tmp_path):
    place = tmp_path / "file"
    place.write_text("mine")
    done = gym_gui("--data-dir", place, "run", "--headless", "--", EXAMPLE)
    assert_clear_error(done, naming="file")
    assert place.read_text() == "mine"


def on_a_disk_of(gym_gui, mount, script):
    """Run a shell script where the data folder's disk is a small one, in a mount of its own."""
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    root = gym_gui.data_dir.root
    root.mkdir(parents=True)
    lines = f'set -u; mount -t tmpfs -o {mount} tmpfs "{root}"; {script}'
    return subprocess.run(
        [*unshare, "bash", "-c", lines],
        env={**os.environ, DATA_DIR_VARIABLE: str(root), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


GYM_GUI = '"$PYTHON" -m gym_gui'
STOP = f"{GYM_GUI} daemon stop >/dev/null 2>&1; exit $code"


def test_a_full_disk_is_named_before_a_run_begins(gym_gui):
    done = on_a_disk_of(gym_gui, "size=2m", f"{GYM_GUI} demo --headless; code=$?; {STOP}")
    assert_clear_error(done, naming="disk .* is full")


def test_a_read_only_data_folder_is_named(gym_gui):
    done = on_a_disk_of(gym_gui, "ro", f"{GYM_GUI} demo --headless")
    assert_clear_error(done, naming="Read-only")


def test_a_disk_that_fills_up_ends_no_training_and_what_is_not_kept_is_counted(gym_gui):
    more = f'mount -o remount,size=300m "${DATA_DIR_VARIABLE}"'
    wait = f"until {GYM_GUI} runs --json | grep -q finished; do :; done; {GYM_GUI} runs --json"
    script = f"{GYM_GUI} demo --headless --steps 60000 >&2; code=$?; {more}; {wait}; {STOP}"
    done = on_a_disk_of(gym_gui, "size=12m", script)
    (run,) = json.loads(done.stdout)
    assert (run["state"], run["exit_code"]) == ("finished", 0)
    assert run["steps"] > 10_000
    assert run["dropped"] > 10_000
    assert "NOT RECORDED" in done.stderr or "recording waits" in done.stderr
    assert "Traceback" not in done.stderr
