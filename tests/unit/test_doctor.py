"""``gym-gui doctor`` finds what is missing and says how to mend it."""

import json
import sys

import pytest
from click.testing import CliRunner

from gym_gui.commands import doctor as doctor_module
from gym_gui.commands import libraries
from gym_gui.commands.doctor import doctor


@pytest.fixture(autouse=True)
def no_daemon_questions(monkeypatch):
    found = doctor_module.Finding("daemon", "not running")
    monkeypatch.setattr(doctor_module, "_daemon", lambda data_dir: found)


def ask(*words):
    return CliRunner().invoke(doctor, [*words, "--json"], standalone_mode=False)


def findings(result):
    return {finding["what"]: finding for finding in json.loads(result.output)}


def test_a_missing_library_is_named_with_the_line_that_installs_it(monkeypatch, data_dir):
    monkeypatch.setitem(libraries.LIBRARIES, "libnone.so.7", ("libnone7", "none", "none"))
    found = findings(ask("--data-dir", str(data_dir.root)))["Qt's libraries"]
    assert "libnone.so.7" in found["found"]
    assert "none" in found["mend"]


def test_a_data_folder_that_cannot_be_used_is_vital(tmp_path):
    (tmp_path / "file").write_text("")
    result = ask("--data-dir", str(tmp_path / "file"))
    assert result.return_value == 1
    found = findings(result)["data folder"]
    assert found["vital"]
    assert "--data-dir" in found["mend"]


def test_a_package_that_cannot_be_imported_is_named(monkeypatch, data_dir):
    monkeypatch.setitem(sys.modules, "cma", None)
    result = ask("--data-dir", str(data_dir.root))
    assert findings(result)["packages"]["found"] == "missing: cma"
    assert result.return_value == 1


def test_all_is_well_where_the_tests_run(data_dir):
    result = ask("--data-dir", str(data_dir.root))
    broken = [f for f in findings(result).values() if f["mend"] and f["vital"]]
    assert [f for f in broken if f["what"] != "own files"] == []
