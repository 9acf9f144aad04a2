"""Which tabs were open when the program was last closed, and their way back.

A remembered tab comes back as an empty page with its title as soon as its run is known; what it
shows is made when it is first looked at, so that many tabs do not make the start slower. Runs that
are gone are left out.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.core.records import RunRecord
from gym_gui.ui.tab_registry import tab_kinds
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab
from gym_gui.ui.widgets.render_tabs import RenderTabs

LIVE = "live"
SETTING = "window.restore_tabs"


@dataclass
class OpenTab:
    """One tab as it was left. window: geometry of its own window in base 64, empty if docked."""

    run_id: str
    kind: str  # a key of the tab registry, or ``LIVE``
    window: str = ""
    current: bool = False


class LazyTab(QtWidgets.QWidget):
    """An empty page in the place of a tab; ``wanted`` when it is looked at."""

    wanted = QtCore.Signal()

    def __init__(self, entry: OpenTab) -> None:
        super().__init__()
        self.entry = entry
        self._soon = QtCore.QTimer(self, interval=0, singleShot=True)
        self._soon.timeout.connect(self._want)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        super().showEvent(event)
        self._soon.start()

    def _want(self) -> None:
        if self.isVisible():  # and not only for a moment, while tabs are put in order
            self.wanted.emit()

    def cleanup(self) -> None:
        self._soon.stop()


class TabMemory(QtCore.QObject):
    """Reads and writes the open tabs of a window.

    window: the MainWindow, which makes the tabs; store: where the list is kept.
    """

    def __init__(self, window: Any, store: QtCore.QSettings) -> None:
        super().__init__(window)
        self._window = window
        self._store = store
        self._key = f"tabs/{window.context.link.place or 'here'}"
        self._waiting: dict[int, OpenTab] = {}  # by place, until their run is known
        self._orders: dict[QtWidgets.QWidget, int] = {}
        self._has_met_runs = False
        self.selects = True  # bring the tab to the front that was there
        if window.context.settings[SETTING]:
            self._waiting = dict(enumerate(_read(store.value(self._key))))
            window.context.link.runs_changed.connect(self._take_runs)

    # -- the way back ---------------------------------------------------------------------------

    @QtCore.Slot(object)
    def _take_runs(self, records: Iterable[RunRecord]) -> None:
        self._has_met_runs = True
        known = {record.run_id: record for record in records}
        ready = [place for place, tab in self._waiting.items() if tab.run_id in ("", *known)]
        for place in ready:
            entry = self._waiting.pop(place)
            self._bring_back(place, entry, known.get(entry.run_id))
        if not self._waiting:
            self._window.context.link.runs_changed.disconnect(self._take_runs)

    def _bring_back(self, place: int, entry: OpenTab, record: RunRecord | None) -> None:
        tabs: RenderTabs = self._window.tabs
        if entry.kind == LIVE and record is not None and not record.state.is_final:
            self._window._open_live_tabs(record, select=False)
            widget = next(w for w in tabs.tabs_of(record.run_id) if isinstance(w, FastLaneTab))
        else:
            kind = "replay" if entry.kind == LIVE else entry.kind  # what shows an ended run best
            made = self._placeholder(OpenTab(entry.run_id, kind), record)
            if made is None:
                return
            widget = made
        self._orders[widget] = place
        self._put_in_order(widget)
        if entry.window:
            geometry = QtCore.QByteArray.fromBase64(entry.window.encode())
            tabs.detach(widget).restoreGeometry(geometry)
        elif entry.current and self.selects:
            tabs.setCurrentWidget(widget)

    def _placeholder(self, entry: OpenTab, record: RunRecord | None) -> QtWidgets.QWidget | None:
        kind = next((kind for kind in tab_kinds() if kind.key == entry.kind), None)
        tabs: RenderTabs = self._window.tabs
        if kind is None or tabs.find(entry.run_id, kind.title) is not None:
            return None
        page = LazyTab(entry)
        page.wanted.connect(lambda: self._fill(page))
        name = (record.spec.name or record.run_id) if record else ""
        tabs.add_dynamic_tab(
            entry.run_id, kind.title, page, icon_name=kind.icon, help=name, select=False
        )
        self._window._show_middle()
        return page

    def _put_in_order(self, widget: QtWidgets.QWidget) -> None:
        tabs: RenderTabs = self._window.tabs
        mine, last = self._orders[widget], tabs.count()
        orders = [self._orders.get(page, -1) for page in tabs.docked()]
        after = (i for i, order in enumerate(orders) if order > mine)
        at = tabs.indexOf(widget)
        place = next(after, last - 1)
        if at >= 0 and place < at:
            tabs.tabBar().moveTab(at, place)

    def _fill(self, page: LazyTab) -> None:
        """Make what the page stands for; the plots' library is loaded off the GUI thread first."""

        def make(_: object = None) -> None:
            if self._window.tabs.holds(page):
                self._window.with_files(page.entry.run_id, lambda: self._window.fill_tab(page))

        self._window.background.run(
            lambda: importlib.import_module("pyqtgraph"), done=make, failed=make
        )

    # -- remembering ----------------------------------------------------------------------------

    def save(self) -> None:
        """Keep what is open now; what never came back, because no run was heard of, stays."""
        if not self._window.context.settings[SETTING]:
            self._store.remove(self._key)
            return
        tabs: RenderTabs = self._window.tabs
        found = []
        for widget, run_id, name in tabs.open_tabs():
            key = LIVE if isinstance(widget, FastLaneTab) else _key_of(name)
            again = any((tab.run_id, tab.kind) == (run_id, key) for tab in found)
            if key and not again:
                window = tabs.window_of(widget)
                place = bytes(window.saveGeometry().toBase64().data()).decode() if window else ""
                found.append(OpenTab(run_id, key, place, widget is tabs.currentWidget()))
        if not self._has_met_runs:
            found += self._waiting.values()
        self._store.setValue(self._key, json.dumps([asdict(tab) for tab in found]))


def _key_of(title: str) -> str:
    return next((kind.key for kind in tab_kinds() if kind.title == title), "")


def _read(text: object) -> list[OpenTab]:
    """Return the remembered tabs; a list that somebody spoilt counts as none."""
    try:
        return [OpenTab(**entry) for entry in json.loads(str(text or "[]"))]
    except (TypeError, ValueError):
        return []
