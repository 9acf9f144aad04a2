"""Everything that can be acted on has a name, and whoever has no mouse gets to it.

Walks through every tab, page and dialog of the window.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6 import QtCore, QtGui, QtWidgets
from store_samples import steps_batch, write
from window_parts import make_context, make_run, settle

from gym_gui.core.records import RunState
from gym_gui.ui import theme
from gym_gui.ui.main_window import MainWindow
from gym_gui.ui.tab_registry import tab_kinds
from gym_gui.ui.widgets.export_dialog import ExportDialog
from gym_gui.ui.widgets.key_editor import KeyEditor
from gym_gui.ui.widgets.tour import Tour

DIALOGS = (
    "new_run", "preferences", "shortcuts", "find_command", "edit_run", "policies", "problems",
)  # fmt: skip
INTERACTIVE = (
    QtWidgets.QAbstractButton,
    QtWidgets.QLineEdit,
    QtWidgets.QAbstractSpinBox,
    QtWidgets.QComboBox,
    QtWidgets.QAbstractSlider,
    QtWidgets.QAbstractItemView,
    QtWidgets.QPlainTextEdit,
)
OWN = ("QScrollBar", "QHeaderView", "QTabBar", "QLineEditIconButton", "QTableCornerButton")
BY_ITS_LINE = {"palette"}  # the arrows go through its list while one types
BY_SHORTCUT = {"Close this tab"}


@pytest.fixture
def window(qtbot, data_dir):
    made = MainWindow(make_context(data_dir))
    qtbot.addWidget(made)
    made.show()
    run = make_run("run-1", RunState.FINISHED)
    data_dir.run("run-1").root.mkdir(parents=True)
    write(data_dir.run("run-1").store, steps_batch(0, 40))
    made.context.link.runs_changed.emit([run])
    made.panel.select("run-1")
    yield made
    made.close_for_good()
    settle()


def places(window: MainWindow) -> Iterator[tuple[str, QtWidgets.QWidget]]:
    """Open everything there is, one after another."""
    yield "window", window
    for kind in tab_kinds():
        window.do_open_tab(kind.key)
        widget = window.tabs.currentWidget()
        yield kind.key, widget
        if kind.key == "replay":
            widget.show_beside("run-1")
            yield "replay beside another", widget
    window.context.link.runs_changed.emit([make_run("run-2")])
    window.show_run("run-2")
    yield "live", window.tabs.currentWidget()
    for name in DIALOGS:
        getattr(window, f"do_{name}")()
        found = [d for d in window.findChildren(QtWidgets.QDialog) if d.isVisible()]
        assert len(found) == 1, name
        yield name, found[0]
        found[0].close()
        settle()
    for dialog in (
        ExportDialog(window.context.data_dir.run("run-1"), parent=window),
        KeyEditor("CartPole-v1", {frozenset({"left"}): 0}, window),
    ):
        dialog.open()
        yield type(dialog).__name__, dialog
        dialog.close()
    window.do_tour()
    yield "tour", window.findChild(Tour)


def controls(top: QtWidgets.QWidget) -> Iterator[QtWidgets.QWidget]:
    """Yield what a person acts on, but not the parts that Qt's own widgets are made of."""
    for widget in top.findChildren(QtWidgets.QWidget):
        parent = widget.parentWidget()
        inner = isinstance(parent, (QtWidgets.QAbstractSpinBox, QtWidgets.QComboBox)) or (
            isinstance(parent, (QtWidgets.QLineEdit, QtWidgets.QTabBar))
            and not widget.accessibleName()
        )
        names = {kind.__name__ for kind in type(widget).__mro__}
        own = names & set(OWN) or widget.metaObject().className() in OWN
        own = own or widget.objectName().startswith(("qt_", "Scroll"))
        popup = isinstance(parent, QtWidgets.QWidget) and parent.windowType() in (
            QtCore.Qt.WindowType.Popup, QtCore.Qt.WindowType.ToolTip,
        ) and not isinstance(parent, QtWidgets.QDialog)  # fmt: skip
        plots = widget.metaObject().className().startswith("Plot")
        to_come = isinstance(widget, QtWidgets.QPushButton) and not widget.text()
        if to_come and widget.icon().isNull() and not widget.isVisibleTo(top):
            continue  # it says what it does when it comes
        if isinstance(widget, INTERACTIVE) and not (inner or own or popup or plots):
            yield widget


