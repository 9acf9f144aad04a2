"""Words that a person sees pass through ``tr``, so that a catalogue can replace them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gym_gui

UI = Path(gym_gui.__file__).parent / "ui"
SHOWN_BY = {  # calls whose texts are shown, and the places of these among the arguments
    "QLabel": (0,), "QPushButton": (0,), "QCheckBox": (0,), "QRadioButton": (0,),
    "QGroupBox": (0,), "EmptyWords": (0,), "LivePlot": (0, "x_title", "empty"),
    "CurvePlot": ("title",), "Screen": ("empty",), "Stop": (1, 2),
    "setText": (0,), "setToolTip": (0,), "setStatusTip": (0,), "setWindowTitle": (0,),
    "setPlaceholderText": (0,), "setAccessibleName": (0,), "setAccessibleDescription": (0,),
    "setTitle": (0,), "setLabelText": (0,), "setInformativeText": (0,), "setSuffix": (0,),
    "setSpecialValueText": (0,), "setPrefix": (0,), "addAction": (0,), "addMenu": (0,),
    "addItem": (0,), "addTab": (1,), "setTabText": (1,), "addRow": (0,), "addButton": (0,),
    "say": (0,), "begin": (1,), "set_title": (0,), "say_empty": (0,),
    "getOpenFileName": (1,), "getSaveFileName": (1,), "getExistingDirectory": (1,),
    "getText": (1, 2),
}  # fmt: skip
LISTS_SHOWN_BY = {"setHorizontalHeaderLabels", "setHeaderLabels", "addItems"}
NO_WORDS = {"MP4", "GIF", "PNG", "HUD", "MiB", "MB"}


def untranslated(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of what is shown as it stands in ``source``."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        shown: list[ast.expr] = []
        for place in SHOWN_BY.get(name, ()):
            if isinstance(place, int):
                shown += node.args[place : place + 1]
            else:
                shown += [word.value for word in node.keywords if word.arg == place]
        if name in LISTS_SHOWN_BY and node.args and isinstance(node.args[0], (ast.List, ast.Tuple)):
            shown += node.args[0].elts
        for expression in shown:
            for text in literals(expression):
                if has_words(text):
                    yield node.lineno, text


def literals(expression: ast.expr) -> Iterator[str]:
    """Yield the texts of an expression that no function has taken."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        yield expression.value
    elif isinstance(expression, ast.JoinedStr):
        for part in expression.values:
            yield from literals(part)
    elif isinstance(expression, ast.BinOp):
        yield from literals(expression.left)
        yield from literals(expression.right)
    elif isinstance(expression, ast.IfExp):
        yield from literals(expression.body)
        yield from literals(expression.orelse)
    elif isinstance(expression, ast.BoolOp):
        for part in expression.values:
            yield from literals(part)
    elif isinstance(expression, ast.Call) and getattr(expression.func, "attr", "") == "format":
        yield from literals(expression.func.value)  # type: ignore[attr-defined]


def has_words(text: str) -> bool:
    """Tell whether a person would read it: two letters in a row that are no unit."""
    bare = re.sub(r"<[^>]*(>|$)|&\w+;|gym-gui", " ", text)  # marks, and the program's own name
    words = "".join(sign if sign.isalpha() else " " for sign in bare).split()
    return any(len(word) > 1 and word not in NO_WORDS for word in words)


@pytest.mark.parametrize("path", sorted(UI.rglob("*.py")), ids=lambda path: path.stem)
def test_what_is_shown_can_be_translated(path):
    assert list(untranslated(path.read_text(encoding="utf-8"))) == []


def test_words_that_are_not_translated_are_found():
    source = (
        'label.setText("No run" if none else f"{count} runs")\ntabs.addTab(page, self.tr("Log"))'
    )
    assert [text for _, text in untranslated(source)] == ["No run", " runs"]
    source = 'box.addItem(tr("By {}").format(x))\nbutton.setText(" · ".join(parts))\nQLabel("5 %")'
    assert list(untranslated(source)) == []
