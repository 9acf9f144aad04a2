"""Writes the catalogue of a language, or brings it up to date: every word that the window shows.

python scripts/catalogue.py de      writes gym_gui_de.ts; translate it in Qt Linguist, then
pyside6-lrelease gym_gui_de.ts -qm gym_gui/ui/resources/translations/gym_gui_de.qm

Qt's own lupdate sorts words by the class they stand in, where they would not be found; here
all belong to the one context in which ``ui/translate.py`` looks. What was translated stays.
"""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "gym_gui"
CONTEXT = "gym-gui"
TAKERS = ("tr", "mark")  # functions whose first argument is shown


def words() -> list[str]:
    """Return every text that is shown, each once, in the order of the files."""
    found = dict.fromkeys(_of_settings())
    for path in sorted((PACKAGE / "ui").rglob("*.py")):
        found.update(dict.fromkeys(_of_python(path.read_text(encoding="utf-8"))))
    for path in sorted((PACKAGE / "ui").rglob("*.qml")):
        texts = re.findall(r'qsTr\("((?:[^"\\]|\\.)*)"\)', path.read_text(encoding="utf-8"))
        found.update(dict.fromkeys(texts))
    return list(found)


def _of_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in TAKERS:
                yield from _literals(node.args[0])


def _literals(expression: ast.expr) -> Iterator[str]:
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        yield expression.value
    elif isinstance(expression, ast.IfExp):
        yield from _literals(expression.body)
        yield from _literals(expression.orelse)


def _of_settings() -> Iterator[str]:
    """Yield the preferences' titles, which the command line shows too, in English."""
    from gym_gui.services.settings import OPTIONS

    for option in OPTIONS:
        yield option.title
        if option.help:
            yield option.help
        yield from (choice.replace("_", " ").capitalize() for choice in option.choices)


def update(path: Path, language: str) -> int:
    """Write ``path`` with all words, keeping its translations; return how many are missing."""
    known: dict[str, str] = {}
    if path.exists():
        for message in ET.parse(path).iter("message"):
            known[message.findtext("source", "")] = message.findtext("translation", "")
    root = ET.Element("TS", version="2.1", language=language, sourcelanguage="en")
    context = ET.SubElement(root, "context")
    ET.SubElement(context, "name").text = CONTEXT
    missing = 0
    for text in words():
        message = ET.SubElement(context, "message")
        ET.SubElement(message, "source").text = text
        translation = ET.SubElement(message, "translation")
        translation.text = known.get(text, "")
        if not translation.text:
            translation.set("type", "unfinished")
            missing += 1
    ET.indent(root)
    head = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n'
    path.write_text(head + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
    return missing


if __name__ == "__main__":
    target = Path(f"gym_gui_{sys.argv[1]}.ts")
    left = update(target, sys.argv[1])
    sys.stdout.write(f"{target}: {len(words())} texts, {left} to translate\n")
