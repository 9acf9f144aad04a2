"""The environments that an interpreter has, asked of that interpreter itself."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass

from gym_gui.core.errors import UsageError
from gym_gui.core.paths import TAP_VARIABLE
from gym_gui.services.workers.base import PROGRAMS

LIST_TIMEOUT_S = 120.0
PREVIEW_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Interpreter:
    """What one interpreter offers: its version, gymnasium's, and environment ids, sorted.

    games: PettingZoo's games of turns, as ids for playing by hand.
    """

    python: str
    gymnasium: str
    environments: tuple[str, ...]
    games: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """One picture: ``pixels`` are RGB rows without padding, ``height * width * 3`` bytes."""

    width: int
    height: int
    pixels: bytes


@functools.lru_cache(maxsize=16)
def interpreter_info(python: str) -> Interpreter:
    """Return what ``python`` (an absolute path) offers; takes seconds the first time.

    Raises UsageError with the interpreter's own last line of complaint.
    """
    answer = _ask(python, ["list"], timeout_s=LIST_TIMEOUT_S)
    told = json.loads(answer)
    return Interpreter(
        told["python"],
        told["gymnasium"],
        tuple(pair[0] for pair in told["environments"]),
        tuple(told["games"]),
    )


@functools.lru_cache(maxsize=64)
def preview(python: str, env_id: str) -> Preview:
    """Return the first picture of ``env_id``. Raises UsageError where it cannot be drawn."""
    answer = _ask(python, ["preview", env_id], timeout_s=PREVIEW_TIMEOUT_S)
    header, _, pixels = answer.partition(b"\n")
    size = json.loads(header)
    return Preview(size["width"], size["height"], pixels)


def _ask(python: str, words: list[str], *, timeout_s: float) -> bytes:
    environment = {key: value for key, value in os.environ.items() if key != TAP_VARIABLE}
    environment.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        done = subprocess.run(
            [python, str(PROGRAMS / "environment_info.py"), *words],
            capture_output=True,
            timeout=timeout_s,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"{python} did not answer: {error}.", next_step="Choose another interpreter."
        ) from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise UsageError(
            f"{python} cannot tell: {lines[-1]}",
            next_step="Check that gymnasium is installed in it.",
        )
    return done.stdout
