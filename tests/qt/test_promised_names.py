"""Every module, class, method and signal that the design promises by name is there, as written."""

from __future__ import annotations

import importlib
import re
from importlib import resources

import pytest
from PySide6 import QtCore, QtQml, QtQuick, QtQuickWidgets, QtWidgets

from gym_gui.core.records import ControlMode
from gym_gui.fastlane.buffer import FastLaneConfig, FastLaneFrame, FastLaneMetrics
from gym_gui.ui.fastlane_consumer import FastLaneConsumer
from gym_gui.ui.renderers.fastlane_item import FastLaneItem
from gym_gui.ui.widgets.fastlane_tab import FastLaneTab

NAMES = {
    "gym_gui.fastlane": ["FastLaneWriter", "FastLaneReader", "FastLaneMetrics"],
    "gym_gui.fastlane.buffer": [
        "FastLaneConfig",
        "FastLaneFrame",
        "FastLaneMetrics",
        "FastLaneReader.attach",
        "FastLaneReader.close",
        "FastLaneReader.latest_frame",
        "FastLaneWriter.create",
        "FastLaneWriter.publish",
    ],
    "gym_gui.services.trainer.streams": ["TelemetryAsyncHub"],
    "gym_gui.services.trainer.trainer_telemetry_proxy": ["main"],
    "gym_gui.services.trainer.service": [
        "TrainerService.PublishRunSteps",
        "TrainerService.PublishRunEpisodes",
    ],
    "gym_gui.services.telemetry": ["TelemetryService"],
    "gym_gui.services.storage": ["StorageRecorderService"],
    "gym_gui.telemetry.run_bus": ["RunBus", "TelemetryEvent"],
    "gym_gui.telemetry.db_sink": ["TelemetryDBSink"],
    "gym_gui.telemetry.sqlite_store": ["TelemetrySQLiteStore"],
    "gym_gui.core.records": ["StepRecord", "EpisodeRecord", "ControlMode.HUMAN_ONLY"],
    "gym_gui.controllers.human_input": ["HumanInputController"],
    "gym_gui.controllers.session": ["SessionController.perform_human_action"],
    "gym_gui.controllers.live_telemetry_controllers": ["LiveTelemetryController.run_completed"],
    "gym_gui.ui.fastlane_consumer": [
        "FastLaneConsumer.start",
        "FastLaneConsumer.stop",
        "FastLaneConsumer.frame_ready",
    ],
    "gym_gui.ui.renderers.fastlane_item": ["FastLaneItem.setFrame", "FastLaneItem.paint"],
    "gym_gui.ui.widgets.fastlane_tab": ["FastLaneTab.cleanup", "FastLaneTab.closeEvent"],
    "gym_gui.ui.widgets.live_telemetry_tab": ["LiveTelemetryTab._try_render_visual"],
    "gym_gui.ui.widgets.render_tabs": [
        "RenderTabs.open_fastlane_tab",
        "RenderTabs.add_dynamic_tab",
    ],
    "gym_gui.ui.presenters.workers.registry": ["WorkerPresenterRegistry"],
    "gym_gui.ui.presenters.workers.cleanrl_worker_presenter": [
        "CleanRlWorkerPresenter.create_tabs"
    ],
    "gym_gui.ui.presenters.workers.spade_bdi_worker_presenter": [
        "SpadeBdiWorkerPresenter.create_tabs"
    ],
    "gym_gui.ui.main_window": ["MainWindow._handle_run_started"],
}


@pytest.mark.parametrize("module", NAMES)
def test_every_promised_name_exists(module):
    for path in NAMES[module]:
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)


def test_a_frame_its_size_and_its_metrics_have_the_promised_fields():
    assert FastLaneConfig._fields[:3] == ("width", "height", "channels")
    assert FastLaneMetrics._fields == ("last_reward", "rolling_return", "step_rate_hz")
    assert {"data", "width", "height", "channels", "metrics"} <= set(FastLaneFrame._fields)


def test_the_parts_are_the_kinds_of_qt_objects_that_were_promised():
    assert issubclass(FastLaneConsumer, QtCore.QObject)
    assert issubclass(FastLaneItem, QtQuick.QQuickPaintedItem)
    assert issubclass(FastLaneTab, QtWidgets.QWidget)
    assert isinstance(FastLaneConsumer.frame_ready, QtCore.Signal)


def test_set_frame_takes_an_image_and_three_floats():
    meta = FastLaneItem.staticMetaObject
    signatures = {
        bytes(meta.method(index).methodSignature().data()).decode()
        for index in range(meta.methodCount())
    }
    assert "setFrame(QImage,double,double,double)" in signatures


def test_the_item_is_published_to_qml_as_gymgui_1_0(qtbot):
    engine = QtQml.QQmlEngine()
    component = QtQml.QQmlComponent(engine)
    component.setData(b"import QtQuick\nimport GymGui 1.0\nFastLaneItem {}", QtCore.QUrl())
    made = component.create()
    assert isinstance(made, FastLaneItem), component.errorString()
    made.deleteLater()


def test_the_scene_names_its_item_and_its_three_readings(qtbot):
    source = resources.files("gym_gui.ui") / "qml" / "FastLaneView.qml"
    assert re.search(r"^import GymGui 1\.0$", source.read_text(), re.MULTILINE)
    view = QtQuickWidgets.QQuickWidget()
    qtbot.addWidget(view)
    view.setSource(QtCore.QUrl.fromLocalFile(str(source)))
    root = view.rootObject()
    assert root is not None, view.errors()
    for name in ("fastLaneItem", "last_reward", "rolling_return", "step_rate_hz"):
        assert root.findChild(QtCore.QObject, name) is not None, name


def test_every_way_of_control_has_its_mode():
    assert {mode.name for mode in ControlMode} == {
        "HUMAN_ONLY",
        "AGENT_ONLY",
        "HYBRID_TURN_BASED",
        "HYBRID_TAKE_OVER",
    }
