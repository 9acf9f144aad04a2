"""``RenderTabs``: hosts the tabs of all runs and owns their lives."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.ui.icons import icon
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab

MAX_NAME = 24  # characters of a run's name in a tab


class DetachedWindow(QtWidgets.QWidget):
    """A tab in a window of its own; closing it docks the tab again."""

    closed = QtCore.Signal()

    def __init__(self, content: QtWidgets.QWidget, title: str) -> None:
        super().__init__(None, QtCore.Qt.WindowType.Window)
        self.content = content
        self.setWindowTitle(title)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(content)
        content.show()
        self.resize(720, 560)

    def show_content(self, content: QtWidgets.QWidget) -> None:
        """Show another widget instead; the one before is its owner's to delete."""
        self.layout().replaceWidget(self.content, content)  # pyright: ignore[reportOptionalMemberAccess]
        self.content.hide()
        self.content = content
        content.show()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self.closed.emit()
        super().closeEvent(event)


class RenderTabs(QtWidgets.QTabWidget):
    """Tabs by (run, name). Closing one calls its ``cleanup`` and deletes it."""

    tab_closed = QtCore.Signal(str, str)  # run id, name

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabsClosable(True)
        self.setMovable(True)
        self.setDocumentMode(True)
        self.setElideMode(QtCore.Qt.TextElideMode.ElideNone)
        self.setUsesScrollButtons(True)
        self.tabCloseRequested.connect(self.close_tab)
        self._keys: dict[QtWidgets.QWidget, tuple[str, str]] = {}
        self._helps: dict[QtWidgets.QWidget, tuple[str, str]] = {}  # icon, the run's name
        self._windows: dict[QtWidgets.QWidget, DetachedWindow] = {}
        bar = self.tabBar()
        bar.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        bar.customContextMenuRequested.connect(self._show_menu)

    # -- opening --------------------------------------------------------------------------------

    def add_dynamic_tab(
        self,
        run_id: str,
        name: str,
        widget: QtWidgets.QWidget,
        *,
        icon_name: str = "",
        help: str = "",
        select: bool = True,
    ) -> QtWidgets.QWidget:
        """Host ``widget`` as the tab ``name`` of a run and return it.

        help: the run's name, shown behind the tab's own.
        A tab of that run and name which is open already is shown instead, and returned;
        ``widget`` is then cleaned up.
        """
        known = self.find(run_id, name)
        if known is not None and known is not widget:
            _dispose(widget)
            self.reveal(known)
            return known
        self._keys[widget] = (run_id, name)
        self._helps[widget] = (icon_name, help)
        text = f"{name} · {_short(help)}" if help else name
        index = self.addTab(widget, text.replace("&", "&&"))  # a single one marks a shortcut
        if icon_name:
            self.setTabIcon(index, icon(icon_name, "muted"))
        self.setTabToolTip(index, help or run_id)
        self._put_close_button(widget)
        if select:
            self.setCurrentIndex(index)
        return widget

    def open_fastlane_tab(
        self, run_id: str, agent_id: str, widget: FastLaneTab, *, select: bool = True
    ) -> QtWidgets.QWidget:
        """Host a live tab; its title is what its presenter named it."""
        name = widget.windowTitle() or f"CleanRL-Live-{agent_id}"
        widget.detach_requested.connect(self._detach_sender)
        return self.add_dynamic_tab(run_id, name, widget, icon_name="live", select=select)

    def _put_close_button(self, widget: QtWidgets.QWidget) -> None:
        button = QtWidgets.QToolButton()
        button.setIcon(icon("close", "muted"))
        button.setIconSize(QtCore.QSize(14, 14))
        button.setToolTip(self.tr("Close this tab"))
        button.setAccessibleName(self.tr("Close this tab"))
        button.clicked.connect(self._close_sender)
        button.setProperty("tab", widget)
        side = QtWidgets.QTabBar.ButtonPosition.RightSide
        index = self.indexOf(widget)
        plain = self.tabBar().tabButton(index, side)
        self.tabBar().setTabButton(index, side, button)
        if plain is not None:
            plain.deleteLater()  # the bar only hides it

    @QtCore.Slot()
    def _close_sender(self) -> None:
        self.close_widget(self.sender().property("tab"))

    # -- finding --------------------------------------------------------------------------------

    def find(self, run_id: str, name: str) -> QtWidgets.QWidget | None:
        """Return the open tab of that run and name, docked or detached."""
        return next((widget for widget, key in self._keys.items() if key == (run_id, name)), None)

    def tabs_of(self, run_id: str) -> list[QtWidgets.QWidget]:
        return [widget for widget, key in self._keys.items() if key[0] == run_id]

    def run_of(self, widget: QtWidgets.QWidget | None) -> str:
        """Return the run that a tab belongs to; empty for the program's own tabs."""
        return self._keys[widget][0] if widget in self._keys else ""

    def holds(self, widget: QtWidgets.QWidget) -> bool:
        """Tell whether a tab is still open here, docked or detached."""
        return widget in self._keys

    def open_tabs(self) -> list[tuple[QtWidgets.QWidget, str, str]]:
        """Return widget, run id and name of every tab: the docked in their order, then others."""
        return [(widget, *self._keys[widget]) for widget in (*self.docked(), *self._windows)]

    def docked(self) -> list[QtWidgets.QWidget]:
        """Return the tabs that are in the window, in their order."""
        pages = (self.widget(index) for index in range(self.count()))
        return [page for page in pages if page is not None]

    def window_of(self, widget: QtWidgets.QWidget) -> DetachedWindow | None:
        """Return the window that a detached tab is in."""
        return self._windows.get(widget)

    def replace(self, before: QtWidgets.QWidget, widget: QtWidgets.QWidget) -> None:
        """Put ``widget`` in the place of a tab, with its run, name and title."""
        self._keys[widget] = self._keys.pop(before)
        self._helps[widget] = self._helps.pop(before)
        window = self._windows.pop(before, None)
        if window is not None:
            self._windows[widget] = window
            window.show_content(widget)
            window.closed.disconnect()
            window.closed.connect(lambda: self.dock(widget))
        else:
            self._swap(self.indexOf(before), before, widget)
        _dispose(before)

    def _swap(self, index: int, before: QtWidgets.QWidget, widget: QtWidgets.QWidget) -> None:
        is_current = self.currentWidget() is before
        text, picture, help = self.tabText(index), self.tabIcon(index), self.tabToolTip(index)
        with QtCore.QSignalBlocker(self):
            self.removeTab(index)
            self.insertTab(index, widget, picture, text)
            self.setTabToolTip(index, help)
            if is_current:
                self.setCurrentIndex(index)
        self._put_close_button(widget)

    def reveal(self, widget: QtWidgets.QWidget) -> None:
        """Bring a tab to the front, wherever it is."""
        window = self._windows.get(widget)
        if window is None:
            self.setCurrentWidget(widget)
        else:
            window.raise_()
            window.activateWindow()

    # -- detaching ------------------------------------------------------------------------------

    @QtCore.Slot()
    def _detach_sender(self) -> None:
        widget = self.sender()
        if widget in self._windows:
            self.dock(widget)  # pyright: ignore[reportArgumentType]
        else:
            self.detach(widget)  # pyright: ignore[reportArgumentType]

    def detach(self, widget: QtWidgets.QWidget) -> DetachedWindow:
        """Move a tab into a window of its own."""
        run_id, name = self._keys[widget]
        self.removeTab(self.indexOf(widget))
        window = DetachedWindow(widget, f"{name} · {self._helps[widget][1] or run_id}")
        self._windows[widget] = window
        window.closed.connect(lambda: self.dock(widget))
        window.show()
        return window

    def dock(self, widget: QtWidgets.QWidget) -> None:
        """Bring a detached tab back."""
        window = self._windows.pop(widget, None)
        if window is None:
            return
        run_id, name = self._keys[widget]
        icon_name, help = self._helps[widget]
        self.add_dynamic_tab(run_id, name, widget, icon_name=icon_name, help=help)
        window.blockSignals(True)
        window.close()
        window.deleteLater()

    # -- closing --------------------------------------------------------------------------------

    @QtCore.Slot(int)
    def close_tab(self, index: int) -> None:
        self.close_widget(self.widget(index))

    def close_widget(self, widget: QtWidgets.QWidget | None) -> None:
        """Clean a tab up and delete it. Unknown or closed ones are left alone."""
        if widget is None or widget not in self._keys:
            return
        run_id, name = self._keys.pop(widget)
        self._helps.pop(widget, None)
        window = self._windows.pop(widget, None)
        index = self.indexOf(widget)
        if index >= 0:
            self.removeTab(index)
        _dispose(widget)
        if window is not None:
            window.blockSignals(True)
            window.close()
            window.deleteLater()
        self.tab_closed.emit(run_id, name)

    def close_run(self, run_id: str) -> None:
        for widget in self.tabs_of(run_id):
            self.close_widget(widget)

    def close_all(self) -> None:
        for widget in list(self._keys):
            self.close_widget(widget)

    def _close_others(self, kept: QtWidgets.QWidget) -> None:
        for widget in list(self._keys):
            if widget is not kept:
                self.close_widget(widget)

    @QtCore.Slot(QtCore.QPoint)
    def _show_menu(self, at: QtCore.QPoint) -> None:
        widget = self.widget(self.tabBar().tabAt(at))
        if widget is None:
            return
        menu = QtWidgets.QMenu(self)
        menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        entries: tuple[tuple[str, Callable[[], object]], ...] = (
            (self.tr("Show in its own window"), lambda: self.detach(widget)),
            (self.tr("Close"), lambda: self.close_widget(widget)),
            (self.tr("Close the others"), lambda: self._close_others(widget)),
        )
        for label, action in entries:
            menu.addAction(label, action)
        menu.popup(self.tabBar().mapToGlobal(at))


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1].rstrip() + "…"


def _dispose(widget: QtWidgets.QWidget) -> None:
    cleanup = getattr(widget, "cleanup", None)
    if cleanup is not None:
        cleanup()
    widget.setParent(None)
    widget.deleteLater()
