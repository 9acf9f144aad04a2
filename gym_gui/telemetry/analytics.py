"""Questions over several runs: learning curves, groups, confidence bands, settings that differ.

Arrays are numpy float64. Reading goes through ``RunReader``; nothing here knows of Qt.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gym_gui.core.errors import StorageError, UsageError
from gym_gui.core.records import RunSpec
from gym_gui.telemetry.curves import Curve, decimate
from gym_gui.telemetry.reader import RunReader

RETURN, LENGTH, SUCCESS = "return", "length", "success"  # what the episodes themselves tell
AXES = ("steps", "episodes", "time")
STATISTICS = ("mean", "iqm", "median")
_PYRAMID_BLOCK = 64


@dataclass(slots=True)
class RunCurve:
    """One run's values over an axis: x ascending, y of the same length."""

    run_id: str
    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


@dataclass(slots=True)
class Band:
    """A group's curve: the statistic over its runs, and its bootstrap confidence band.

    runs: how many runs there are at each x. Where there is one only, the band is the curve.
    """

    x: np.ndarray
    centre: np.ndarray
    low: np.ndarray
    high: np.ndarray
    runs: np.ndarray


@dataclass(slots=True)
class Difference:
    """A setting in which runs differ. ``values`` by run id; a run without it is left out."""

    name: str
    values: dict[str, Any]


def read_curve(path: Path, run_id: str, *, what: str = RETURN, by: str = "steps") -> RunCurve:
    """Read one run's curve: ``return``, ``length``, ``success``, or the name of a metric.

    Does I/O. Raises StorageError; UsageError for an axis there is not.
    """
    if by not in AXES:
        raise UsageError(f"{by!r} is no axis.", next_step=f"Use one of {', '.join(AXES)}.")
    with RunReader(path) as reader:
        if what in (RETURN, LENGTH):
            columns = reader.returns()
            y = columns.return_ if what == RETURN else columns.length.astype(float)
            return RunCurve(run_id, columns.x(by), y)
        if what == SUCCESS:
            return RunCurve(run_id, *_successes(reader, by))
        return RunCurve(run_id, *_metric(reader, what, by))


def names_of(paths: Iterable[Path]) -> list[str]:
    """Return everything that ``read_curve`` can read of any of the runs that can be read."""
    found: dict[str, None] = {RETURN: None, LENGTH: None}
    for path in paths:
        with contextlib.suppress(StorageError), RunReader(path) as reader:
            if reader.query("SELECT 1 FROM episodes WHERE success IS NOT NULL LIMIT 1"):
                found[SUCCESS] = None
            found.update(dict.fromkeys(reader.metric_names()))
    return list(found)


def _successes(reader: RunReader, by: str) -> tuple[np.ndarray, np.ndarray]:
    columns = reader.returns()
    known = {
        (stream, episode): success
        for stream, episode, success in reader.query(
            "SELECT stream, episode, success FROM episodes WHERE success IS NOT NULL"
        )
    }
    pairs = zip(columns.stream.tolist(), columns.episode.tolist(), strict=True)
    y = np.array([known.get(pair, np.nan) for pair in pairs], dtype=float)
    chosen = ~np.isnan(y)
    return columns.x(by)[chosen], y[chosen]


def _metric(reader: RunReader, name: str, by: str) -> tuple[np.ndarray, np.ndarray]:
    step, value, time_ns = reader.metric_columns(name)
    if by == "time":
        x = (time_ns - time_ns.min()) / 1e9 if len(time_ns) else time_ns.astype(float)
    else:
        x = step.astype(float) if by == "steps" else np.arange(1, len(step) + 1, dtype=float)
    order = np.argsort(x, kind="stable")
    return x[order], value[order]


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of the last ``window`` values at each place, NaN counting as none."""
    values = np.asarray(values, dtype=float)
    if window <= 1 or len(values) == 0:
        return values
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    count = counts[ends] - counts[starts]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, (sums[ends] - sums[starts]) / count, np.nan)


def align(curves: Sequence[RunCurve], *, points: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return a common x of ``points`` and a (runs, points) matrix of the curves over it.

    Between two points of a run lies the straight line; before its first and after its last point
    it has no value (NaN).
    """
    curves = [curve for curve in curves if len(curve)]
    if not curves:
        return np.empty(0), np.empty((0, 0))
    first = min(float(curve.x[0]) for curve in curves)
    last = max(float(curve.x[-1]) for curve in curves)
    grid = np.linspace(first, last, max(2, points))
    return grid, np.stack([_over(curve, grid) for curve in curves])


