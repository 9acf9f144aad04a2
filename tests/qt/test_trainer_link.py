from __future__ import annotations

import contextlib

import pytest

from gym_gui.controllers.live_telemetry_controllers import LiveTelemetryController
from gym_gui.controllers.trainer_link import LinkState, TrainerLink
from gym_gui.core.errors import DaemonNotRunningError
from gym_gui.core.records import RunState
from gym_gui.services.trainer.daemon import stop_daemon
from gym_gui.services.workers.demo import demo_spec


@pytest.fixture
def link(qtbot, data_dir):
    data_dir.create()
    made = TrainerLink(data_dir)
    yield made
    made.stop()
    made.stop()
    with contextlib.suppress(DaemonNotRunningError):  # a test may end before it was started
        stop_daemon(data_dir)


def test_a_run_is_followed_live_and_its_end_is_told(qtbot, data_dir, link):
    live = LiveTelemetryController(link)
    spec = demo_spec(data_dir, steps=1_000_000, max_steps_per_s=2000)
    with qtbot.waitSignal(live.run_started, timeout=30_000):
        link.start()
        link.submit(spec)
    live.follow(spec.run_id)
    steps = []
    live.batch_ready.connect(lambda batch: steps.extend(len(part) for part in batch.steps))
    qtbot.waitUntil(lambda: sum(steps) > 500, timeout=30_000)
    with qtbot.waitSignal(live.run_completed, timeout=30_000) as completed:
        link.cancel(spec.run_id)
    run_id, record = completed.args
    assert (run_id, record.state) == (spec.run_id, RunState.CANCELLED)
    live.unfollow(spec.run_id)
    with qtbot.waitSignal(link.runs_removed, timeout=30_000) as removed:
        link.delete(spec.run_id)
    assert removed.args == [[spec.run_id]]
    assert not data_dir.run(spec.run_id).root.exists()


def test_a_lost_daemon_is_said_and_a_new_one_found(qtbot, data_dir, link):
    states = []
    link.state_changed.connect(lambda state, words: states.append(state))
    link.start()
    qtbot.waitUntil(lambda: LinkState.CONNECTED in states, timeout=30_000)
    states.clear()
    stop_daemon(data_dir)
    qtbot.waitUntil(lambda: LinkState.CONNECTED in states, timeout=30_000)
    assert states[0] is LinkState.LOST


def test_a_run_that_cannot_start_says_why(qtbot, data_dir, link):
    live = LiveTelemetryController(link)
    spec = demo_spec(data_dir, steps=10)
    spec.command = ["/no/such/interpreter"]
    told = []
    live.run_changed.connect(lambda record: told.append((record.state, record.cause)))
    link.request_failed.connect(lambda what, error: told.append((RunState.FAILED, str(error))))
    link.start()
    link.submit(spec)
    qtbot.waitUntil(
        lambda: any(
            state is RunState.FAILED and "/no/such/interpreter" in words for state, words in told
        ),
        timeout=30_000,
    )


def test_stopping_before_anything_was_reached_ends_the_thread(qtbot, data_dir, link):
    link.start()
    link.stop()
    assert link._thread is None
