"""Lossy one-writer frame ring in shared memory, with demand, control and render budget.

Owns: byte layout, attach and detach, newest-frame read, leases, tiling, governor.
Knows nothing of Qt, gRPC, SQLite or environments. Standard library only, Python >= 3.9.
"""

from gym_gui.fastlane.buffer import FastLaneReader, FastLaneWriter
from gym_gui.fastlane.frames import (
    Control,
    Demand,
    FastLaneConfig,
    FastLaneFrame,
    FastLaneMetrics,
    FastLaneState,
)
from gym_gui.fastlane.governor import RenderGovernor
from gym_gui.fastlane.layout import PixelFormat
from gym_gui.fastlane.liveness import rings, sweep

__all__ = [
    "Control",
    "Demand",
    "FastLaneConfig",
    "FastLaneFrame",
    "FastLaneMetrics",
    "FastLaneReader",
    "FastLaneState",
    "FastLaneWriter",
    "PixelFormat",
    "RenderGovernor",
    "rings",
    "sweep",
]
