"""What a tab may use of the program: handed to every tab and presenter, instead of globals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gym_gui.controllers.live_telemetry_controllers import LiveTelemetryController
from gym_gui.controllers.trainer_link import TrainerLink
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord


@dataclass(frozen=True)
class ProgramContext:
    """The program's parts that tabs share.

    settings: ``gym_gui.services.settings.Settings``; ring_dir: folder of the live rings.
    """

    data_dir: DataDir
    ring_dir: Path
    link: TrainerLink
    live: LiveTelemetryController
    settings: Any

    def record(self, run_id: str) -> RunRecord | None:
        return self.live.record(run_id)
