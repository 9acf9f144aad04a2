"""What the window does differently for runs of another machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LOCAL_ONLY = ("new_run", "demo", "open_script", "run_again_with", "edit_run", "open_play")


class FarCommands:
    """Mixed into MainWindow, whose parts it uses."""

    context: Any
    actions_by_name: Any
    status: Any
    panel: Any
    welcome: Any
    tr: Any
    setWindowTitle: Any
    setAcceptDrops: Any

    def prepare_for_place(self) -> None:
        """Say where the runs are, and leave out what only works where they are."""
        self._to_open: dict[str, list[Callable[[], object]]] = {}
        link = self.context.link
        if not link.is_far:
            return
        self.setWindowTitle(f"gym-gui — {link.place}")
        self.setAcceptDrops(False)
        for name in LOCAL_ONLY:
            action = self.actions_by_name.get(name)
            if action is not None:
                action.setVisible(False)
                action.setEnabled(False)
                action.setShortcuts([])
                action.setProperty("needs_run", False)  # it stays disabled
        self.welcome.show_place(link.place)
        self.panel.new.hide()
        link.request_done.connect(self._fetched)
        link.request_ended.connect(self._fetching_ended)

    def with_files(self, run_id: str, then: Callable[[], object]) -> None:
        """Call ``then`` once the run's files are here; at once for runs of this machine."""
        link = self.context.link
        if not (link.is_far and run_id):
            then()
            return
        waiting = self._to_open.setdefault(run_id, [])
        waiting.append(then)
        text = self.tr("Copying {} from {}…").format(run_id, link.place)
        self.status.progress.begin(("fetch", run_id), text)
        if len(waiting) == 1:
            link.fetch(run_id)

    def _fetched(self, what: str, run_id: object) -> None:
        if what == "fetch":
            for then in self._to_open.pop(str(run_id), []):
                then()

    def _fetching_ended(self, what: str, run_id: str) -> None:
        if what == "fetch":
            self._to_open.pop(run_id, None)  # it failed, and that was reported
