"""Keeping a run's proxy alive: started, adopted from an earlier daemon, ended when it hangs."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import Any

from gym_gui.core.paths import RunDir
from gym_gui.services.trainer.files import is_running, read_json
from gym_gui.services.trainer.launching import start_proxy
from gym_gui.services.trainer.progress import BUSY_EXIT, beat_of

RETRY_S = (0.0, 0.2, 1.0, 5.0)  # pauses between two starts
LOOK_S = 0.5  # how often a proxy that is no child of ours is looked at
HANG_S = 60.0  # without a beat

_log = logging.getLogger(__name__)


class ProxyKeeper:
    """One run's proxy as the daemon sees it. ``close`` ends it; twice is safe."""

    def __init__(self, run_dir: RunDir, address: str) -> None:
        self.starts = 0
        self.adopted = 0  # how often one of an earlier daemon was found at work
        self._run_dir = run_dir
        self._address = address
        self._child: subprocess.Popen[bytes] | None = None
        self._foreign: dict[str, Any] | None = None
        self._start_after = 0.0
        self._look_after = 0.0
        self._beat = 0
        self._beat_seen = time.monotonic()

    def is_done(self) -> bool:
        """Look after the proxy; True when it has ended and all is committed. Costs little."""
        now = time.monotonic()
        if self._child is None and self._foreign is None:
            if now >= self._start_after and not self._adopt():
                self._start(now)
            return False
        if self._child is not None:
            code = self._child.poll()
            if code is not None:
                return self._child_has_ended(code, now)
        if now < self._look_after:
            return False
        self._look_after = now + LOOK_S
        if self._foreign is not None and not _runs(self._foreign):
            report = read_json(self._run_dir.proxy) or {}
            is_its = report.get("pid") == self._foreign["pid"]
            self._foreign = None
            return bool(is_its and report.get("done"))
        self._watch_beat(now)
        return False

    def close(self, *, timeout_s: float = 10.0) -> None:
        """End the proxy; it goes on where it was with the next one."""
        pid, self._foreign = self._pid(), None
        child, self._child = self._child, None
        if pid and child is None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if child is not None:
            child.terminate()
            try:
                child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _pid(self) -> int:
        if self._child is not None:
            return self._child.pid
        return self._foreign["pid"] if self._foreign is not None else 0

    def _start(self, now: float) -> None:
        self.starts += 1
        self._child = start_proxy(self._run_dir, self._address)
        self._beat_seen = now

    def _adopt(self) -> bool:
        """Find the proxy that an earlier daemon has started, if it still runs."""
        report = read_json(self._run_dir.proxy)
        if not report or not report.get("ticks") or not _runs(report):
            return False
        _log.info("run %s: its proxy %d still runs", self._run_dir.run_id, report["pid"])
        self.adopted += 1
        self._foreign = report
        self._beat_seen = time.monotonic()
        return True

    def _child_has_ended(self, code: int, now: float) -> bool:
        self._child = None
        if code == 0:
            return True
        if code != BUSY_EXIT:
            _log.warning("run %s: its proxy ended with %d", self._run_dir.run_id, code)
        self._start_after = now + RETRY_S[min(self.starts, len(RETRY_S) - 1)]
        return False

    def _watch_beat(self, now: float) -> None:
        beat = beat_of(self._run_dir)
        if beat != self._beat:
            self._beat, self._beat_seen = beat, now
        elif now - self._beat_seen > HANG_S:
            _log.warning("run %s: its proxy hangs and is ended", self._run_dir.run_id)
            with suppress(ProcessLookupError):
                os.kill(self._pid(), signal.SIGKILL)
            self._beat_seen = now


def _runs(report: dict[str, Any]) -> bool:
    return is_running(report["pid"], report["ticks"])
