"""The child process that lives recorded episodes again, seen from its parent.

It runs ``worker/resimulate.py`` in the interpreter that recorded the run, with a copy of nothing
but the tap's packages on its path.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from gym_gui.core.errors import ReplayError
from gym_gui.core.paths import TAP_VARIABLE
from gym_gui.core.records import RunSpec
from gym_gui.worker.install import copy_code

_STOP_S = 5.0
_PYTHONS = ("python", "pypy")
_FAILED = {
    "open": "The environment cannot be made again",
    "episode": "The environment failed when it lived the episode again",
    "frame": "The environment failed when it was drawn",
}
RECORD_FRAMES = "Record frames (--record-frames) to replay environments like this one."


class Resimulator:
    """The child process. ``ask`` raises ReplayError when it or the environment fails."""

    def __init__(self, spec: RunSpec | None) -> None:
        """spec: what the run was started with; None: our own interpreter, no script's modules."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._code = tempfile.TemporaryDirectory(prefix="gym-gui-replay-")
        self._lock = threading.Lock()
        copy_code(Path(self._code.name))
        python = self.python = interpreter_of(spec)
        wanted = spec.command[0] if spec is not None and spec.command else ""
        gone = Path(wanted).name.startswith(_PYTHONS) and not Path(wanted).exists()
        # what must be known where something differs: another interpreter stands in
        self.stand_in = (
            f" {wanted}, which recorded it, is gone; gym-gui's own was used." if gone else ""
        )
        cwd = spec.cwd if spec is not None and os.path.isdir(spec.cwd) else None
        try:
            self._process = subprocess.Popen(
                [python, "-m", "gym_gui.worker.resimulate"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                cwd=cwd,
                env=_environment(self._code.name, spec),
            )
        except OSError as error:
            self._errors.close()
            self._code.cleanup()
            raise ReplayError(
                f"{python} cannot be started: {error.strerror}.",
                next_step="Episodes with recorded frames can still be replayed.",
            ) from error

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Send one request and return (reply, raw bytes)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except BrokenPipeError:
                line = b""
            if not line:
                raise self._died()
            reply = json.loads(line)
            raw = _read(self._process.stdout, int(reply.get("bytes", 0)))
        if not reply["ok"]:
            raise self._failed(request["op"], reply)
        return reply, raw

    def _failed(self, operation: str, reply: dict[str, Any]) -> ReplayError:
        error = str(reply["error"])
        if reply.get("blank"):
            return ReplayError(
                f"There is no picture of this environment: {error}.",
                next_step="Its steps are recorded all the same.",
            )
        advice = RECORD_FRAMES
        if error.startswith("ModuleNotFoundError"):
            advice = f"Install it for {self.python}, or put its folder on PYTHONPATH."
        return ReplayError(f"{_FAILED[operation]}: {error}.{self.stand_in}", next_step=advice)

    def _died(self) -> ReplayError:
        self._errors.seek(0)
        words = self._errors.read()[-2000:].decode(errors="replace").strip().splitlines()
        return ReplayError(
            f"The re-simulation ended: {words[-1] if words else 'without a word'}.{self.stand_in}",
            next_step=RECORD_FRAMES,
        )

    def kill(self) -> None:
        """End the child at once, from any thread; whoever waits for an answer gets ReplayError."""
        self._process.kill()

    def close(self) -> None:
        """End the child. Twice is safe."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # the child died with a request unread
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
        self._code.cleanup()


def interpreter_of(spec: RunSpec | None) -> str:
    """Return the Python that recorded the run; ours where the command does not say."""
    first = spec.command[0] if spec is not None and spec.command else ""
    known = Path(first).name.startswith(_PYTHONS) and Path(first).exists()
    return first if known else sys.executable


def _environment(code: str, spec: RunSpec | None) -> dict[str, str]:
    variables = {**os.environ, **(spec.env if spec is not None else {})}
    variables.pop(TAP_VARIABLE, None)
    path = [code, *_script_folder(spec), variables.get("PYTHONPATH", "")]
    variables["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
    variables["SDL_VIDEODRIVER"] = "dummy"
    variables["PYTHONWARNINGS"] = "ignore"
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    return variables


def _script_folder(spec: RunSpec | None) -> list[str]:
    """Return where the script's own modules lie: an environment may be one of them."""
    if spec is None:
        return []
    scripts = [part for part in spec.command[1:] if part.endswith(".py")]
    return [str(Path(spec.cwd, script).parent) for script in scripts[:1]]


def _read(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count) if count else b""
    if len(data) < count:
        raise ReplayError(
            "The re-simulation ended in the middle of a frame.", next_step="Try it again."
        )
    return data
