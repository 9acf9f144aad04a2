"""The run's file: what is written is there once, exactly, or not at all."""

from __future__ import annotations

import math
import os
import sqlite3
import stat
from pathlib import Path

import apsw
import pytest
from store_samples import BEGIN_NS, batches, steps_batch, write

from gym_gui.core.errors import ProtocolError, StoreCorruptError, StoreVersionError
from gym_gui.core.records import ResetRecord, RunSpec
from gym_gui.telemetry import migrations
from gym_gui.telemetry.batch import EventEntry, LogEntry, MetricEntry, RecordBatch, StepColumns
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.sqlite"


def test_every_step_comes_back_as_it_was(path):
    write(path, *batches(3, 250))
    with RunReader(path) as reader:
        steps = reader.steps(0, 0, 10_000)
        assert [step.index for step in steps] == list(range(750))
        assert [step.reward for step in steps] == [float(i) for i in range(750)]
        assert steps[499].terminated
        assert steps[499].episode == 49
        assert steps[0].observation[0] == 0.12345678
        assert reader.totals()["steps"] == 750
        assert reader.totals()["episodes"] == 75


def test_a_batch_written_twice_is_kept_once(path):
    batch = steps_batch(0, 120)
    batch.metrics = [MetricEntry(5, "loss", 0.5, 10)]
    batch.logs = [LogEntry(6, "info", "hello")]
    batch.resets = [ResetRecord(0, 0, seed=3)]
    write(path, batch, batch, steps_batch(60, 120))
    with RunReader(path) as reader:
        totals = reader.totals()
        assert (totals["steps"], totals["episodes"]) == (180, 18)
        assert (totals["metrics"], totals["logs"], totals["resets"]) == (1, 1, 1)
        assert reader.channels() == {"7-abc": 180}


def test_a_failed_transaction_leaves_everything_as_it_was(path):
    with TelemetrySQLiteStore(path) as store:
        with store.atomic():
            store.write(steps_batch(0, 10))
        with pytest.raises(RuntimeError, match="on purpose"):
            _write_and_fail(store)
        assert store.high_water("7-abc") == 10
        assert store.high_water("8-new") == 0
        with store.atomic():
            store.write(steps_batch(0, 10, channel="8-new", instance=4))
        assert store.totals().steps == 20
    with RunReader(path) as reader:
        assert reader.totals()["steps"] == 20
        assert [(s.channel, s.instance) for s in reader.streams()] == [("7-abc", 0), ("8-new", 4)]


def _write_and_fail(store: TelemetrySQLiteStore) -> None:
    with store.atomic():
        store.write(steps_batch(10, 10))
        store.write(steps_batch(0, 10, channel="8-new", instance=4))
        raise RuntimeError("on purpose")


def test_channels_and_instances_never_collide(path):
    write(
        path,
        steps_batch(0, 5, channel="1-a"),
        steps_batch(0, 5, channel="2-a"),
        steps_batch(5, 5, channel="1-a", instance=1),
    )
    with RunReader(path) as reader:
        assert [(s.stream, s.channel, s.instance) for s in reader.streams()] == [
            (0, "1-a", 0),
            (1, "2-a", 0),
            (2, "1-a", 1),
        ]
        assert reader.totals()["steps"] == 15


def test_values_without_a_form_in_sqlite_come_back(path):
    huge = 2**70
    actions = [huge, float("nan"), -1.5, "[1,2]", None, '"NaN"']
    count = len(actions)
    columns = StepColumns(
        stream=[0] * count,
        index=list(range(count)),
        episode=[0] * count,
        step=list(range(count)),
        action=[actions[0], '"NaN"', *actions[2:5], '{"a":"-Infinity"}'],
        reward=[math.nan, math.inf, -math.inf, 1e-320, 0.1, 1e308],
        flags=[0] * count,
        time_ns=[1] * count,
        observation=['["NaN",1]', "", "[]", "{}", '"x"', '{"crc32":1,"shape":[2],"dtype":"u1"}'],
    )
    reset = ResetRecord(0, 0, seed=2**100, rng_state={"after": {"state": 2**127}})
    write(path, RecordBatch("c", 1, 6, columns, resets=[reset]))
    with RunReader(path) as reader:
        steps = reader.steps(0, 0, 10)
        back = reader.reset(0, 0)
    assert [step.action for step in steps][2:5] == [-1.5, [1, 2], None]
    assert steps[0].action == huge
    assert math.isnan(steps[1].action)
    assert steps[5].action == {"a": -math.inf}
    assert math.isnan(steps[0].reward)
    assert [step.reward for step in steps][1:] == columns.reward[1:]
    assert math.isnan(steps[0].observation[0])
    assert steps[5].observation["dtype"] == "u1"
    assert back is not None
    assert back.seed == 2**100
    assert back.rng_state["after"]["state"] == 2**127


