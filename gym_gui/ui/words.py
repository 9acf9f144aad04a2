"""Numbers, sizes and times as a person reads them at a glance."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from gym_gui.core.records import RunRecord
from gym_gui.ui.translate import tr


def run_labels(runs: Iterable[RunRecord]) -> dict[str, str]:
    """Return each run's name by id, with the end of the id where several runs share one."""
    runs = list(runs)
    names = {run.run_id: run.spec.name or run.run_id for run in runs}
    often = Counter(names.values())
    return {
        run_id: name if often[name] == 1 else f"{name} · {run_id.rsplit('-', 1)[-1]}"
        for run_id, name in names.items()
    }


def compact(value: float) -> str:
    """Return a count such as ``950``, ``12.3k``, ``4.56M``."""
    if abs(value) < 10_000:
        return f"{value:,.0f}"
    for unit, scale in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if abs(value) < scale * 999.5 or unit == "G":
            short = value / scale
            return f"{short:.{0 if short >= 100 else 1}f}{unit}"
    return ""


def some(value: float) -> str:
    """Return a count as ``compact`` does; empty for none."""
    return compact(value) if value else ""


def number(value: float | None) -> str:
    """Return a return or reward, short; empty for none."""
    if value is None:
        return ""
    return compact(value) if abs(value) >= 10_000 else f"{value:.1f}"


def size(value: int) -> str:
    """Return bytes as ``3.4 MB`` (powers of 1000); empty for none."""
    if not value:
        return ""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return ""


def age(time_ns: int, now_ns: int | None = None) -> str:
    """Return how long ago Unix ``time_ns`` was: ``12 s``, ``5 min``, ``3 h``, ``8 d``."""
    if not time_ns:
        return ""
    seconds = max(0, ((now_ns or time.time_ns()) - time_ns) // 1_000_000_000)
    for unit, length, above in (("d", 86400, 172800), ("h", 3600, 5400), ("min", 60, 120)):
        if seconds >= above:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def duration(start_ns: int, end_ns: int) -> str:
    """Return a length of time: ``8 s``, ``12 min``, ``3 h 5 min``."""
    seconds = max(0, (end_ns - start_ns) // 1_000_000_000)
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def episode_end(*, terminated: bool, truncated: bool) -> str:
    """Return how an episode ended."""
    if terminated:
        return tr("terminated")
    return tr("truncated") if truncated else tr("broken off")
