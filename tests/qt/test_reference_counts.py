from __future__ import annotations

import sys

from PySide6 import QtWidgets


def test_update_loses_no_reference_to_none(qtbot):
    """PySide6 6.12.0 loses one a call and ends the process after some 8,500 (decision 001)."""
    widget = QtWidgets.QWidget()
    qtbot.addWidget(widget)
    before = sys.getrefcount(None)
    for _ in range(20_000):
        widget.update()
    assert abs(sys.getrefcount(None) - before) < 1000
