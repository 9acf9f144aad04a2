"""What every worker's presenter does: it makes the tabs of a live run."""

from __future__ import annotations

from typing import ClassVar

from PySide6 import QtWidgets

from gym_gui.core.records import RunRecord
from gym_gui.services.workers import tab_name
from gym_gui.ui.context import ProgramContext
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab


class WorkerPresenter:
    """Tabs of a worker's runs. Subclass it where a worker shows more than the live picture."""

    worker: ClassVar[str] = ""

    def __init__(self, worker: str = "") -> None:
        self.name = worker or self.worker

    def agent_ids(self, record: RunRecord) -> list[str]:
        """Return the agents that get a live tab of their own."""
        named = record.spec.config.get("agent_id")
        return [str(named)] if named else ["agent0"]

    def tab_name(self, agent_id: str) -> str:
        """Return the tab's name, such as ``CleanRL-Live-agent0``."""
        return tab_name(self.name, agent_id)

    def create_tabs(
        self, context: ProgramContext, record: RunRecord, parent: QtWidgets.QWidget | None = None
    ) -> list[FastLaneTab]:
        """Return the live tabs of a run, not yet shown. Whoever hosts them cleans them up."""
        return [self._tab(context, record, agent, parent) for agent in self.agent_ids(record)]

    def create_tile_tab(
        self,
        context: ProgramContext,
        record: RunRecord,
        stream: str,
        tile: int,
        parent: QtWidgets.QWidget | None = None,
    ) -> FastLaneTab:
        """Return a live tab of one environment of a vectorised one."""
        agent_id = f"{self.agent_ids(record)[0]}-{tile}"
        return self._tab(context, record, agent_id, parent, stream=stream, tile=tile)

    def _tab(
        self,
        context: ProgramContext,
        record: RunRecord,
        agent_id: str,
        parent: QtWidgets.QWidget | None,
        *,
        stream: str | None = None,
        tile: int | None = None,
    ) -> FastLaneTab:
        tab = FastLaneTab(
            record.run_id,
            agent_id,
            ring_dir=context.ring_dir,
            stream=stream,
            tile=tile,
            live=record.spec.live,
            captures=context.data_dir.root / "captures",
            budget=record.spec.render_budget,
            rate_hz=context.settings["live.rate_hz"],
            own_pace=record.spec.max_steps_per_s,
            parent=parent,
        )
        if record.spec.mode == "evaluate":
            tab.set_mode(tab.tr("Evaluation"))
        watched = " (evaluation)" if record.spec.mode == "evaluate" else ""
        tab.setWindowTitle(self.tab_name(agent_id) + watched)
        tab.set_hud_visible(context.settings["window.show_hud"])
        return tab
