"""A human session's environment as a child process, and what it did as records.

Knows nothing of Qt. Use it from one thread, off the GUI thread; ``kill`` from any.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gym_gui.core.errors import UsageError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import EpisodeRecord, ResetRecord, RunSpec, StepRecord
from gym_gui.worker.install import prepare
from gym_gui.worker.play import AGENT_FAILED

STOP_TIMEOUT_S = 5.0


class EnvironmentEndedError(UsageError):
    """The environment's process ended; every step that was shown is kept."""


@dataclass(frozen=True)
class PolicySource:
    """A saved policy. kind: one of ``worker.policies.KINDS``; script: of a CleanRL checkpoint."""

    kind: str
    path: str = ""
    script: str = ""

    def to_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "path": self.path, "script": self.script}


@dataclass(frozen=True)
class Shown:
    """One answer: its records with their numbers, the picture, and all that was told.

    shape: height, width, channels and format of ``pixels``; None where nothing is drawn.
    told: of the situation ``step``, ``over``, ``turn``, ``legal``, ``return``; ``proposed``;
    ``blank``, why there is no picture; ``refused``, why nothing was done.
    """

    records: list[tuple[int, Any]]
    shape: tuple[int, int, int, str] | None
    pixels: bytes
    told: dict[str, Any]


class PlayedEnvironment:
    """The child process. ``close`` ends it; twice is safe.

    notice: called with what the child has to say between answers, such as a full disk.
    """

    def __init__(
        self,
        spec: RunSpec,
        run_dir: RunDir,
        *,
        ring_dir: Path,
        options: dict[str, Any] | None = None,
        policy: PolicySource | None = None,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        environment = {**os.environ, **prepare(run_dir, spec, ring_dir)}
        environment.pop("GYM_GUI_TAP")  # the session records itself
        environment.setdefault("SDL_VIDEODRIVER", "dummy")
        self._notice = notice
        self._errors = open(run_dir.stderr, "ab")  # noqa: SIM115 - closed with the child
        source = json.dumps(policy.to_dict() if policy else None)
        words = ["--env-id", spec.env_id, "--options", json.dumps(options or {})]
        words += ["--policy", source, "--spool", str(run_dir.spool)]
        self._child = subprocess.Popen(
            [spec.command[0], "-m", "gym_gui.worker.play", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            cwd=spec.cwd,
        )
        self._stderr = run_dir.stderr
        self.first = Shown([], None, b"", {})

    def open(self) -> Shown:
        """Wait until the environment is made; return, and keep as ``first``, how it is."""
        self.first = self._hear()
        return self.first

    @property
    def about(self) -> dict[str, Any]:
        """Return the description: ``space``, ``meanings``, ``keys``, ``fps``, ``agents``, …"""
        return self.first.told

    def reset(self, seed: int | None = None, *, propose: bool = False) -> Shown:
        return self._ask({"do": "reset", "seed": seed, "propose": propose})

    def step(
        self, action: Any, *, flags: int = 0, proposed: Any = None, propose: bool = False
    ) -> Shown:
        command = {"do": "step", "action": action, "flags": flags, "proposed": proposed}
        return self._ask({**command, "propose": propose})

    def look(self) -> Shown:
        """Do nothing, and hear what the policy would do."""
        return self._ask({"do": "look", "propose": True})

    def undo(self, *, propose: bool = False) -> Shown:
        return self._ask({"do": "undo", "propose": propose})

    def kill(self) -> None:
        """End the child at once, from any thread; whoever waits for an answer gets an error."""
        self._child.kill()

    def close(self) -> Shown | None:
        """Ask the child to end, and end it if it does not. Returns its last records."""
        last = None
        if self._child.poll() is None:
            try:
                last = self._ask({"do": "close"})
            except EnvironmentEndedError:
                last = None
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # the child died with a command unread
        try:
            self._child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._errors.close()
        return last

    def _ask(self, command: dict[str, Any]) -> Shown:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(command).encode() + b"\n")
            self._child.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._ended() from error
        return self._hear()

    def _hear(self) -> Shown:
        assert self._child.stdout is not None
        told: dict[str, Any] = {"notice": ""}
        while "notice" in told:
            line = self._child.stdout.readline()
            if not line.endswith(b"\n"):
                raise self._ended()
            told = json.loads(line)
            if told.get("notice"):
                self._notice(told["notice"])
        shape = tuple(told["frame"]) if told["frame"] else None
        size = shape[0] * shape[1] * shape[2] if shape else 0
        pixels = self._child.stdout.read(size) if size else b""
        if len(pixels) != size:
            raise self._ended()
        records = [(record["seq"], _record(record)) for record in told["records"]]
        return Shown(records, shape, pixels, told)  # type: ignore[arg-type]

    def _ended(self) -> EnvironmentEndedError:
        try:
            self._child.wait(STOP_TIMEOUT_S)  # so that its last words are there
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        lines = self._stderr.read_text(errors="replace").strip().splitlines()
        said = f" It said: {lines[-1].rstrip('.')}." if lines else ""
        if lines and self._child.returncode == AGENT_FAILED:
            message = lines[-1]
        else:
            message = f"The environment's process ended.{said}"
        return EnvironmentEndedError(
            message,
            next_step="Every step played is kept; start another session.",
        )


def _record(record: dict[str, Any]) -> Any:
    """Return a child's record as the service takes it; ``run`` events stay plain."""
    kind = record["type"]
    if kind == "reset":
        return ResetRecord(
            0,
            record["episode"],
            seed=record["seed"],
            rng_state=record["rng"],
            snapshot=record["snapshot"],
            observation=record["observation"],
            time_ns=record["time_ns"],
        )
    if kind == "step":
        names = ("index", "episode", "step", "action", "reward", "terminated", "truncated")
        return StepRecord(
            0,
            *(record[name] for name in names),
            observation=record["observation"],
            time_ns=record["time_ns"],
            agent=record.get("agent", ""),
            flags=record["flags"],
            proposed_action=record.get("proposed_action"),
        )
    if kind == "episode":
        return EpisodeRecord(
            0,
            record["episode"],
            record["length"],
            record["return"],
            record["terminated"],
            record["truncated"],
            start_ns=record["start_ns"],
            end_ns=record["time_ns"],
            agent=record.get("agent", ""),
            success=record.get("success"),
            first_index=record["first_index"],
        )
    return record
