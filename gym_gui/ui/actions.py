"""Every command of the window as a QAction: one table for menus, shortcuts and the palette."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6 import QtGui, QtWidgets

from gym_gui.ui.icons import icon
from gym_gui.ui.tab_registry import tab_kinds


@dataclass(frozen=True)
class Command:
    """name: the window's method (without ``do_``), and the key in the shortcuts' settings."""

    name: str
    text: str
    menu: str
    shortcut: str = ""
    icon: str = ""
    needs_run: bool = False


TABS = Command("", "", "")  # the place of the tabs that can be opened
COMMANDS: tuple[Command, ...] = (
    Command("new_run", "New run…", "File", "Ctrl+N", "plus"),
    Command("demo", "Start the demonstration", "File", "", "play"),
    Command("open_script", "Open a script or run…", "File", "Ctrl+O"),
    Command("import_tensorboard", "Import a TensorBoard folder…", "File"),
    Command("import_minari", "Import a Minari dataset…", "File"),
    Command("preferences", "Preferences…", "File", "Ctrl+,", "settings"),
    Command("quit", "Quit", "File", "Ctrl+Q"),
    Command("show_live", "Watch live", "Run", "Ctrl+L", "live", True),
    TABS,
    Command("stop_run", "Stop the run", "Run", "Ctrl+.", "stop", True),
    Command("run_again", "Run again", "Run", "Ctrl+Shift+R", "", True),
    Command("run_again_with", "Run again with…", "Run", "", "", True),
    Command("compare_runs", "Compare in Analytics", "Run", "Ctrl+Shift+A", "chart", True),
    Command("policies", "Saved policies…", "Run", "", "", True),
    Command("edit_run", "Name, tags and notes…", "Run", "F2", "", True),
    Command("copy_command", "Copy command line", "Run", "Ctrl+Shift+C", "copy", True),
    Command("open_folder", "Open the run's folder", "Run", "", "", True),
    Command("delete_run", "Delete the run", "Run", "Del", "trash", True),
    Command("find_command", "Find a command…", "View", "Ctrl+K", "search"),
    Command("toggle_runs", "Show or hide the runs", "View", "Ctrl+B"),
    Command("search_runs", "Search runs", "View", "Ctrl+F"),
    Command("close_tab", "Close tab", "View", "Ctrl+W"),
    Command("reopen_tab", "Reopen the closed tab", "View", "Ctrl+Shift+T"),
    Command("detach_tab", "Show tab in its own window", "View", "Ctrl+Shift+D", "detach"),
    Command("next_tab", "Next tab", "View", "Ctrl+PgDown"),
    Command("previous_tab", "Previous tab", "View", "Ctrl+PgUp"),
    Command("full_screen", "Full screen", "View", "F11"),
    Command("tour", "Show the tour", "Help"),
    Command("shortcuts", "Keyboard shortcuts", "Help", "F1", "keyboard"),
    Command("problems", "Problems", "Help", "", "warning"),
    Command("about", "About gym-gui", "Help"),
)
STARTS_GROUP = (
    "preferences", "quit", "open_grid", "stop_run", "edit_run", "delete_run", "toggle_runs",
    "close_tab", "full_screen", "problems", "about",
)  # fmt: skip
MENUS = ("File", "Run", "View", "Help")


def make_actions(
    window: QtWidgets.QMainWindow, shortcuts: Mapping[str, str]
) -> dict[str, QtGui.QAction]:
    """Return an action for each command whose method ``do_<name>`` the window has, and each tab.

    shortcuts: the user's own, by command name; they win over the defaults.
    """
    actions: dict[str, QtGui.QAction] = {}
    for command in COMMANDS:
        if command is TABS:
            actions.update(_tab_actions(window, shortcuts))
            continue
        actions[command.name] = _make(window, command, shortcuts)
        actions[command.name].triggered.connect(getattr(window, f"do_{command.name}"))
    return actions


def _tab_actions(
    window: QtWidgets.QMainWindow, shortcuts: Mapping[str, str]
) -> dict[str, QtGui.QAction]:
    actions: dict[str, QtGui.QAction] = {}
    for kind in tab_kinds():
        command = Command(
            f"open_{kind.key}", kind.title.replace("&", "&&"), "Run", "", kind.icon, kind.per_run
        )
        action = _make(window, command, shortcuts)
        action.triggered.connect(
            lambda _=False, key=kind.key: window.do_open_tab(key)  # pyright: ignore[reportAttributeAccessIssue]
        )
        actions[command.name] = action
    return actions


def _make(
    window: QtWidgets.QMainWindow, command: Command, shortcuts: Mapping[str, str]
) -> QtGui.QAction:
    action = QtGui.QAction(window.tr(command.text), window)
    action.setObjectName(command.name)
    action.setData(command.menu)
    keys = shortcuts.get(command.name, command.shortcut)
    if keys:
        action.setShortcut(QtGui.QKeySequence(keys))
    if command.icon:
        action.setIcon(icon(command.icon, "text"))
        action.setIconVisibleInMenu(False)
    action.setProperty("needs_run", command.needs_run)
    window.addAction(action)
    return action


def use_shortcuts(actions: Mapping[str, QtGui.QAction], own: Mapping[str, str]) -> None:
    """Give every command the user's own keys, or its default ones."""
    defaults = {command.name: command.shortcut for command in COMMANDS}
    for name, action in actions.items():
        action.setShortcut(QtGui.QKeySequence(own.get(name, defaults.get(name, ""))))


def fill_menu_bar(window: QtWidgets.QMainWindow, actions: Mapping[str, QtGui.QAction]) -> None:
    """Sort the commands into the window's menus."""
    for title in MENUS:
        menu = window.menuBar().addMenu(window.tr(title))
        for action in actions.values():
            if action.data() == title:
                if action.objectName() in STARTS_GROUP:
                    menu.addSeparator()
                menu.addAction(action)


def run_menu(
    parent: QtWidgets.QWidget, actions: Mapping[str, QtGui.QAction], *, is_final: bool
) -> QtWidgets.QMenu:
    """Return the context menu of one run."""
    menu = QtWidgets.QMenu(parent)
    for action in actions.values():
        name = action.objectName()
        if action.data() != "Run" or (name == "stop_run" and is_final):
            continue
        if name in STARTS_GROUP or (is_final and name == "run_again"):
            menu.addSeparator()
        menu.addAction(action)
    return menu