def _over(curve: RunCurve, grid: np.ndarray) -> np.ndarray:
    known = np.isfinite(curve.y)
    if not known.any():
        return np.full(len(grid), np.nan)
    return np.interp(grid, curve.x[known], curve.y[known], left=np.nan, right=np.nan)


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of the middle half along the first axis, NaN left out."""
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = np.sum(~np.isnan(values), axis=0)
    cut = count // 4
    place = np.arange(values.shape[0]).reshape((-1,) + (1,) * (values.ndim - 1))
    inside = (place >= cut) & (place < count - cut)
    kept = np.sum(inside, axis=0)
    total = np.sum(np.where(inside, ordered, 0.0), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(kept > 0, total / kept, np.nan)


def _mean(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan)


def _median(values: np.ndarray) -> np.ndarray:
    ordered = np.sort(values, axis=0)
    count = np.sum(~np.isnan(values), axis=0)
    low, high = np.maximum(0, (count - 1) // 2), np.maximum(0, count // 2)
    pair = [np.take_along_axis(ordered, at[None], axis=0)[0] for at in (low, high)]
    return (pair[0] + pair[1]) / 2


_FUNCTIONS = {"mean": _mean, "iqm": interquartile_mean, "median": _median}


def band(
    curves: Sequence[RunCurve],
    *,
    statistic: str = "mean",
    confidence: float = 0.95,
    resamples: int = 500,
    points: int = 400,
    seed: int = 0,
) -> Band:
    """Return a group's curve with its percentile bootstrap band, resampling whole runs.

    statistic: ``mean``, ``iqm`` (of the middle half of the runs) or ``median``. The same seed
    gives the same band.
    """
    if statistic not in _FUNCTIONS:
        raise UsageError(
            f"{statistic!r} is no statistic.", next_step=f"Use one of {', '.join(STATISTICS)}."
        )
    function = _FUNCTIONS[statistic]
    grid, matrix = align(curves, points=points)
    if not len(matrix):
        empty = np.empty(0)
        return Band(empty, empty, empty, empty, empty)
    centre = function(matrix)
    runs = np.sum(~np.isnan(matrix), axis=0)
    low, high = centre, centre
    if len(matrix) > 1 and resamples > 0:
        picks = np.random.default_rng(seed).integers(0, len(matrix), (resamples, len(matrix)))
        drawn = np.stack([function(matrix[pick]) for pick in picks])
        low, high = _percentiles(drawn, confidence)
        low, high = (np.where(np.isnan(end), centre, end) for end in (low, high))
    return Band(grid, centre, low, high, runs)


def _percentiles(drawn: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the middle ``confidence`` share of each column, NaN left out."""
    ordered = np.sort(drawn, axis=0)
    count = np.sum(~np.isnan(drawn), axis=0)
    tail = (1 - confidence) / 2
    ends = []
    for share in (tail, 1 - tail):
        place = np.clip(np.round(share * (count - 1)), 0, None).astype(int)
        ends.append(np.take_along_axis(ordered, place[None], axis=0)[0])
    return ends[0], ends[1]


@dataclass(slots=True)
class Result:
    """How a run, or the runs of a group, did. final: of each run the mean of its last points.

    low, high: 95 % bootstrap interval of final over the runs, NaN of one run. area: the mean
    height of the curve over its axis. reached: the greatest x.
    """

    name: str
    runs: int
    points: int
    final: float
    low: float
    high: float
    best: float
    area: float
    reached: float


def result(
    name: str, curves: Sequence[RunCurve], *, statistic: str = "mean", last: int = 100
) -> Result | None:
    """Return a group's result; None where no run has a value."""
    function = _FUNCTIONS[statistic]
    known = [(c.x[np.isfinite(c.y)], c.y[np.isfinite(c.y)]) for c in curves]
    known = [(x, y) for x, y in known if len(y)]
    if not known:
        return None
    finals = np.array([y[-last:].mean() for _, y in known])
    areas = np.array([_height(x, y) for x, y in known])
    low = high = float("nan")
    if len(finals) > 1:
        picks = np.random.default_rng(0).integers(0, len(finals), (2000, len(finals)))
        low, high = np.quantile(function(finals[picks].T), (0.025, 0.975))
    return Result(
        name,
        len(known),
        sum(len(y) for _, y in known),
        float(function(finals[:, None])[0]),
        float(low),
        float(high),
        max(float(y.max()) for _, y in known),
        float(function(areas[:, None])[0]),
        max(float(x[-1]) for x, _ in known),
    )


def _height(x: np.ndarray, y: np.ndarray) -> float:
    span = float(x[-1] - x[0])
    if span <= 0:
        return float(y.mean())
    return float(np.sum((y[1:] + y[:-1]) / 2 * np.diff(x)) / span)


