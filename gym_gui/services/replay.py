"""Any recorded moment again: recorded frames where there are some, else by re-simulation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from gym_gui.core.errors import DivergenceError, ReplayError
from gym_gui.core.paths import TAP_VARIABLE, RunDir
from gym_gui.core.records import STEP_RESET, StepRecord
from gym_gui.telemetry.reader import RunReader


@dataclass(frozen=True)
class Moment:
    """One picture of an episode. step: the step after which it was, -1 for the reset.

    frame: uint8 (height, width, channels), RGB.
    """

    step: int
    frame: np.ndarray


class EpisodeReplay:
    """One recorded episode of a run. Reads the store when made; ``moments`` does the work."""

    def __init__(self, run_dir: RunDir, *, stream: int, episode: int) -> None:
        self.run_dir = run_dir
        self.stream = stream
        self.episode = episode
        with RunReader(run_dir.store) as reader:
            found = [info for info in reader.streams() if info.stream == stream]
            self.steps = [
                step
                for step in reader.episode_steps(stream, episode)
                if not step.flags & STEP_RESET
            ]
            self.reset = reader.reset(stream, episode)
            self.recorded = set(reader.frame_indices(stream, episode=episode))
            self.spec = reader.spec()
        self.info = found[0] if found else None
        if not self.steps:
            raise ReplayError(
                f"{run_dir.run_id} has no steps of episode {episode} of stream {stream}.",
                next_step="`gym-gui runs show` tells how many episodes there are.",
            )

    def moments(self, steps: Sequence[int] | None = None) -> Iterator[Moment]:
        """Yield the pictures after ``steps`` (all of the episode's, and the reset's, by default).

        Raises DivergenceError when re-simulation does not give what was recorded, ReplayError
        when it is not possible.
        """
        wanted = list(range(-1, len(self.steps))) if steps is None else list(steps)
        if self._all_recorded(wanted):
            with RunReader(self.run_dir.store) as reader:
                for step in wanted:
                    if step >= 0:
                        frame = reader.frame(self.stream, self.steps[step].index)
                        assert frame is not None
                        yield Moment(step, frame)
            return
        yield from self._simulate(wanted)

    def verify(self) -> int:
        """Re-simulate without pictures and return how many steps were the same: all of them."""
        for _ in self._simulate([]):
            pass
        return len(self.steps)

    def _all_recorded(self, wanted: Sequence[int]) -> bool:
        asked = [step for step in wanted if step >= 0]
        return bool(asked) and all(self.steps[step].index in self.recorded for step in asked)

    def _simulate(self, wanted: Sequence[int]) -> Iterator[Moment]:
        with _child(self.run_dir, self._python(), self._folders()) as (request, answers):
            request.write(json.dumps(self._request(wanted)).encode())
            request.close()
            while True:
                answer = json.loads(answers.readline() or b'{"error": "it ended without a word"}')
                if "done" in answer:
                    return
                if "frame" not in answer:
                    raise self._trouble(answer)
                shape = (answer["height"], answer["width"], answer["channels"])
                data = answers.read(shape[0] * shape[1] * shape[2])
                yield Moment(answer["frame"], np.frombuffer(data, dtype=np.uint8).reshape(shape))

    def _trouble(self, answer: dict[str, Any]) -> ReplayError:
        if "diverged" in answer:
            return DivergenceError(
                f"Re-simulation left the recording at step {answer['diverged']} of episode "
                f"{self.episode}: its {answer['what']} was {answer['recorded']} and is now "
                f"{answer['found']}.",
                next_step="This environment is not deterministic: record frames to see it again.",
            )
        return ReplayError(
            f"The environment cannot be made again: {answer['error']}.",
            next_step="Record frames (--record-frames) for environments like this one.",
        )

    def _request(self, wanted: Sequence[int]) -> dict[str, Any]:
        if self.info is None or not self.info.spec_json or self.reset is None:
            note = self.info.note if self.info else "nothing is known of its environment"
            raise ReplayError(
                f"Episode {self.episode} cannot be simulated again: {note or 'no reset recorded'}.",
                next_step="Record frames (--record-frames) for environments like this one.",
            )
        recording = self.spec.recording if self.spec else None
        return {
            "spec": self.info.spec_json,
            "reset": asdict(self.reset),
            "actions": [step.action for step in self.steps],
            "rewards": [_plain_reward(step) for step in self.steps],
            "observations": [step.observation for step in self.steps],
            "mode": recording.observations if recording else "auto",
            "max_numbers": recording.max_numbers if recording else 64,
            "render": list(wanted),
        }

    def _python(self) -> str:
        command = self.spec.command if self.spec else []
        if command and Path(command[0]).name.startswith("python") and Path(command[0]).exists():
            return command[0]
        return sys.executable

    def _folders(self) -> list[str]:
        """Return where the script's own modules lie: an environment may be one of them."""
        if self.spec is None:
            return []
        scripts = [word for word in self.spec.command[1:] if word.endswith(".py")]
        beside = [str(Path(self.spec.cwd, script).parent) for script in scripts[:1]]
        path = self.spec.env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        return [*beside, *(part for part in path.split(os.pathsep) if part)]


def last_episode(run_dir: RunDir) -> tuple[int, int]:
    """Return (stream, episode) of the episode that ended last. Raises ReplayError."""
    with RunReader(run_dir.store) as reader:
        found = reader.episodes(newest_first=True, limit=1)
    if not found:
        raise ReplayError(
            f"No episode of {run_dir.run_id} has ended.", next_step="Name one with --episode."
        )
    return found[0].stream, found[0].episode


def _plain_reward(step: StepRecord) -> float | str:
    if step.reward != step.reward:
        return "NaN"
    if step.reward in (float("inf"), float("-inf")):
        return "Infinity" if step.reward > 0 else "-Infinity"
    return step.reward


@contextmanager
def _child(
    run_dir: RunDir, python: str, folders: Sequence[str]
) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Start the re-simulation in the run's interpreter, with nothing of ours but the tap's copy."""
    own = run_dir.tap / "gym_gui" / "worker" / "resimulate.py"
    folder = run_dir.tap if own.exists() else Path(__file__).resolve().parents[2]
    variables = {k: v for k, v in os.environ.items() if k not in (TAP_VARIABLE, "PYTHONPATH")}
    process = subprocess.Popen(
        [python, "-m", "gym_gui.worker.resimulate"],
        env={
            **variables,
            "PYTHONPATH": os.pathsep.join([str(folder), *folders]),
            "SDL_VIDEODRIVER": "dummy",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.stdin.close()
        process.wait()
