"""Curves of several runs, groups and bands, settings that differ."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from store_samples import BEGIN_NS, write

from gym_gui.core.errors import UsageError
from gym_gui.core.records import EpisodeRecord, RunSpec
from gym_gui.telemetry import analytics
from gym_gui.telemetry.analytics import (
    Pyramid,
    RunCurve,
    align,
    band,
    differences,
    grouped,
    interquartile_mean,
    names_of,
    read_curve,
    smooth,
    write_table,
)
from gym_gui.telemetry.batch import MetricEntry, RecordBatch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    episodes = [
        EpisodeRecord(
            0,
            i,
            10,
            float(i),
            True,
            False,
            BEGIN_NS + i * 10**9,
            BEGIN_NS + (i + 1) * 10**9,
            success=i > 2 if i % 2 else None,
        )
        for i in range(6)
    ]
    metrics = [MetricEntry(i + 1, "loss", 1.0 / (i + 1), i * 100, i * 10**9) for i in range(4)]
    batch = RecordBatch("c", 1, 9, episodes=episodes, metrics=metrics)
    return write(tmp_path / "telemetry.sqlite", batch)


def test_a_curve_is_read_over_each_axis(path):
    curve = read_curve(path, "run-1")
    assert list(curve.x) == [10, 20, 30, 40, 50, 60]
    assert list(curve.y) == [0, 1, 2, 3, 4, 5]
    assert list(read_curve(path, "r", by="episodes").x) == [1, 2, 3, 4, 5, 6]
    assert list(read_curve(path, "r", by="time").x) == [1, 2, 3, 4, 5, 6]
    assert list(read_curve(path, "r", what="length").y) == [10] * 6
    assert list(read_curve(path, "r", what="success").y) == [0, 1, 1]
    loss = read_curve(path, "r", what="loss")
    assert list(loss.x) == [0, 100, 200, 300]
    assert list(read_curve(path, "r", what="loss", by="time").x) == [0, 1, 2, 3]
    assert len(read_curve(path, "r", what="unknown")) == 0
    assert names_of([path, path]) == ["return", "length", "success", "loss"]
    with pytest.raises(UsageError):
        read_curve(path, "r", by="mood")


def test_smoothing_leaves_gaps_out():
    values = np.array([1.0, np.nan, 3.0, 5.0])
    assert list(smooth(values, 2)) == [1.0, 1.0, 3.0, 4.0]
    assert smooth(values, 1) is values
    assert np.isnan(smooth(np.array([np.nan, 2.0]), 3)[0])


def test_runs_of_different_length_are_aligned_where_they_have_values():
    short = RunCurve("a", np.array([0.0, 10.0]), np.array([0.0, 10.0]))
    long = RunCurve("b", np.array([0.0, 20.0]), np.array([0.0, 40.0]))
    grid, matrix = align([short, long], points=5)
    assert list(grid) == [0, 5, 10, 15, 20]
    assert list(matrix[0][:3]) == [0, 5, 10]
    assert np.isnan(matrix[0][3:]).all()
    assert list(matrix[1]) == [0, 10, 20, 30, 40]
    assert align([])[1].shape == (0, 0)


def test_the_interquartile_mean_is_that_of_the_middle_half():
    values = np.array([[1000.0], [1.0], [2.0], [3.0], [4.0], [-1000.0], [2.5], [2.5]])
    assert interquartile_mean(values)[0] == pytest.approx(2.5)
    assert interquartile_mean(np.array([[1.0], [np.nan], [3.0]]))[0] == 2.0
    assert np.isnan(interquartile_mean(np.array([[np.nan]])))[0]


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
def test_a_band_holds_its_curve_and_the_truth(statistic):
    draw = np.random.default_rng(3)
    x = np.arange(50.0)
    curves = [RunCurve(str(i), x, x + draw.normal(0, 2, 50)) for i in range(12)]
    found = band(curves, statistic=statistic, points=50)
    assert np.all(found.low <= found.centre)
    assert np.all(found.centre <= found.high)
    assert np.mean((found.low <= x) & (x <= found.high)) > 0.7
    again = band(curves, statistic=statistic, points=50)
    assert np.array_equal(found.low, again.low)


def test_a_band_of_one_run_is_its_curve_and_of_none_is_empty():
    curve = RunCurve("a", np.array([0.0, 1.0]), np.array([2.0, 4.0]))
    found = band([curve], points=3)
    assert list(found.centre) == list(found.low) == list(found.high) == [2, 3, 4]
    assert list(found.runs) == [1, 1, 1]
    assert len(band([]).x) == 0
    with pytest.raises(UsageError):
        band([curve], statistic="mood")


def test_any_part_of_a_long_curve_keeps_its_peaks():
    count = 1_000_000
    y = np.sin(np.arange(count) / 1000.0)
    y[[123_456, 777_777]] = [7.0, -7.0]
    pyramid = Pyramid(np.arange(count), y)
    whole = pyramid.view(0, count, max_points=1000)
    assert (whole.y.max(), whole.y.min()) == (7.0, -7.0)
    assert len(whole.y) <= 1010
    near = pyramid.view(123_000, 124_000, max_points=2000)
    assert near.y.max() == 7.0
    assert len(near.x) >= 1000
    assert len(pyramid) == count


def test_settings_that_differ_are_named():
    def spec(run_id: str, **config: object) -> RunSpec:
        return RunSpec(run_id, "cleanrl", ["python", "x.py"], "/", config=config)

    specs = {
        "a": spec("a", lr=0.1, net={"size": 64}, gamma=0.99),
        "b": spec("b", lr=0.2, net={"size": 64}, gamma=0.99, extra=True),
        "c": spec("c", lr=0.1, net={"size": 32}, gamma=0.99),
    }
    found = {one.name: one.values for one in differences(specs)}
    assert found == {
        "lr": {"a": 0.1, "b": 0.2, "c": 0.1},
        "net.size": {"a": 64, "b": 64, "c": 32},
        "extra": {"b": True},
    }
    assert grouped(specs, "lr") == {"0.1": ["a", "c"], "0.2": ["b"]}
    assert grouped(specs, "") == {"a": ["a"], "b": ["b"], "c": ["c"]}
    assert grouped(specs, "extra") == {"-": ["a", "c"], "true": ["b"]}


def test_tables_are_written_whole_or_not_at_all(tmp_path):
    columns = {"run": ["a", "b"], "x": np.array([1.0, 2.0])}
    write_table(tmp_path / "t.csv", columns)
    with (tmp_path / "t.csv").open() as file:
        assert list(csv.reader(file)) == [["run", "x"], ["a", "1.0"], ["b", "2.0"]]
    write_table(tmp_path / "t.parquet", columns)
    assert (tmp_path / "t.parquet").read_bytes()[:4] == b"PAR1"
    with pytest.raises(UsageError):
        write_table(tmp_path / "t.xls", columns)
    with pytest.raises(ValueError):
        write_table(tmp_path / "bad.csv", {"a": [1], "b": [1, 2]})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["t.csv", "t.parquet"]


def test_a_scripts_own_words_are_settings_to_compare_by():
    def run(run_id, *words):
        return RunSpec(run_id, "script", ["python", "x.py", *words], "/", config={"args": [*words]})

    specs = {
        "a": run("a", "--learning-rate", "1e-3", "--seed=1", "--cuda"),
        "b": run("b", "--learning-rate", "0.001", "--seed=2", "--shift", "-0.5", "extra"),
    }
    flat = analytics.settings_of(specs["b"])
    assert (flat["learning_rate"], flat["seed"], flat["shift"]) == (0.001, 2, -0.5)
    names = [difference.name for difference in analytics.differences(specs)]
    assert sorted(names) == ["args", "cuda", "seed", "shift"]
    assert list(analytics.grouped(specs, "learning_rate").values()) == [["a", "b"]]


def test_a_result_tells_the_end_the_best_and_the_height_of_curves():
    x = np.arange(1000, dtype=float)
    low = analytics.RunCurve("a", x, np.full(1000, 10.0))
    rising = analytics.RunCurve("b", x, x / 10)
    one = analytics.result("b", [rising])
    assert (one.best, one.reached, one.points, one.runs) == (99.9, 999.0, 1000, 1)
    assert one.final == pytest.approx(94.95)
    assert one.area == pytest.approx(49.95)
    assert np.isnan(one.low)
    both = analytics.result("both", [low, rising])
    assert both.final == pytest.approx((10 + 94.95) / 2)
    assert (both.low, both.high) == (pytest.approx(10.0), pytest.approx(94.95))
    assert analytics.result("none", [analytics.RunCurve("c", x[:0], x[:0])]) is None


def test_the_nearest_point_is_the_curves_own():
    pyramid = analytics.Pyramid(np.array([0.0, 1.0, 4.0]), np.array([5.0, np.nan, 7.0]))
    assert pyramid.nearest(0.4) == (0.0, 5.0)
    assert pyramid.nearest(1.2) is None
    assert pyramid.nearest(2.9) == (4.0, 7.0)
    assert pyramid.nearest(4.5) is None
