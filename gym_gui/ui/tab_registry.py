"""The kinds of tab that can be opened for a run, by name; each is imported when first opened."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6 import QtWidgets

from gym_gui.ui.context import ProgramContext

TabFactory = Callable[[ProgramContext, str, "QtWidgets.QWidget | None"], QtWidgets.QWidget]


@dataclass(frozen=True)
class TabKind:
    """One kind of tab.

    factory: ``module:function``, called as ``function(context, run_id, parent) -> QWidget``;
    the widget may have ``cleanup()``, which is called once when its tab closes, and the signals
    ``episode_activated(run_id, stream, episode)``, which opens that episode's replay, and
    ``tile_requested(ring, place)``, which opens one environment live. The replay's widget has
    ``show_episode(stream, episode)``.
    per_run: False for a tab of the program (``run_id`` is then empty).
    needs_files: it reads the run's files, of which a far run's are copied here first.
    """

    key: str
    title: str
    factory: str
    icon: str = "chart"
    per_run: bool = True
    needs_files: bool = True

    @property
    def is_available(self) -> bool:
        return importlib.util.find_spec(self.factory.partition(":")[0]) is not None

    def make(
        self, context: ProgramContext, run_id: str, parent: QtWidgets.QWidget | None = None
    ) -> QtWidgets.QWidget:
        module, _, function = self.factory.partition(":")
        factory: Any = getattr(importlib.import_module(module), function)
        return factory(context, run_id, parent)


_WIDGETS = "gym_gui.ui.widgets"
_KINDS: dict[str, TabKind] = {}


def register_tab(kind: TabKind) -> None:
    """Offer a kind of tab; one of the same key is replaced."""
    _KINDS[kind.key] = kind


def tab_kinds() -> list[TabKind]:
    """Return the kinds whose module is there, in the order of the menus."""
    return [kind for kind in _KINDS.values() if kind.is_available]


def tab_kind(key: str) -> TabKind:
    """Return the kind registered under ``key``."""
    return _KINDS[key]


for _kind in (
    TabKind("grid", "All agents", f"{_WIDGETS}.fastlane_grid:make_tab", "grid", needs_files=False),
    TabKind("telemetry", "Live Telemetry", f"{_WIDGETS}.live_telemetry_tab:make_tab", "gauge"),
    TabKind("analytics", "Analytics", f"{_WIDGETS}.analytics_tab:make_tab", "chart"),
    TabKind("replay", "Replay", f"{_WIDGETS}.replay_tab:make_tab", "replay"),
    TabKind("tensorboard", "TensorBoard", f"{_WIDGETS}.tensorboard_tab:make_tab", "chart"),
    TabKind("wandb", "W&B", f"{_WIDGETS}.wandb_tab:make_tab", "chart"),
    TabKind("play", "Play", f"{_WIDGETS}.play_tab:make_tab", "keyboard", per_run=False),
):
    register_tab(_kind)
