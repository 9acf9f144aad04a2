"""Sessions whose program died: what their spool still holds is brought into their store.

A session holds a lock on a file of its run while it lives, so that another program can tell.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.core.records import EpisodeRecord, RunRecord, RunState
from gym_gui.services.registry import RunRegistry
from gym_gui.services.telemetry import TelemetryService
from gym_gui.services.trainer.decoding import ChannelDecoder, batches_of
from gym_gui.services.trainer.spool import ChannelTail, channel_folders
from gym_gui.telemetry.reader import RunReader

_LOCK = "session.lock"
_STREAM = 0  # a session has one environment
_AGENTS = 64  # of a game, at most, each with totals of its own


@contextmanager
def session_lock(run_dir: RunDir) -> Iterator[bool]:
    """Hold a session's lock; gives False when another program, or another session, holds it."""
    file = os.open(run_dir.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(file)


def recover_sessions(data_dir: DataDir) -> list[RunRecord]:
    """Finish every session that nobody plays any more; return their records.

    A session whose records cannot be stored now (a full disk) is left for the next time.
    """
    if not data_dir.registry.exists():
        return []
    with RunRegistry(data_dir) as registry:
        left = [
            run for run in registry.list() if run.spec.mode == "human" and not run.state.is_final
        ]
        return [found for run in left if (found := _recover(data_dir, registry, run))]


def _recover(data_dir: DataDir, registry: RunRegistry, run: RunRecord) -> RunRecord | None:
    run_dir = data_dir.run(run.run_id)
    if not run_dir.root.is_dir():
        return registry.update(run.run_id, state=RunState.FAILED, cause="Its folder is gone.")
    try:
        with session_lock(run_dir) as mine:
            if not mine:
                return None
            with TelemetryService(data_dir) as service:
                service.open_run(run.run_id, spec=run.spec)
                whole = import_spool(service, run.run_id, run_dir)
                return finish_session(
                    service, registry, run.run_id, run_dir, whole=whole, state=RunState.FAILED,
                    cause="The program ended in the middle of it; every step played is kept.",
                )  # fmt: skip
    except GymGuiError:
        return None


def import_spool(service: TelemetryService, run_id: str, run_dir: RunDir) -> bool:
    """Store what the spool holds beyond the committed mark; True when all of it is committed.

    An episode that a crash or a kill cut short is ended as broken off, so that it is listed.
    """
    whole = True
    for folder in channel_folders(run_dir.spool):
        tail = ChannelTail(folder)
        decoder = ChannelDecoder(tail, run_id=run_id, reject=lambda *_: None)
        committed = service.high_water(run_id, tail.channel)
        tail.seek(committed)
        decoder.resume(committed)
        last = 0
        try:
            while (lines := tail.read()) is not None:
                for part in batches_of(lines):
                    batch, _ = decoder.decode(part)
                    if batch is not None:
                        whole &= service.publish(batch, timeout_s=30.0)
                        last = batch.last_seq
        finally:
            decoder.close()
            tail.close()
        whole &= service.flush(run_id)
        whole &= service.high_water(run_id, tail.channel) >= last
        if whole:
            whole = _break_off(service, run_id, run_dir, tail.channel)
    return whole


def _break_off(service: TelemetryService, run_id: str, run_dir: RunDir, channel: str) -> bool:
    """End the last episode where its process did not live to do it; True when that is stored."""
    with RunReader(run_dir.store) as reader:
        bounds = reader.step_bounds(_STREAM)
        if bounds is None:
            return True
        episode = reader.steps(_STREAM, bounds[1], 1)[0].episode
        if any(found.episode == episode for found in _newest(reader)):
            return True
        steps = reader.episode_steps(_STREAM, episode)
    totals: dict[str, list[float]] = {}
    for step in steps:
        totals.setdefault(step.agent, []).append(step.reward)
    ended = [
        EpisodeRecord(
            _STREAM,
            episode,
            len(rewards),
            sum(rewards),
            terminated=False,
            truncated=False,
            start_ns=steps[0].time_ns,
            end_ns=steps[-1].time_ns,
            agent=agent,
            first_index=steps[0].index,
        )
        for agent, rewards in totals.items()
    ]
    first_seq = service.high_water(run_id, channel) + 1
    stored = service.record(run_id, ended, channel=channel, first_seq=first_seq)
    return service.flush(run_id) and stored


def _newest(reader: RunReader) -> list[EpisodeRecord]:
    return reader.episodes(stream=_STREAM, newest_first=True, limit=_AGENTS)


def finish_session(
    service: TelemetryService,
    registry: RunRegistry,
    run_id: str,
    run_dir: RunDir,
    *,
    whole: bool,
    state: RunState,
    cause: str = "",
) -> RunRecord:
    """Write a session's end into the registry; its spool goes once all of it is stored."""
    if whole:
        shutil.rmtree(run_dir.spool, ignore_errors=True)
    totals = service.totals(run_id)
    return registry.update(
        run_id,
        state=state if whole else RunState.RUNNING,  # the next start tries again
        ended_ns=time.time_ns(),
        cause=cause,
        steps=totals.steps,
        episodes=totals.episodes,
        last_return=totals.last_return,
        best_return=totals.best_return,
        size_bytes=registry.size_bytes(run_id),
    )
