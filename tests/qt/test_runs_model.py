from __future__ import annotations

from window_parts import make_run

from gym_gui.core.records import RunState
from gym_gui.ui.runs_model import AGE, COLUMNS, RunsModel
from gym_gui.ui.words import age, compact, duration, number, size


def shown(model: RunsModel) -> list[str]:
    return [model.run_at(row) for row in range(model.rowCount())]


def test_a_filter_wants_every_word_anywhere_in_the_run(qtbot):
    model = RunsModel()
    model.update([make_run("a", env_id="CartPole-v1"), make_run("b", env_id="Pong", worker="sb3")])
    model.set_filter("SB3 pong")
    assert shown(model) == ["b"]
    model.set_filter("", RunState.FAILED.value)
    assert shown(model) == []
    model.update([make_run("a", RunState.FAILED)])
    assert shown(model) == ["a"], "a run that changes into the filter appears"


def test_runs_without_a_value_sort_last_both_ways(qtbot):
    from PySide6.QtCore import Qt

    model = RunsModel()
    best = [title for title, *_ in COLUMNS].index("Best")
    model.update(
        [make_run("none"), make_run("low", best_return=-5.0), make_run("high", best_return=9.0)]
    )
    model.sort(best, Qt.SortOrder.AscendingOrder)
    assert shown(model) == ["low", "high", "none"]
    model.sort(best, Qt.SortOrder.DescendingOrder)
    assert shown(model) == ["high", "low", "none"]


def test_the_youngest_run_is_on_top_at_first(qtbot):
    model = RunsModel()
    model.update([make_run("old", created_ns=10), make_run("new", created_ns=20)])
    model.sort(AGE)
    assert shown(model) == ["new", "old"]


def test_a_changed_run_changes_its_row_without_moving_the_others(qtbot):
    model = RunsModel()
    model.update([make_run(str(number), created_ns=number) for number in range(1, 5)])
    with qtbot.waitSignal(model.dataChanged), qtbot.assertNotEmitted(model.modelReset):
        model.update([make_run("2", created_ns=2, steps=77)])
    record = model.record("2")
    assert record is not None
    assert record.steps == 77


def test_a_hidden_run_comes_back(qtbot):
    model = RunsModel()
    model.update([make_run("a"), make_run("b")])
    model.set_hidden(["a"], True)
    assert shown(model) == ["b"]
    assert model.total == 1
    model.set_hidden(["a"], False)
    assert sorted(shown(model)) == ["a", "b"]


def test_numbers_are_written_for_a_glance():
    assert [compact(value) for value in (0, 9999, 12_345, 4_560_000)] == [
        "0", "9,999", "12.3k", "4.6M",
    ]  # fmt: skip
    assert (number(None), number(499.96), number(-200.0)) == ("", "500.0", "-200.0")
    assert (size(0), size(999), size(3_400_000)) == ("", "999 B", "3.4 MB")
    assert age(1_000_000_000, 301_000_000_000) == "5 min"
    assert duration(0, 11_100_000_000_000) == "3 h 5 min"


def test_ages_are_written_anew_as_time_goes_by(qtbot):
    model = RunsModel()
    model.grow_older()
    model.update([make_run("a"), make_run("b"), make_run("c")])
    with qtbot.waitSignal(model.dataChanged) as changed:
        model.grow_older()
    first, last = changed.args[:2]
    assert (first.row(), last.row()) == (0, 2)
    assert first.column() == last.column() == AGE


def test_rows_are_gathered_under_heads_that_fold(qtbot):
    model = RunsModel()
    model.update(
        [
            make_run("a", env_id="Pong", steps=10, best_return=1.0, created_ns=3),
            make_run("b", env_id="CartPole", steps=20, created_ns=2),
            make_run("c", env_id="Pong", steps=30, best_return=7.0, created_ns=1),
        ]
    )
    model.set_grouping("environment")
    assert shown(model) == ["", "a", "c", "", "b"]
    assert model.heads() == [0, 3]
    titles = [title for title, *_ in COLUMNS]
    cells = {title: model.index(0, titles.index(title)).data() for title in ("Steps", "Best")}
    assert model.index(0, 0).data() == "▾ Pong  (2)"
    assert cells == {"Steps": "40", "Best": "7.0"}
    model.toggle(0)
    assert shown(model) == ["", "", "b"]
    assert (model.shown, model.total) == (3, 3)
    model.update([make_run("d", env_id="Pong", created_ns=9)])
    assert model.index(0, 0).data() == "▸ Pong  (3)"
    model.set_grouping("")
    assert shown(model) == ["d", "a", "b", "c"]
