"""A catalogue in the folder of translations is what the program speaks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "catalogue.py"
WORDS = {"File": "Datei", "New run…": "Neuer Lauf…", "Watch an agent learn": "Sieh zu"}
PROGRAM = """
import sys
from pathlib import Path
from gym_gui import app
from gym_gui.core.paths import DataDir
from gym_gui.ui import translate
translate.FOLDER = Path(sys.argv[2])
application = app.make_application()
window = app.make_window(DataDir(sys.argv[1]).create())
print(window.menuBar().actions()[0].text())
print(window.actions_by_name["new_run"].text())
print(window.actions_by_name["quit"].text())
print(window.panel.search.placeholderText())
window.shutdown()
"""


def catalogue(folder: Path) -> None:
    """Write and compile a German catalogue of a few words."""
    messages = "".join(
        f"<message><source>{source}</source><translation>{told}</translation></message>"
        for source, told in WORDS.items()
    )
    source = folder / "gym_gui_de.ts"
    source.write_text(
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE TS><TS version="2.1" language="de_DE">'
        f"<context><name>gym-gui</name>{messages}</context></TS>",
        encoding="utf-8",
    )
    compiler = Path(sys.executable).with_name("pyside6-lrelease")
    subprocess.run(
        [str(compiler), str(source), "-qm", str(folder / "gym_gui_de.qm")],
        check=True,
        capture_output=True,
    )


def test_the_script_writes_a_catalogue_that_the_program_speaks_and_keeps_what_was_translated(
    tmp_path,
):
    source = tmp_path / "gym_gui_de.ts"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "de"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "to translate" in done.stdout
    text = source.read_text(encoding="utf-8")
    for word in ("Starting {}…", "Theme", "Mean return"):
        assert word in text
    empty = '<translation type="unfinished" />'
    before = f"<source>Search runs</source>\n      {empty}"
    assert before in text
    translated = before.replace(empty, "<translation>Suche</translation>")
    source.write_text(text.replace(before, translated), encoding="utf-8")
    subprocess.run([sys.executable, str(SCRIPT), "de"], cwd=tmp_path, check=True)
    assert translated in source.read_text(encoding="utf-8")
    compiler = Path(sys.executable).with_name("pyside6-lrelease")
    words = [str(compiler), str(source), "-qm", str(tmp_path / "gym_gui_de.qm")]
    subprocess.run(words, check=True, capture_output=True)
    assert menu(tmp_path, "de_DE.UTF-8")[-1] == "Suche"


def menu(tmp_path: Path, language: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), str(tmp_path)],
        env={**os.environ, "LC_ALL": language, "LANG": language, "LANGUAGE": language},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_system_s_language_is_spoken_where_there_is_a_catalogue(tmp_path):
    catalogue(tmp_path)
    assert menu(tmp_path, "de_DE.UTF-8") == [
        "Datei",
        "Neuer Lauf…",
        "Quit",
        "Search runs",
    ]
    assert menu(tmp_path, "en_GB.UTF-8") == ["File", "New run…", "Quit", "Search runs"]
