"""How long it takes to see a moment: from recorded pictures, and simulated again.

Recorded: any step of a long run, its episode opened anew each time. Simulated: any step of one
episode of 1,000 CartPole steps, after its first opening; beside it a bare ``render()``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import zstandard

from gym_gui.bench.reproducibility import record, stop_daemon
from gym_gui.bench.store import EPISODE, step_batches
from gym_gui.core.paths import DataDir, RunDir
from gym_gui.services.replay import EpisodeReplay, open_replay
from gym_gui.telemetry.batch import FrameEntry, RecordBatch
from gym_gui.telemetry.db_sink import TelemetryDBSink
from gym_gui.telemetry.run_bus import RunBus
from gym_gui.telemetry.spool_decoder import FRAME_LEVEL
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

SEEKS = 200
FILMED = 100  # episodes whose pictures are kept
STEPS = 1_000

BALANCE = f"""
import gymnasium
env = gymnasium.make("CartPole-v1", max_episode_steps={STEPS})
observation, _ = env.reset(seed=1)
ended = False
while not ended:
    action = int(observation[2] + 0.5 * observation[3] + 0.1 * observation[1] > 0)
    observation, _, terminated, truncated, _ = env.step(action)
    ended = terminated or truncated
env.close()
"""


def measure(*, quick: bool) -> dict[str, Any]:
    """Measure both; ``quick``: a run of 1 million steps instead of 10 million."""
    with tempfile.TemporaryDirectory(prefix="gym-gui-bench-") as folder:
        data_dir = DataDir(Path(folder, "data"))
        return {
            "recorded": _recorded(data_dir, 1_000_000 if quick else 10_000_000),
            "simulated": _simulated(data_dir),
        }


def _recorded(data_dir: DataDir, rows: int) -> dict[str, Any]:
    data_dir.create()
    run_dir = data_dir.run("bench")
    run_dir.root.mkdir(parents=True)
    draw = np.random.default_rng(2)
    episodes = sorted(draw.choice(rows // EPISODE, FILMED, replace=False).tolist())
    _write(run_dir, rows, episodes)
    spent = []
    for episode, step in zip(
        draw.choice(episodes, SEEKS), draw.integers(0, EPISODE, SEEKS), strict=True
    ):
        spent.append(_ms(lambda e=int(episode), s=int(step): _open_at(run_dir, e, s)))
    return {"steps": rows, "pictures": FILMED * EPISODE, **_summary("seek", spent)}


def _write(run_dir: RunDir, rows: int, episodes: list[int]) -> None:
    bus = RunBus()
    pack = zstandard.ZstdCompressor(level=FRAME_LEVEL)
    pixels = pack.compress(_picture().tobytes())
    height, width, _ = _picture().shape
    with TelemetryDBSink(bus, TelemetrySQLiteStore(run_dir.store)) as sink:
        for batch in step_batches(rows):
            bus.publish(batch, timeout_s=None)
        seq = rows
        for episode in episodes:
            frames = [
                FrameEntry(
                    seq + i + 1, 0, episode * EPISODE + i, episode, i, height, width, 3, "RGB",
                    pixels,
                )
                for i in range(EPISODE)
            ]  # fmt: skip
            batch = RecordBatch("bench", seq + 1, seq + EPISODE, frames=frames)
            bus.publish(batch, timeout_s=None)
            seq += EPISODE
        sink.flush(timeout_s=600)


def _picture() -> np.ndarray:
    env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    env.reset(seed=0)
    picture = np.asarray(env.render())
    env.close()
    return picture


def _open_at(run_dir: RunDir, episode: int, step: int) -> None:
    with EpisodeReplay(run_dir, stream=0, episode=episode) as replay:
        replay.frame(step)


def _simulated(data_dir: DataDir) -> dict[str, Any]:
    try:
        run_dir = data_dir.run(record(data_dir, BALANCE))
    finally:
        stop_daemon(data_dir)
    steps = np.random.default_rng(3).permutation(STEPS)[:SEEKS]
    began = time.perf_counter()
    with open_replay(run_dir) as replay:
        replay.frame(0)
        opening_ms = (time.perf_counter() - began) * 1e3
        last = len(replay) - 1
        spent = [_ms(lambda s=int(step): replay.frame(min(s, last))) for step in steps]
        length = len(replay)
    return {
        "episode_steps": length,
        "opening_ms": round(opening_ms, 1),
        **_summary("seek", spent),
        "baseline_bare_render_ms": round(_bare_render_ms(), 2),
    }


def _bare_render_ms() -> float:
    env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    env.reset(seed=0)
    env.render()
    spent = [_ms(env.render) for _ in range(50)]
    env.close()
    return float(np.median(spent))


def _summary(what: str, spent: list[float]) -> dict[str, float]:
    return {
        f"{what}_median_ms": round(float(np.median(spent)), 2),
        f"{what}_p99_ms": round(float(np.percentile(spent, 99)), 2),
    }


def _ms(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return (time.perf_counter() - began) * 1e3