class Pyramid:
    """A long curve kept so that any part of it is reduced to a screen's width at once.

    x must not descend. Every reduction keeps each bucket's least and greatest value.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self._levels = [(np.asarray(x, dtype=float), np.asarray(y, dtype=float))]
        while len(self._levels[-1][1]) > 100_000:
            above_x, above_y = self._levels[-1]
            points = 2 * max(1, len(above_y) // _PYRAMID_BLOCK)
            curve = decimate(above_x, above_y, max_points=points)
            self._levels.append((curve.x, curve.y))

    def __len__(self) -> int:
        return len(self._levels[0][1])

    def view(self, low: float, high: float, *, max_points: int) -> Curve:
        """Return the part from ``low`` to ``high``, with the points just outside it."""
        for x, y in reversed(self._levels):
            first = max(0, int(np.searchsorted(x, low, "left")) - 1)
            last = min(len(x), int(np.searchsorted(x, high, "right")) + 1)
            if last - first >= max_points or x is self._levels[0][0]:
                return decimate(x[first:last], y[first:last], max_points=max_points)
        raise AssertionError("the last level is the curve itself")

    def nearest(self, at: float) -> tuple[float, float] | None:
        """Return the curve's own point nearest to ``at``; None outside it, or where it has none."""
        x, y = self._levels[0]
        if not len(x) or at < x[0] or at > x[-1]:
            return None
        right = min(int(np.searchsorted(x, at)), len(x) - 1)
        left = max(0, right - 1)
        place = left if at - x[left] <= x[right] - at else right
        return (float(x[place]), float(y[place])) if np.isfinite(y[place]) else None


def settings_of(spec: RunSpec) -> dict[str, Any]:
    """Return what a run was started with, flat: ``config`` by its own names, the rest by ours."""
    flat: dict[str, Any] = {}
    for name in ("worker", "env_id", "seed", "mode", "launcher", "group", "cwd"):
        flat[name] = getattr(spec, name)
    if not spec.config:
        flat["command"] = " ".join(spec.command)
    _flatten({name: value for name, value in spec.config.items() if name != "args"}, "", flat)
    words = spec.config.get("args")
    options, rest = _options_in(words if isinstance(words, list) else [])
    flat.update(options)
    if rest:
        flat["args"] = " ".join(rest)
    return flat


def _options_in(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return what words such as ``--lr 0.1`` say by name, and the words that are no options."""
    found: dict[str, Any] = {}
    rest: list[str] = []
    queue = [str(word) for word in words]
    while queue:
        word = queue.pop(0)
        if not word.startswith("--") or word == "--":
            rest.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        has_value = bool(queue) and (not queue[0].startswith("-") or _is_number(queue[0]))
        if not equals:
            value = queue.pop(0) if has_value else "true"
        found[name.replace("-", "_")] = _typed(value)
    return found, rest


def _is_number(text: str) -> bool:
    return isinstance(_typed(text), (int, float))


def _typed(text: str) -> Any:
    """Return a number or truth value for text that is one, else the text."""
    try:
        value = json.loads(text.lower())
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float)) else text


def _flatten(values: Mapping[str, Any], before: str, into: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            _flatten(value, f"{before}{name}.", into)
        else:
            into[f"{before}{name}"] = value


def differences(specs: Mapping[str, RunSpec]) -> list[Difference]:
    """Return the settings in which the runs differ, most telling (fewest values) first."""
    flats = {run_id: settings_of(spec) for run_id, spec in specs.items()}
    names: dict[str, None] = {}
    for flat in flats.values():
        names.update(dict.fromkeys(flat))
    found = []
    for name in names:
        values = {run_id: flat[name] for run_id, flat in flats.items() if name in flat}
        kinds = {_key(value) for value in values.values()}
        if len(kinds) > 1 or (values and len(values) < len(flats)):
            found.append((len(kinds), Difference(name, values)))
    return [difference for _, difference in sorted(found, key=lambda pair: pair[0])]


def grouped(specs: Mapping[str, RunSpec], setting: str) -> dict[str, list[str]]:
    """Return run ids by the value of ``setting`` (``""``: every run on its own)."""
    groups: dict[str, list[str]] = {}
    for run_id, spec in specs.items():
        value = settings_of(spec).get(setting, "-") if setting else run_id
        groups.setdefault(value if isinstance(value, str) else _key(value), []).append(run_id)
    return groups


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def write_table(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns of one length as CSV or Parquet, by the path's ending; whole or not at all.

    Raises UsageError for another ending, or for Parquet where pyarrow is not installed.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise UsageError(f"{path.name} is neither .csv nor .parquet.", next_step="Choose one.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        writer(part, columns)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _write_parquet(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow.", next_step="Install it (`pip install gym-gui[export]`)."
        ) from error
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), path)
