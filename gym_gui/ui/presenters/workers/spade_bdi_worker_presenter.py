"""The tabs of a SPADE-BDI run: ``SPADE-BDI-Live-{agent_id}``."""

from __future__ import annotations

from gym_gui.core.records import RunRecord
from gym_gui.ui.presenters.workers.base import WorkerPresenter


class SpadeBdiWorkerPresenter(WorkerPresenter):
    """Its agent goes by the name before the @ of its address."""

    worker = "spade_bdi"

    def agent_ids(self, record: RunRecord) -> list[str]:
        address = str(record.spec.config.get("jid") or "")
        return [address.partition("@")[0]] if "@" in address else super().agent_ids(record)
