"""Any recorded moment again: recorded frames where there are some, else by re-simulation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gym_gui.core.errors import DivergenceError, ReplayError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import STEP_RESET, EpisodeRecord, Recording, StepRecord, StreamInfo
from gym_gui.services.resimulation import Resimulator
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.rows import INDEX_MASK, finite_text, row_id

IMPORTED = "imported: how its episodes began is not known exactly"  # an environment's note
PACE = 30.0  # pictures a second where the environment names no pace of its own
_CACHE_BYTES = 256 << 20


@dataclass(frozen=True)
class Moment:
    """One picture of an episode. step: the step after which it was, -1 for the reset.

    frame: uint8 (height, width, 3), RGB.
    """

    step: int
    frame: np.ndarray


@dataclass(frozen=True)
class Divergence:
    """Where re-simulation left the recording: ``step`` -1 is the reset."""

    step: int
    what: str
    recorded: Any
    got: Any

    def __str__(self) -> str:
        place = "the reset" if self.step < 0 else f"step {self.step}"
        return f"{self.what} differs at {place}: recorded {self.recorded}, now {self.got}"


class EpisodeReplay:
    """One recorded episode of a run. Use it from one thread at a time; close it."""

    def __init__(self, run_dir: RunDir, *, stream: int, episode: int) -> None:
        """Read the episode's rows. Raises ReplayError when it has no steps."""
        self.run_dir = run_dir
        self.stream = stream
        self.episode = episode
        self.divergence: Divergence | None = None
        self.frames_per_s: float | None = None  # the environment's own pace, once simulated
        self._child: Resimulator | None = None
        self._interrupted = False
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._cached_bytes = 0
        self._reader = RunReader(run_dir.store)
        try:
            self._load()
        except BaseException:
            self._reader.close()
            raise

    def _load(self) -> None:
        reader = self._reader
        found = [info for info in reader.streams() if info.stream == self.stream]
        self.info: StreamInfo | None = found[0] if found else None
        rows = reader.episode_steps(self.stream, self.episode)
        self.steps: list[StepRecord] = [step for step in rows if not step.flags & STEP_RESET]
        self.reset = reader.reset(self.stream, self.episode)
        self.record: EpisodeRecord | None = reader.episode(self.stream, self.episode)
        self.recorded = _recorded(reader, self.stream, self.steps)
        self.spec = reader.spec()
        if not self.steps:
            raise ReplayError(
                f"{self.run_dir.run_id} has no steps of episode {self.episode} of stream "
                f"{self.stream}.",
                next_step="`gym-gui runs show` tells how many episodes there are.",
            )

    def __len__(self) -> int:
        return len(self.steps)

    def __enter__(self) -> EpisodeReplay:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def has_frames(self) -> bool:
        """Whether every step's picture was recorded."""
        return all(step.index in self.recorded for step in self.steps)

    @property
    def simulated(self) -> bool:
        """Whether the episode has been lived again, so that ``divergence`` says something."""
        return self._child is not None

    def frame(self, step: int) -> np.ndarray:
        """Return the picture after ``step`` (-1: the reset): uint8 (height, width, 3).

        A picture of an episode that does not repeat itself is given all the same; ``divergence``
        then tells from where on it is another story. Raises ReplayError where there is none.
        """
        if not -1 <= step < len(self):
            raise ReplayError(
                f"Episode {self.episode} has {len(self)} steps, so there is no step {step}.",
                next_step=f"Choose one from -1 to {len(self) - 1}.",
            )
        if step in self._cache:
            self._cache.move_to_end(step)
            return self._cache[step]
        picture = self._stored_frame(step)
        if picture is None:
            picture = self._lived_frame(step)
        self._remember(step, picture)
        return picture

    def moments(self, steps: Sequence[int] | None = None) -> Iterator[Moment]:
        """Yield the pictures after ``steps`` (all of the episode's, and the reset's, by default).

        Recorded pictures begin after the first step: the reset's is left out by default where it
        cannot be simulated again. Raises DivergenceError when re-simulation does not give what
        was recorded, ReplayError when it is not possible.
        """
        for step in range(-1, len(self)) if steps is None else steps:
            stored = self._is_stored(step)
            try:
                picture = self.frame(step)
                if self.divergence is not None and not stored:
                    raise self._diverged(self.divergence)
            except ReplayError:
                if step < 0 and steps is None and self.has_frames:
                    continue
                raise
            yield Moment(step, picture)

    def verify(self) -> Divergence | None:
        """Live the episode again and return the first difference from the recording, or None."""
        self._resimulator()
        return self.divergence

    @property
    def is_imported(self) -> bool:
        """True for an episode whose beginning nobody recorded: it came from another program."""
        return self.info is not None and self.info.note == IMPORTED

    def check(self) -> None:
        """Live the episode again. Raises DivergenceError where it is not as it was."""
        difference = self.verify()
        if difference is not None:
            raise self._diverged(difference)

    def _diverged(self, difference: Divergence) -> DivergenceError:
        return DivergenceError(
            f"Episode {self.episode} does not repeat itself: its {difference}.{self._stand_in()}",
            next_step=self._another_way(f"{self._reason()}: record frames"),
        )

    def _another_way(self, otherwise: str) -> str:
        """Return what to do where the episode cannot be simulated."""
        if self.has_frames:
            return "Its pictures were recorded: see them with --gif FILE or --step N --png FILE."
        return f"{otherwise} (--record-frames) to see it again."

    def _reason(self) -> str:
        """Return why it may be that an episode does not repeat itself."""
        known = self.info.note if self.info else ""
        return known[:1].upper() + known[1:] if known else "This environment is not deterministic"

    def _stand_in(self) -> str:
        """Return what is to be said where the interpreter that recorded the run is gone."""
        return self._child.stand_in if self._child is not None else ""

    def _is_stored(self, step: int) -> bool:
        return step >= 0 and self.steps[step].index in self.recorded

    def _stored_frame(self, step: int) -> np.ndarray | None:
        if not self._is_stored(step):
            return None
        picture = self._reader.frame(self.stream, self.steps[step].index)
        if picture is None or picture.shape[2] == 3:
            return picture
        return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[:, :, :3]

    def _lived_frame(self, step: int) -> np.ndarray:
        reply, raw = self._resimulator().ask({"op": "frame", "step": step + 1})
        return np.frombuffer(raw, np.uint8).reshape(reply["height"], reply["width"], 3)

    def pace(self, asked: float | None = None) -> float:
        """Return pictures a second: ``asked``, else the environment's own, else a common one.

        The environment's own is known once a picture has been simulated.
        """
        return asked or self.frames_per_s or PACE

    def _remember(self, step: int, picture: np.ndarray) -> None:
        self._cache[step] = picture
        self._cached_bytes += picture.nbytes
        while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
            _, old = self._cache.popitem(last=False)
            self._cached_bytes -= old.nbytes

    def _resimulator(self) -> Resimulator:
        if self._child is None:
            info = self._simulable()
            self._child = child = Resimulator(self.spec)
            try:
                if self._interrupted:
                    raise ReplayError("The replay was closed.", next_step="Open it again.")
                recording = self.spec.recording if self.spec else Recording()
                reply, _ = child.ask(_opening(info, recording))
                self.frames_per_s = reply["frames_per_s"]
                self._hand_over(child)
            except BaseException:
                self._child = None
                child.close()
                raise
        return self._child

    def interrupt(self) -> None:
        """Break off, from another thread, what re-simulation is doing; then close."""
        self._interrupted = True
        child = self._child
        if child is not None:
            child.kill()

    def _simulable(self) -> StreamInfo:
        if self.info is None or not self.info.spec_json or self.reset is None:
            note = self.info.note if self.info else "nothing is known of its environment"
            raise ReplayError(
                f"Episode {self.episode} cannot be simulated again: {note or 'no reset recorded'}.",
                next_step=self._another_way("Record frames"),
            )
        return self.info

    def _hand_over(self, child: Resimulator) -> None:
        reply, _ = child.ask(self._request())
        found = reply["diverged"]
        self.divergence = Divergence(**found) if found else None

    def _request(self) -> dict[str, Any]:
        reset = self.reset
        assert reset is not None
        return {
            "op": "episode",
            "reset": {
                "seed": reset.seed,
                "options": reset.options,
                "rng": reset.rng_state,
                "snapshot": reset.snapshot,
            },
            "actions": [finite_text(step.action) for step in self.steps],
            "rewards": [finite_text(step.reward) for step in self.steps],
            "observations": [finite_text(item.observation) for item in (reset, *self.steps)],
            "ends": [step.terminated or step.truncated for step in self.steps],
        }

    def go_to(self, stream: int, episode: int) -> EpisodeReplay:
        """Close this and return another episode's replay, with the same child where it serves."""
        other = EpisodeReplay(self.run_dir, stream=stream, episode=episode)
        child = None
        if stream == self.stream:
            child, self._child = self._child, None
            other.frames_per_s = self.frames_per_s
        self.close()
        if child is not None:
            try:
                other._simulable()
                other._hand_over(child)
            except BaseException:
                child.close()
                other.close()
                raise
            other._child = child
        return other

    def close(self) -> None:
        """Let go of child and file. Twice is safe."""
        if self._child is not None:
            self._child.close()
            self._child = None
        self._reader.close()


