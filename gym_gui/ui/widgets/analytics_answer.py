"""What the Analytics tab asks, and how it is answered: reading and computing, no widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord
from gym_gui.telemetry import analytics
from gym_gui.telemetry.analytics import Difference, Pyramid, Result, RunCurve
from gym_gui.ui.widgets.analytics_plot import COLOURS, Bars, Shown
from gym_gui.ui.words import run_labels


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be shown: the choices of the tab, taken together."""

    runs: tuple[str, ...] = ()
    what: str = analytics.RETURN
    by: str = "steps"
    window: int = 20
    group: str = ""
    statistic: str = "mean"
    with_band: bool = True
    also: tuple[str, ...] = ()  # further names, each for a small plot


@dataclass(slots=True)
class Answer:
    """What the thread pool found for a question."""

    question: Question
    shown: list[Shown] = field(default_factory=list)
    curves: list[RunCurve] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)  # what to call each run, by id
    names: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    bars: list[Bars] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    small: dict[str, list[Shown]] = field(default_factory=dict)  # by name
    unread: dict[str, GymGuiError] = field(default_factory=dict)  # runs that cannot be read, why


def answer(question: Question, data_dir: DataDir, records: Mapping[str, RunRecord]) -> Answer:
    """Read and compute everything for a question. Does I/O; touches no widget."""
    found = Answer(question)
    specs = {run_id: records[run_id].spec for run_id in question.runs if run_id in records}
    labels = found.labels = run_labels(records.values())
    paths = {run_id: data_dir.run(run_id).store for run_id in specs}
    present = []
    for run_id, path in paths.items():
        try:
            curve = analytics.read_curve(path, run_id, what=question.what, by=question.by)
            found.curves.append(curve)
            present.append(path)
        except GymGuiError as error:
            found.unread[run_id] = error
    found.names = analytics.names_of(present)
    found.differences = analytics.differences(specs) if len(specs) > 1 else []
    groups = _groups(found.curves, question.group, records, labels)
    found.shown = _curves(groups, question)
    found.results = _results(groups, question)
    _make_bars(found, groups)
    for name in question.also:
        if name in found.names:
            read = [_read(path, run_id, name, question) for run_id, path in paths.items()]
            curves = [curve for curve in read if curve is not None]
            found.small[name] = _curves(_groups(curves, question.group, records, labels), question)
    return found


def _read(path: Path, run_id: str, name: str, question: Question) -> RunCurve | None:
    try:
        return analytics.read_curve(path, run_id, what=name, by=question.by)
    except GymGuiError:
        return None  # said already, where the main curve was read


def _curves(groups: Mapping[str, list[RunCurve]], question: Question) -> list[Shown]:
    one = _group if question.group else _run
    return [
        one(name, COLOURS[number % len(COLOURS)], members, question)
        for number, (name, members) in enumerate(groups.items())
    ]


def _results(groups: Mapping[str, list[RunCurve]], question: Question) -> list[Result]:
    found = (
        analytics.result(name, members, statistic=question.statistic)
        for name, members in groups.items()
    )
    return sorted((one for one in found if one is not None), key=lambda one: -one.final)


def _groups(
    found: list[RunCurve],
    setting: str,
    records: Mapping[str, RunRecord],
    labels: Mapping[str, str],
) -> dict[str, list[RunCurve]]:
    """Return the curves that belong together, under the name to show."""
    curves = {curve.run_id: curve for curve in found if len(curve)}
    specs = {run_id: records[run_id].spec for run_id in curves}
    groups = {}
    for value, run_ids in analytics.grouped(specs, setting).items():
        name = f"{setting} = {value} ({len(run_ids)})" if setting else labels[value]
        groups[name] = [curves[run_id] for run_id in run_ids]
    return groups


def _run(name: str, colour: str, members: list[RunCurve], question: Question) -> Shown:
    run = members[0]
    smooth = Pyramid(run.x, analytics.smooth(run.y, question.window))
    return Shown(name, colour, smooth, Pyramid(run.x, run.y) if question.window > 1 else None)


def _group(name: str, colour: str, members: list[RunCurve], question: Question) -> Shown:
    smoothed = [replace(run, y=analytics.smooth(run.y, question.window)) for run in members]
    band = analytics.band(smoothed, statistic=question.statistic)
    line = Pyramid(band.x, band.centre)
    return Shown(name, colour, line, band=band if question.with_band else None)


def _make_bars(found: Answer, groups: Mapping[str, list[RunCurve]]) -> None:
    values = {name: _finite(members) for name, members in groups.items()}
    values = {name: value for name, value in values.items() if len(value)}
    if not values:
        return
    low = min(float(value.min()) for value in values.values())
    high = max(float(value.max()) for value in values.values())
    edges = np.linspace(low, high if high > low else low + 1, 41)
    for number, (name, value) in enumerate(values.items()):
        colour = COLOURS[number % len(COLOURS)]
        found.bars.append((name, colour, edges, np.histogram(value, edges)[0]))


def _finite(curves: list[RunCurve]) -> np.ndarray:
    values = _joined([curve.y for curve in curves])
    return values[np.isfinite(values)]


def table(found: Answer) -> dict[str, Any]:
    """Return every point of an answer's curves, unsmoothed, as columns."""
    question = found.question
    runs: list[str] = []
    for curve in found.curves:
        runs += [curve.run_id] * len(curve)
    return {
        "run": runs,
        question.by: _joined([curve.x for curve in found.curves]),
        question.what: _joined([curve.y for curve in found.curves]),
    }


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)
