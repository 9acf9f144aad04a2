"""``gym-gui doctor``: what of the set-up is missing, and how to mend it."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from gym_gui.commands.common import (
    data_dir_option,
    has_display,
    human_size,
    json_option,
    print_json,
)
from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir

_NEEDED = ("apsw", "cma", "grpc", "gymnasium", "msgspec", "numpy", "PIL", "psutil", "pyqtgraph")
_LOW_DISK_BYTES = 1_000_000_000
_LOW_SHARED_BYTES = 64_000_000
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass
class Finding:
    """One line of the report. ``mend`` is empty when all is well; ``vital``: nothing works so."""

    what: str
    found: str
    mend: str = ""
    vital: bool = True


@click.command()
@data_dir_option
@json_option
def doctor(data_dir: DataDir, as_json: bool) -> int:
    """Check the set-up part by part, and say how to mend what is missing.

    Exits 1 when something is missing without which nothing works.
    """
    findings = list(examine(data_dir))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "ok" if not finding.mend else "MISSING" if finding.vital else "note"
            click.echo(f"{mark:<9}{finding.what:<18}{finding.found}")
            if finding.mend:
                click.echo(f"{'':<27}-> {finding.mend}")
    return int(any(finding.mend and finding.vital for finding in findings))


def examine(data_dir: DataDir) -> Iterator[Finding]:
    """Yield a finding for each part of the set-up."""
    yield _python()
    yield _modules()
    yield from _window()
    yield _packaged_files()
    yield _folder(data_dir)
    yield _disk(data_dir)
    yield _shared_memory(data_dir)
    yield _daemon(data_dir)
    yield _torch()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    mend = "" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer."
    return Finding("Python", f"{version} ({sys.executable})", mend)


def _modules() -> Finding:
    absent = [name for name in _NEEDED if not _imports(name)]
    if absent:
        return Finding("packages", "missing: " + ", ".join(absent), "Run ./run.sh again.")
    return Finding("packages", f"all there; SQLite {sqlite3.sqlite_version}")


def _imports(name: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a package says of itself is not asked here
            importlib.import_module(name)
    except Exception:  # noqa: BLE001 - a broken package may raise anything while it is imported
        return False
    return True


def _window() -> Iterator[Finding]:
    from gym_gui.commands.libraries import INSTALL, MANAGERS, missing_libraries, packages

    missing = missing_libraries()
    if missing:
        manager = next((name for name in MANAGERS if shutil.which(name)), MANAGERS[0])
        line = f"sudo {INSTALL[manager]} {' '.join(packages(missing, manager))}"
        yield Finding("Qt's libraries", "missing: " + ", ".join(missing), line, vital=False)
    elif not _imports("PySide6.QtQuickWidgets"):
        yield Finding("Qt", "PySide6 cannot be loaded", "Run ./run.sh again.", vital=False)
    else:
        import PySide6

        yield Finding("Qt", f"PySide6 {PySide6.__version__}")
    if has_display():
        yield Finding("display", "there is one")
    else:
        mend = "Work headless, or log in with a display (ssh -X, or a virtual one: xvfb-run)."
        yield Finding("display", "none", mend, vital=False)


def _packaged_files() -> Finding:
    names = ("ui/qml/FastLaneView.qml", "worker/sitecustomize_template.py", "rpc")
    absent = [name for name in names if not (_PACKAGE / name).exists()]
    if absent:
        return Finding("own files", "missing: " + ", ".join(absent), "Install gym-gui again.")
    return Finding("own files", str(_PACKAGE))


def _attempt(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, check())
    except GymGuiError as error:
        return Finding(what, error.message, error.next_step or "See the message.")


def _folder(data_dir: DataDir) -> Finding:
    return _attempt("data folder", lambda: str(data_dir.create().root))


def _disk(data_dir: DataDir) -> Finding:
    place = data_dir.root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    mend = "" if free > _LOW_DISK_BYTES else "Free some space, or choose another --data-dir."
    return Finding("disk", f"{human_size(free)} free", mend, vital=False)


def _shared_memory(data_dir: DataDir) -> Finding:
    def check() -> str:
        folder = data_dir.ring_dir
        free = shutil.disk_usage(folder).free
        if free < _LOW_SHARED_BYTES:
            raise GymGuiError(
                f"{folder}: {human_size(free)} free.",
                next_step="Give it room (containers: --shm-size=1g); live pictures need it.",
            )
        return f"{folder}, {human_size(free)} free"

    return _attempt("shared memory", check)


def _daemon(data_dir: DataDir) -> Finding:
    from gym_gui.services.trainer.daemon import daemon_status

    def check() -> str:
        running = daemon_status(data_dir).running
        return "running" if running else "not running (started when a run needs it)"

    return _attempt("daemon", check)


def _torch() -> Finding:
    if importlib.util.find_spec("torch"):
        return Finding("torch", "installed")
    note = 'Only for training scripts that use it: pip install "gym-gui[cleanrl]"'
    return Finding("torch", "not installed", note, vital=False)