def spoken(widget: QtWidgets.QWidget) -> str:
    """Return the name that a screen reader says."""
    interface = QtGui.QAccessible.queryAccessibleInterface(widget)
    return interface.text(QtGui.QAccessible.Text.Name).strip() if interface else ""


def told(place: str, widget: QtWidgets.QWidget) -> str:
    around = widget.parentWidget()
    return f"{place}: {type(widget).__name__} {widget.objectName()!r} in {type(around).__name__}"


def test_all_that_can_be_acted_on_has_a_name_help_and_the_keyboard(qtbot, window):
    nameless, helpless, unreachable, seen = set(), set(), set(), 0
    for place, top in places(window):
        for widget in controls(top):
            seen += 1
            name = spoken(widget)
            if not name:
                nameless.add(told(place, widget))
            is_icon = isinstance(widget, QtWidgets.QAbstractButton) and not widget.text().strip()
            is_icon = is_icon and not isinstance(widget, QtWidgets.QCheckBox)
            if is_icon and not widget.toolTip():
                helpless.add(told(place, widget))
            by_tab = widget.focusPolicy() & QtCore.Qt.FocusPolicy.TabFocus
            if not by_tab and name not in BY_SHORTCUT and top.objectName() not in BY_ITS_LINE:
                unreachable.add(f"{told(place, widget)} {name!r}")
    assert seen > 150, "the walk did not come far"
    assert (nameless, helpless, unreachable) == (set(), set(), set())


def test_the_window_fits_a_small_screen_whatever_is_open(qtbot, window):
    too_large = {}
    for place, top in places(window):
        top.ensurePolished()
        need = (
            window if window.isAncestorOf(top) and not top.isWindow() else top
        ).minimumSizeHint()
        if need.width() > 1280 or need.height() > 690:  # 720, less a title bar
            too_large[place] = need.toTuple()
    assert too_large == {}


def test_every_command_is_in_a_menu(window):
    listed = {
        action for menu in window.menuBar().actions() for action in menu.menu().actions()
    }  # fmt: skip
    assert set(window.actions_by_name.values()) <= listed


@pytest.mark.parametrize("choice", ["dark", "light"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: QtWidgets.QPushButton("Start"),
        lambda: primary(QtWidgets.QPushButton("Start")),
        lambda: QtWidgets.QToolButton(text="x"),
        lambda: QtWidgets.QLineEdit("word"),
        lambda: filled(QtWidgets.QComboBox()),
        lambda: QtWidgets.QSpinBox(),
        lambda: QtWidgets.QCheckBox("Logarithmic"),
        lambda: QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal),
        lambda: filled(QtWidgets.QListWidget()),
        lambda: filled(QtWidgets.QTabBar()),
    ],
    ids=["button", "primary", "tool", "line", "combo", "spin", "check", "slider", "list", "tabs"],
)  # fmt: skip
def test_the_focus_is_to_be_seen(qtbot, qapp, make, choice):
    theme.apply(qapp, choice)
    holder, other = QtWidgets.QWidget(), QtWidgets.QLineEdit()
    column = QtWidgets.QVBoxLayout(holder)
    widget = make()
    column.addWidget(other)
    column.addWidget(widget)
    qtbot.addWidget(holder)
    holder.show()
    qtbot.waitActive(holder)
    other.setFocus()
    without = widget.grab().toImage()
    widget.setFocus(QtCore.Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(widget.hasFocus)
    if isinstance(widget, QtWidgets.QLineEdit):
        widget.deselect()
        widget.setCursorPosition(0)
    rim = widget.rect().adjusted(4, 0, -4, 0) if not isinstance(widget, QtWidgets.QLineEdit) else (
        QtCore.QRect(8, 0, widget.width() - 16, 2)
    )  # fmt: skip
    assert widget.grab().toImage().copy(rim) != without.copy(rim)


def primary(button: QtWidgets.QPushButton) -> QtWidgets.QPushButton:
    button.setProperty("primary", True)
    return button


def filled(widget):
    if isinstance(widget, QtWidgets.QTabBar):
        widget.addTab("One")
        widget.addTab("Two")
    else:
        widget.addItems(["one", "two"])
    if isinstance(widget, QtWidgets.QListWidget):
        widget.setCurrentRow(0)
    return widget
