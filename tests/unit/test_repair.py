"""A damaged file: what can be read is saved, the segments fill in, each gap is named."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest
from store_samples import batches, write

from gym_gui.core.errors import StorageError
from gym_gui.core.paths import RunDir
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.repair import check, repair

STEPS = 20_000


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    folder = RunDir(tmp_path / "run-1")
    folder.root.mkdir()
    write(folder.store, *batches(20, STEPS // 20, episode_length=100))
    return folder


def damage(path: Path, *pages: int) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    size = connection.execute("PRAGMA page_size").fetchone()[0]  # type: ignore[index]
    connection.close()
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(random.Random(page).randbytes(size))


def pages_of(path: Path) -> int:
    return path.stat().st_size // 4096


def spool(run_dir: RunDir, steps: int) -> None:
    channel = run_dir.spool / "7-abc"
    channel.mkdir(parents=True)
    lines = [
        f'{{"type":"step","seq":{i + 1},"stream":0,"index":{i},"episode":{i // 100},'
        f'"step":{i % 100},"action":{i % 2},"reward":{i}.0,"terminated":false,'
        f'"truncated":false,"observation":[0.5],"time_ns":{1000 + i}}}\n'
        for i in range(steps)
    ]
    middle = steps // 2
    for first, part in ((0, lines[:middle]), (middle, lines[middle:])):
        (channel / f"{first + 1:016d}.jsonl").write_text("".join(part))


def test_a_whole_file_is_left_alone(run_dir):
    before = run_dir.store.read_bytes()
    report = repair(run_dir)
    assert report.check.is_sound
    assert report.check.steps == STEPS
    assert report.damaged is None
    assert report.gaps == []
    assert run_dir.store.read_bytes() == before


def test_rows_before_and_behind_the_damage_are_saved_and_the_gaps_named(run_dir):
    total = pages_of(run_dir.store)
    damage(run_dir.store, total // 3, total // 2)
    original = run_dir.store.read_bytes()
    assert not check(run_dir.store).is_sound
    report = repair(run_dir)
    assert report.damaged is not None
    assert report.damaged.read_bytes() == original
    assert check(run_dir.store).is_sound
    with RunReader(run_dir.store) as reader:
        indices = [row[0] & (2**40 - 1) for row in reader.step_rows(0, 0, STEPS)]
        assert reader.totals()["steps"] == len(indices)
        assert len(indices) > STEPS * 0.95
        missing = sorted(set(range(STEPS)) - set(indices))
        named = [i for gap in report.gaps for i in range(gap.first, gap.last + 1)]
        assert named == missing
        assert len(reader.events("gap")) == len(report.gaps) >= 1


def test_segments_that_are_still_there_fill_the_gaps(run_dir):
    total = pages_of(run_dir.store)
    damage(run_dir.store, *range(total // 3, total // 2))
    spool(run_dir, STEPS)
    report = repair(run_dir)
    assert report.gaps == []
    assert report.imported > 0
    with RunReader(run_dir.store) as reader:
        assert [step.index for step in reader.steps(0, 0, STEPS)] == list(range(STEPS))
        assert [step.reward for step in reader.steps(0, 100, 3)] == [100.0, 101.0, 102.0]


def test_a_file_without_a_head_is_made_anew_from_the_segments(run_dir):
    damage(run_dir.store, 1)
    spool(run_dir, 500)
    report = repair(run_dir)
    assert report.imported == 500
    assert check(run_dir.store).is_sound


def test_a_missing_file_is_made_from_the_segments(run_dir):
    run_dir.store.unlink()
    spool(run_dir, 300)
    assert repair(run_dir).imported == 300


def test_nothing_at_all_is_said(tmp_path):
    with pytest.raises(StorageError, match="neither"):
        repair(RunDir(tmp_path))


@pytest.mark.parametrize("seed", range(12))
def test_whatever_page_is_damaged_repair_gives_a_sound_file(run_dir, seed):
    chosen = random.Random(seed).sample(range(1, pages_of(run_dir.store) + 1), 3)
    damage(run_dir.store, *chosen)
    repair(run_dir)
    assert check(run_dir.store).is_sound


def test_a_cut_off_file_keeps_its_beginning(run_dir):
    size = run_dir.store.stat().st_size
    with run_dir.store.open("r+b") as file:
        file.truncate(size * 2 // 3)
    repair(run_dir)
    assert check(run_dir.store).is_sound
    with RunReader(run_dir.store) as reader:
        steps = reader.steps(0, 0, STEPS)
        assert len(steps) > STEPS // 2
        assert [step.reward for step in steps] == [float(step.index) for step in steps]