def _recorded(reader: RunReader, stream: int, steps: Sequence[StepRecord]) -> set[int]:
    """Return the indices of the steps that have a picture, without a look at other episodes'."""
    if not steps:
        return set()
    ends = row_id(stream, steps[0].index), row_id(stream, steps[-1].index)
    found = reader.query("SELECT id FROM frames WHERE id BETWEEN ? AND ?", ends)
    return {key & INDEX_MASK for (key,) in found}


def _opening(info: StreamInfo, recording: Recording) -> dict[str, Any]:
    return {
        "op": "open",
        "spec": info.spec_json,
        "mode": recording.observations,
        "max_numbers": recording.max_numbers,
    }


def last_episode(run_dir: RunDir, *, stream: int | None = None) -> tuple[int, int]:
    """Return (stream, episode) of the one that ended last, of one stream if asked.

    Raises ReplayError where none has.
    """
    with RunReader(run_dir.store) as reader:
        found = reader.episodes(stream=stream, newest_first=True, limit=1)
    if not found:
        which = "" if stream is None else f" in stream {stream}"
        raise ReplayError(
            f"No episode of {run_dir.run_id} has ended{which}.",
            next_step="One that was broken off is named with --episode.",
        )
    return found[0].stream, found[0].episode


def open_replay(
    run_dir: RunDir, *, stream: int | None = None, episode: int | None = None
) -> EpisodeReplay:
    """Open one episode of a run; by default the last that ended. Raises ReplayError."""
    if episode is None:
        stream, episode = last_episode(run_dir, stream=stream)
    return EpisodeReplay(run_dir, stream=stream or 0, episode=episode)
