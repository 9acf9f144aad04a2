"""``docs/protocol.md`` says what the program does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gym_gui.services.trainer import schema
from gym_gui.telemetry.reader import RunReader

DOCS = Path(__file__).parents[2] / "docs"


def _example() -> str:
    found = re.search(r"```sh\n(.*?)```", (DOCS / "protocol.md").read_text(), re.S)
    assert found
    return found.group(1)


def test_the_schema_is_that_of_the_types_the_program_reads_with() -> None:
    assert (DOCS / "protocol.schema.json").read_text() == schema.text()


def test_the_worked_example_is_recorded_as_it_says(gym_gui, data_dir, tmp_path: Path) -> None:
    script = tmp_path / "worker.sh"
    script.write_text(_example())
    script.chmod(0o755)
    done = gym_gui("run", "--headless", "--json", "--", script)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["state"], summary["rejected"]) == ("finished", 0)
    with RunReader(data_dir.run(summary["run_id"]).store) as reader:
        assert [step.index for step in reader.steps(0, 0, 20)] == list(range(12))
        episodes = reader.episodes()
        assert [one.first_index for one in episodes] == [0, 4, 8]
        assert [(one.episode, one.return_) for one in episodes] == [(0, 2.0), (1, 2.0), (2, 2.0)]
        assert [value.value for value in reader.metrics("loss")] == [0.0, 0.1, 0.2]


def test_the_validator_accepts_the_worked_example_and_refuses_what_is_wrong(
    gym_gui, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"type":"step","action":1,"reward":0.5,"observation":[1]}\n')
    assert gym_gui("validate", lines).returncode == 0
    lines.write_text('{"type":"step","action":1,"reward":"much"}\n')
    assert gym_gui("validate", lines).returncode != 0


def test_the_validator_says_where_there_is_nothing_to_check(gym_gui, tmp_path: Path) -> None:
    ordinary = tmp_path / "output.txt"
    ordinary.write_text("epoch 1\nepoch 2\n")
    done = gym_gui("validate", ordinary)
    assert done.returncode != 0
    assert "holds no records" in done.stderr
