"""What the window's tests share: a context without a daemon, runs, and frames."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from PySide6 import QtCore

from gym_gui.controllers.live_telemetry_controllers import LiveTelemetryController
from gym_gui.controllers.trainer_link import TrainerLink
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord, RunSpec, RunState
from gym_gui.fastlane import FastLaneConfig, FastLaneMetrics, FastLaneWriter
from gym_gui.services.settings import Settings
from gym_gui.ui.context import ProgramContext


def make_context(data_dir: DataDir) -> ProgramContext:
    """A program whose link has not been started: tests emit its signals themselves."""
    data_dir.create()
    link = TrainerLink(data_dir)
    live = LiveTelemetryController(link, link)
    settings = Settings.load(data_dir.settings)
    return ProgramContext(data_dir, data_dir.ring_dir, link, live, settings)


def make_run(run_id: str, state: RunState = RunState.RUNNING, **fields: Any) -> RunRecord:
    spec = RunSpec(
        run_id=run_id,
        worker=fields.pop("worker", "cleanrl"),
        command=["python", "train.py"],
        cwd="/",
        name=fields.pop("name", run_id),
        env_id=fields.pop("env_id", "CartPole-v1"),
        config=fields.pop("config", {}),
    )
    created = fields.pop("created_ns", time.time_ns())
    return RunRecord(run_id, spec, state, created_ns=created, started_ns=created, **fields)


def make_writer(run_id: str, data_dir: DataDir, width: int = 8, height: int = 6) -> FastLaneWriter:
    return FastLaneWriter.create(
        run_id, FastLaneConfig(width, height, 3), ring_dir=data_dir.ring_dir
    )


def publish(writer: FastLaneWriter, value: int, *, width: int = 8, height: int = 6) -> None:
    """Publish a frame of one colour whose numbers all say ``value``."""
    frame = np.full((height, width, 3), value % 256, np.uint8)
    writer.publish(frame, metrics=FastLaneMetrics(value, value * 10.0, value * 100.0))


def settle() -> None:
    """Let everything that was deleted later be deleted."""
    application = QtCore.QCoreApplication.instance()
    assert application is not None
    for _ in range(3):
        application.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        application.processEvents()