def test_a_stream_is_described_by_its_event(path):
    data = {"stream": 2, "env_id": "CartPole-v1", "spec": '{"id": 1}', "agents": ["a", "b"]}
    data["reproducible"] = False
    batch = RecordBatch("c", 1, 1, events=[EventEntry(1, "stream", data, BEGIN_NS)])
    write(path, batch)
    with RunReader(path) as reader:
        (stream,) = reader.streams()
        assert (stream.env_id, stream.spec_json) == ("CartPole-v1", '{"id": 1}')
        assert list(stream.agents) == ["a", "b"]
        assert not stream.reproducible
        assert reader.events("stream")[0].data == data


def test_the_file_explains_what_run_it_is(path):
    spec = RunSpec("run-1", "script", ["python", "x.py"], "/tmp", config={"lr": 0.1})
    with TelemetrySQLiteStore(path) as store, store.atomic():
        store.write_spec(spec)
    with RunReader(path) as reader:
        assert reader.spec() == spec


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_only_the_owner_can_read_it_whatever_the_umask(path, mask):
    previous = os.umask(mask)
    try:
        with TelemetrySQLiteStore(path) as store:
            with store.atomic():
                store.write(steps_batch(0, 10))
            found = sorted(path.parent.glob("telemetry.sqlite*"))
            assert len(found) == 3
            assert {stat.S_IMODE(file.stat().st_mode) for file in found} == {0o600}
    finally:
        os.umask(previous)


def test_a_newer_file_is_refused_and_left_alone(path):
    write(path, steps_batch(0, 10))
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    for opening in (TelemetrySQLiteStore, RunReader):
        with pytest.raises(StoreVersionError) as caught:
            opening(path)
        assert "Update" in caught.value.next_step
    assert path.read_bytes() == before


def test_a_newer_version_that_stands_only_in_the_log_is_refused_too(path):
    write(path, steps_batch(0, 10))
    holder = apsw.Connection(str(path))
    holder.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    with pytest.raises(StoreVersionError):
        TelemetrySQLiteStore(path)
    holder.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 10, b"SQLite format 3\0", b"x"])
def test_what_is_no_database_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    for opening in (TelemetrySQLiteStore, RunReader):
        with pytest.raises(StoreCorruptError):
            opening(path)
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_refused(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks(url)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorruptError):
        TelemetrySQLiteStore(path)
    assert path.read_bytes() == before


def test_a_batch_that_cannot_be_is_refused(path):
    wrong = steps_batch(0, 10)
    wrong.steps.reward = [1.0]
    outside = steps_batch(1 << 40, 1)
    with TelemetrySQLiteStore(path) as store:
        for batch in (wrong, outside, RecordBatch("c", 3, 2), RecordBatch("", 1, 1)):
            with pytest.raises(ProtocolError), store.atomic():
                store.write(batch)
        assert store.totals().steps == 0


def test_two_openers_at_once_make_one_schema(path):
    first = TelemetrySQLiteStore(path)
    second = TelemetrySQLiteStore(path)
    with first.atomic():
        first.write(steps_batch(0, 10))
    with second.atomic():
        second.write(steps_batch(0, 10, channel="7-abc"))
    assert second.high_water("7-abc") == 10
    first.close()
    second.close()
    second.close()


def test_writing_outside_a_transaction_is_a_mistake(path):
    with TelemetrySQLiteStore(path) as store, pytest.raises(RuntimeError, match="atomic"):
        store.write(steps_batch(0, 1))


def test_every_table_is_in_the_documentation():
    documentation = Path(__file__).parents[2].joinpath("docs", "store.md").read_text("utf-8")
    connection = sqlite3.connect(":memory:")
    for script in migrations.MIGRATIONS:
        connection.executescript(script)
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'"):
        assert f"`{table}`" in documentation, table
        for row in connection.execute(f"PRAGMA table_info({table})"):
            assert f"`{row[1]}`" in documentation, f"{table}.{row[1]}"
    connection.close()
