"""The ``pettingzoo`` worker: a learner for each agent of a multi-agent environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from gym_gui.services.workers.fields import Field, Kind
from gym_gui.services.workers.program import ProgramWorker


class PettingZooWorker(ProgramWorker):
    """Trains every agent of an AEC or parallel environment with Q-learning of its own."""

    name = "pettingzoo"
    title = "PettingZoo"
    summary = "A learner for each agent of a PettingZoo environment, in turns or in parallel."
    tab_prefix = "PettingZoo-Live"
    program = "multi_agent_train.py"

    def form(self, values: Mapping[str, Any]) -> list[Field]:
        """The environment is free text: gymnasium's list does not hold PettingZoo's."""
        return [
            dataclasses.replace(field, kind=Kind.TEXT) if field.kind is Kind.ENV else field
            for field in super().form(values)
        ]

    def default_name(self, values: Mapping[str, Any]) -> str:
        return f"PettingZoo {values['env_id']}"
