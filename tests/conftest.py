"""Fixtures for all tests, and the check that a test leaves nothing behind.

Every test runs with a runtime folder (rings, sockets) and a data folder of its own, so that it
can neither see nor harm the programs of whoever runs it.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gym_gui.core.paths import DATA_DIR_VARIABLE, TAP_VARIABLE, DataDir

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_QUICK_BACKEND", "software")
for _name in (TAP_VARIABLE, "DISPLAY", "WAYLAND_DISPLAY"):
    os.environ.pop(_name, None)

# The ring's model needs spin, which test.sh installs where it may.
collect_ignore = [] if shutil.which("spin") else ["stress/test_ring_model.py"]

GRACE_S = 10.0  # how long what is ending may take to be gone


@pytest.fixture(scope="session")
def _runtime_root() -> Iterator[Path]:
    # Short on purpose: a Unix socket's path may have 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="gg-", dir="/dev/shm" if _has_shm() else None))
    yield root
    shutil.rmtree(root, ignore_errors=True)


def _has_shm() -> bool:
    return os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK)


@pytest.fixture(autouse=True)
def private_places(
    _runtime_root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Point runtime folder and default data folder away from the user's."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(_runtime_root))
    home = tmp_path_factory.getbasetemp() / "data-home"
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(home))


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    """A data folder of the test's own, not yet made."""
    return DataDir(tmp_path / "data")


@pytest.fixture(autouse=True)
def leaves_nothing_behind(private_places: None, _runtime_root: Path) -> Iterator[None]:
    """Fail a test that leaves threads, child processes or live rings."""
    threads = set(threading.enumerate())
    children = set(psutil.Process().children(recursive=True))
    rings = set(_runtime_root.rglob("*.ring"))
    yield
    deadline = time.monotonic() + GRACE_S
    while left := _left_behind(threads, children, rings, _runtime_root):
        if time.monotonic() > deadline:
            _end(set(psutil.Process().children(recursive=True)) - children)
            pytest.fail("the test left behind: " + ", ".join(left))
        gc.collect()  # an error's traceback may hold on to what it passed through
        time.sleep(0.02)


def _left_behind(
    threads: set[threading.Thread], children: set[psutil.Process], rings: set[Path], root: Path
) -> list[str]:
    left = [
        f"thread {thread.name}"
        for thread in set(threading.enumerate()) - threads
        # Threads of libraries that live as long as the process; ours all have names.
        if thread.is_alive()
        and not isinstance(thread, threading._DummyThread)
        and "_poll_wrapper" not in thread.name  # grpc.aio's only one
    ]
    for child in set(psutil.Process().children(recursive=True)) - children:
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                left.append(f"process {' '.join(child.cmdline()[:6]) or child.pid}")
        except psutil.NoSuchProcess:
            continue
    return left + [f"ring {path.name}" for path in set(root.rglob("*.ring")) - rings]


def _end(processes: set[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


class CommandLine:
    """``gym-gui`` as a person would start it: another process, its own data folder."""

    def __init__(self, data_dir: DataDir) -> None:
        self.data_dir = data_dir

    def __call__(
        self, *words: str | Path, timeout_s: float = 120, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gym_gui", *map(str, words)],
            env={**os.environ, DATA_DIR_VARIABLE: str(self.data_dir.root), **environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


@pytest.fixture
def gym_gui(data_dir: DataDir) -> Iterator[CommandLine]:
    """Run ``gym-gui WORDS…``; a daemon that it started is stopped at the test's end."""
    command = CommandLine(data_dir)
    yield command
    if data_dir.daemon.exists():
        command("daemon", "stop")


@pytest.fixture(scope="session")
def x_display() -> Iterator[str]:
    """A virtual X display of 1280 by 800 points; give it to child processes as DISPLAY."""
    reading, writing = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        "1280x800x24",
        "-nolisten",
        "tcp",
    ]
    server = subprocess.Popen(
        command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait(timeout=30)
