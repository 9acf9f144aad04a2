"""``gym-gui`` from outside: help, and errors of one line and a next step."""

import subprocess
import sys

import pytest

from gym_gui.cli import COMMANDS


def assert_clear_error(done, *, code, naming, next_step):
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert "Traceback" not in done.stderr
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("gym-gui: ")
    assert naming in lines[0]
    assert next_step in lines[1]


def test_help_names_every_command(gym_gui):
    done = gym_gui("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_of_its_own(name):
    from click.testing import CliRunner

    from gym_gui.cli import main_command

    done = CliRunner().invoke(main_command, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) > 5


def test_help_loads_neither_qt_nor_grpc_nor_gymnasium():
    import subprocess
    import sys

    code = (
        "import sys; from gym_gui.cli import main; main(['--help']);"
        "print([n for n in ('PySide6', 'grpc', 'gymnasium', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_an_unknown_command_is_named(gym_gui):
    assert_clear_error(gym_gui("trian"), code=2, naming="trian", next_step="--help")


def test_a_wrong_script_path_is_named(gym_gui):
    done = gym_gui("run", "--headless", "--", "no/such/train.py")
    assert_clear_error(done, code=2, naming="no/such/train.py", next_step="path")


def test_without_a_display_the_window_says_what_to_do_instead(gym_gui):
    done = gym_gui(QT_QPA_PLATFORM="", DISPLAY="", WAYLAND_DISPLAY="")
    assert_clear_error(done, code=1, naming="no display", next_step="--headless")


def test_a_file_in_place_of_the_data_folder_is_named(gym_gui, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = gym_gui("demo", "--headless", "--data-dir", tmp_path / "file" / "data")
    assert_clear_error(done, code=1, naming=str(tmp_path / "file"), next_step="--data-dir")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_script_trains_in_the_interpreter_that_is_named(gym_gui, tmp_path):
    folder = tmp_path / "other"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", str(folder)],
        check=True,
    )
    script = tmp_path / "where.py"
    script.write_text("import sys; print(sys.prefix)")
    done = gym_gui("run", "--follow", "--python", folder, "--", script)
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout


def test_a_script_gets_the_variables_of_its_own_caller(gym_gui, data_dir, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "answer.py").write_text("WORD = 'imported'")
    script = tmp_path / "say.py"
    script.write_text(
        "import os, answer; print(answer.WORD, os.environ.get('DEVICE'), os.environ.get('GONE'))"
    )
    monkeypatch.setenv("GONE", "of the daemon")
    assert gym_gui("daemon", "start").returncode == 0
    monkeypatch.delenv("GONE")
    monkeypatch.setenv("DEVICE", "cuda-77")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "mine"))
    done = gym_gui("run", "--follow", "--", script)
    assert "imported cuda-77 None" in done.stdout, done.stderr
    kept = [path for path in data_dir.root.rglob("*") if path.is_file()]
    assert not [
        path for path in kept if b"cuda-77" in path.read_bytes() and "stdout" not in str(path)
    ]
