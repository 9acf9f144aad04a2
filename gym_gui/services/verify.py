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
_TRIED = 3  # episodes, before it is said that none can be lived again


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

    impossible: those chosen that could not be lived again, why is among the findings;
    known: finished episodes of the run at that time; verified_ns: when, in Unix nanoseconds.
    """

    run_id: str
    episodes: int = 0
    repeated: int = 0
    steps: int = 0
    known: int = 0
    impossible: int = 0
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
        is_sample = self.episodes + self.impossible < self.known
        part = f", a sample of {self.known:,}" if is_sample else ""
        words = f"{self.repeated:,} of {self.episodes:,} episodes repeat exactly{part}."
        if self.impossible:
            words += f" {self.impossible:,} could not be simulated again."
        if self.findings:
            first = self.findings[0]
            words += f" The first that does not: episode {first.episode}, {first.reason}"
            words += "" if words.endswith(".") else "."
        return words


def verify_run(
    run_dir: RunDir,
    *,
    sample: int | None = None,
    progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> VerifyReport:
    """Re-simulate all finished episodes of a run, or ``sample`` of them chosen evenly at random.

    progress(done, all) is called after each. The result is kept with the run, unless it was
    cancelled. Raises ReplayError when the run has none, or when none can be lived again, as
    without the environment's package; what was found earlier then stays.
    """
    chosen, known = _choose(run_dir, sample)
    report = VerifyReport(run_dir.run_id, known=known)
    replay: EpisodeReplay | None = None
    try:
        for done, episode in enumerate(chosen):
            if cancelled():
                break
            try:
                replay = _replay_of(run_dir, episode, replay)
                _compare(replay, report)
            except ReplayError as error:
                replay = _give_up(replay)
                report.impossible += 1
                finding = Finding(episode.stream, episode.episode, -1, error.message)
                report.findings.append(finding)
                if not report.episodes and report.impossible == min(_TRIED, len(chosen)):
                    raise
            if progress is not None:
                progress(done + 1, len(chosen))
    finally:
        _give_up(replay)
    if report.episodes + report.impossible == len(chosen):
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


def _replay_of(
    run_dir: RunDir, episode: EpisodeRecord, before: EpisodeReplay | None
) -> EpisodeReplay:
    if before is None:
        return EpisodeReplay(run_dir, stream=episode.stream, episode=episode.episode)
    return before.go_to(episode.stream, episode.episode)


def _give_up(replay: EpisodeReplay | None) -> None:
    if replay is not None:
        replay.close()


def _compare(replay: EpisodeReplay, report: VerifyReport) -> None:
    """Live one episode again and note what was found. Raises ReplayError where it cannot be."""
    difference = replay.verify()
    if difference is not None and replay.is_imported:
        raise ReplayError(
            "it was imported without the state that it began in",
            next_step="What it recorded can be looked at all the same.",
        )
    report.episodes += 1
    report.steps += len(replay)
    if difference is None:
        report.repeated += 1
    else:
        finding = Finding(replay.stream, replay.episode, difference.step, str(difference))
        report.findings.append(finding)
