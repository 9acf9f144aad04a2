"""Whether a run repeats itself: its episodes lived again and compared step for step."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from gym_gui.core.errors import ReplayError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import EpisodeRecord
from gym_gui.services.replay import EpisodeReplay
from gym_gui.telemetry.reader import RunReader

_REPORT = "verify.json"


@dataclass
class Finding:
    """One episode that did not repeat, and why. step: -1 for the reset."""

    stream: int
    episode: int
    step: int
    reason: str


@dataclass
class VerifyReport:
    """episodes: compared; repeated: equal in every reward, observation and end.

    known: finished episodes of the run at that time; verified_ns: when, in Unix nanoseconds.
    """

    run_id: str
    episodes: int = 0
    repeated: int = 0
    steps: int = 0
    known: int = 0
    verified_ns: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def reproducible(self) -> bool:
        return self.episodes > 0 and self.repeated == self.episodes

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "reproducible": self.reproducible}

    def __str__(self) -> str:
        if not self.episodes:
            return "Not verified."
        part = "" if self.episodes >= self.known else f", a sample of {self.known:,}"
        words = f"{self.repeated:,} of {self.episodes:,} episodes repeat exactly{part}."
        if self.findings:
            first = self.findings[0]
            words += f" The first that does not: episode {first.episode}, {first.reason}."
        return words


def verify_run(
    run_dir: RunDir,
    *,
    sample: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> VerifyReport:
    """Re-simulate all finished episodes of a run, or ``sample`` of them chosen evenly at random.

    progress(done, all) is called after each. The result is kept with the run, unless it was
    cancelled. Raises ReplayError when the run has none.
    """
    chosen, known = _choose(run_dir, sample)
    report = VerifyReport(run_dir.run_id, known=known)
    replay: EpisodeReplay | None = None
    try:
        for done, episode in enumerate(chosen):
            if cancelled():
                break
            replay = _compare(run_dir, episode, replay, report)
            if progress is not None:
                progress(done + 1, len(chosen))
    finally:
        if replay is not None:
            replay.close()
    if report.episodes == len(chosen):
        report.verified_ns = time.time_ns()
        _save(run_dir, report)
    return report


def last_report(run_dir: RunDir) -> VerifyReport | None:
    """Return what the last verification of a run found, None where there was none."""
    try:
        told = json.loads((run_dir.root / _REPORT).read_text(encoding="utf-8"))
        told["findings"] = [Finding(**found) for found in told["findings"]]
        told.pop("reproducible", None)
        return VerifyReport(**told)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _save(run_dir: RunDir, report: VerifyReport) -> None:
    part = run_dir.root / f".{_REPORT}.{os.getpid()}"
    try:
        part.write_text(json.dumps(report.to_dict()), encoding="utf-8")
        part.replace(run_dir.root / _REPORT)
    except OSError:
        part.unlink(
            missing_ok=True
        )  # a run on a disk that cannot be written is verified all the same


def _choose(run_dir: RunDir, sample: int | None) -> tuple[list[EpisodeRecord], int]:
    with RunReader(run_dir.store) as reader:
        # In a game each agent has totals of its own: the episode is compared once.
        found = {(item.stream, item.episode): item for item in reader.episodes()}
    episodes = list(found.values())
    if not episodes:
        raise ReplayError(
            "The run has no finished episode to compare.", next_step="Let it train for longer."
        )
    known = len(episodes)
    if sample is not None and sample < known:
        episodes = random.Random(0).sample(episodes, sample)
    return sorted(episodes, key=lambda item: (item.stream, item.episode)), known


def _compare(
    run_dir: RunDir, episode: EpisodeRecord, replay: EpisodeReplay | None, report: VerifyReport
) -> EpisodeReplay | None:
    """Compare one episode, note what was found, and return the replay to go on from."""
    report.episodes += 1
    report.steps += episode.length
    try:
        if replay is None:
            replay = EpisodeReplay(run_dir, stream=episode.stream, episode=episode.episode)
        else:
            replay = replay.go_to(episode.stream, episode.episode)
        difference = replay.verify()
    except ReplayError as error:
        report.findings.append(Finding(episode.stream, episode.episode, -1, error.message))
        if replay is not None:
            replay.close()
        return None
    if difference is None:
        report.repeated += 1
    else:
        finding = Finding(episode.stream, episode.episode, difference.step, str(difference))
        report.findings.append(finding)
    return replay
