"""The bus: whoever must have all gets all; whoever is slow harms nobody."""

from __future__ import annotations

import threading

import pytest
from store_samples import batches, steps_batch

from gym_gui.telemetry.batch import MetricEntry, RecordBatch
from gym_gui.telemetry.run_bus import Kind, Policy, RunBus, topic


def test_a_subscriber_that_never_reads_costs_the_lossless_one_nothing():
    bus = RunBus()
    sink = bus.subscribe([topic()], policy=Policy.LOSSLESS, capacity=2)
    idle = bus.subscribe([topic()], policy=Policy.NEWEST_FIRST, capacity=3)
    got = []
    for batch in batches(10, 5):
        assert bus.publish(batch)
        got += sink.take()
    assert [batch.first_seq for batch in got] == [1, 6, 11, 16, 21, 26, 31, 36, 41, 46]
    stats = idle.statistics()
    assert (stats.depth, stats.received, stats.skipped, stats.skipped_steps) == (3, 10, 7, 35)
    assert [batch.first_seq for batch in idle.take()] == [36, 41, 46]


def test_a_full_lossless_queue_refuses_for_everybody():
    bus = RunBus()
    sink = bus.subscribe([topic()], policy=Policy.LOSSLESS, capacity=1)
    viewer = bus.subscribe([topic()], policy=Policy.NEWEST_FIRST, capacity=9)
    assert bus.publish(steps_batch(0, 1))
    assert not bus.publish(steps_batch(1, 1))
    assert viewer.statistics().received == 1
    assert sink.statistics().refused == 1
    assert len(sink.take()) == 1
    assert bus.publish(steps_batch(1, 1))


def test_a_waiting_publisher_goes_on_when_there_is_room():
    bus = RunBus()
    sink = bus.subscribe([topic()], policy=Policy.LOSSLESS, capacity=1)
    room = threading.Event()
    remove = bus.add_room_listener(room.set)
    taken: list[RecordBatch] = []

    def read() -> None:
        while batch := sink.take(1):
            taken.extend(batch)

    thread = threading.Thread(target=read)
    thread.start()
    for batch in batches(50, 1):
        assert bus.publish(batch, timeout_s=30)
    sink.close()
    thread.join(30)
    remove()
    assert [batch.first_seq for batch in taken] == list(range(1, 51))
    assert room.is_set()


def test_closing_frees_a_publisher_that_waits():
    bus = RunBus()
    sink = bus.subscribe([topic()], policy=Policy.LOSSLESS, capacity=1)
    assert bus.publish(steps_batch(0, 1))
    done = threading.Event()
    waiter = threading.Thread(
        target=lambda: (bus.publish(steps_batch(1, 1), timeout_s=30), done.set())
    )
    waiter.start()
    sink.close()
    assert done.wait(30)
    waiter.join()
    assert len(sink.take()) == 1
    assert sink.take() == []


def test_topics_choose_run_and_kind():
    bus = RunBus()
    mine = bus.subscribe([topic("run-1", Kind.RECORDS)], policy=Policy.NEWEST_FIRST)
    steps = bus.subscribe([topic(kind=Kind.STEPS)], policy=Policy.NEWEST_FIRST)
    bus.publish(steps_batch(0, 3))
    bus.publish(RecordBatch("c", 1, 1, metrics=[MetricEntry(1, "loss", 1.0, 1)], run_id="run-1"))
    bus.publish(RecordBatch("c", 1, 1, metrics=[MetricEntry(1, "loss", 1.0, 1)], run_id="run-2"))
    assert len(mine.take()) == 1
    assert len(steps.take()) == 1


def test_ready_is_told_once_until_emptied():
    calls: list[int] = []
    bus = RunBus()
    live = bus.subscribe(
        [topic()], policy=Policy.NEWEST_FIRST, on_ready=lambda: calls.append(1), capacity=5
    )
    for batch in batches(3, 1):
        bus.publish(batch)
    assert len(calls) == 1
    live.take()
    bus.publish(steps_batch(9, 1))
    assert len(calls) == 2
    assert bus.statistics()[0].received == 4


def test_a_queue_holds_at_least_one():
    with pytest.raises(ValueError, match="capacity"):
        RunBus().subscribe([topic()], policy=Policy.LOSSLESS, capacity=0)
