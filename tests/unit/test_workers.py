"""Workers: the form read from a script, the command line it gives, the registry."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gym_gui.core.errors import ScriptNotFoundError, UsageError
from gym_gui.core.paths import DataDir
from gym_gui.services.workers import (
    Field,
    Kind,
    Worker,
    build_spec,
    command_line,
    detect_worker,
    get_worker,
    registry,
    resolve_python,
    tab_name,
    workers,
)
from gym_gui.services.workers.sweep import expand, parse_list

TYRO = '''
import os
from dataclasses import dataclass
from typing import Literal, Optional
import tyro

raise SystemExit("reading the form must not run the script")

@dataclass
class Args:
    exp_name: str = os.path.basename(__file__)[: -len(".py")]
    """the name of this experiment"""
    seed: int = 1
    """seed of the
    experiment"""
    cuda: bool = True
    track: bool = False
    env_id: str = "CartPole-v1"
    rate: float = 2.5e-4
    size: int = int(1e6)
    target_kl: float = None
    optional: Optional[int] = 3
    kind: Literal["a", "b"] = "a"
    words: list[str] = None

if __name__ == "__main__":
    args = tyro.cli(Args)
'''

ARGPARSE = """
import argparse
KINDS = ("x", "y")
parser = argparse.ArgumentParser()
parser.add_argument("--total-timesteps", type=int, default=5 * 1000, help="of %(default)s")
parser.add_argument("--cuda", type=lambda x: bool(x), default=True, nargs="?", const=True)
parser.add_argument("--track", action="store_true")
parser.add_argument("--quiet", dest="loud", action="store_false")
parser.add_argument("--kind", choices=KINDS, default="x")
parser.add_argument("--layers", type=int, nargs="+", default=[64, 64])
"""


@pytest.fixture
def tyro_script(tmp_path: Path) -> Path:
    path = tmp_path / "ppo.py"
    path.write_text(TYRO)
    return path


@pytest.fixture
def argparse_script(tmp_path: Path) -> Path:
    path = tmp_path / "old.py"
    path.write_text(ARGPARSE)
    return path


def fields_of(script: Path) -> dict[str, Field]:
    return {f.name: f for f in get_worker("cleanrl").form({"script": str(script)})}


def test_a_tyro_class_becomes_a_form_without_running_the_script(tyro_script: Path) -> None:
    fields = fields_of(tyro_script)
    assert fields["exp_name"].default == "ppo"
    assert (fields["seed"].kind, fields["seed"].default) == (Kind.INT, 1)
    assert fields["seed"].help == "seed of the experiment"
    assert (fields["cuda"].kind, fields["cuda"].off_option) == (Kind.BOOL, "--no-cuda")
    assert fields["env_id"].kind is Kind.ENV
    assert fields["rate"].default == 2.5e-4
    assert fields["size"].default == 1_000_000
    assert fields["target_kl"].optional
    assert (fields["optional"].kind, fields["optional"].optional) == (Kind.INT, True)
    assert fields["kind"].choices == ("a", "b")


def test_argparse_calls_become_a_form(argparse_script: Path) -> None:
    fields = fields_of(argparse_script)
    assert fields["total_timesteps"].default == 5000
    assert fields["total_timesteps"].help == "of 5000"
    assert (fields["cuda"].kind, fields["cuda"].takes_value) == (Kind.BOOL, True)
    assert fields["track"].default is False
    assert (fields["loud"].default, fields["loud"].off_option) == (True, "--quiet")
    assert fields["kind"].choices == ("x", "y")
    assert fields["layers"].kind is Kind.LIST


def test_a_script_that_does_not_parse_has_no_form_and_still_runs(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def (:\n")
    assert detect_worker(str(broken)) == "script"
    assert build_spec("script", {"script": str(broken)}).command == [sys.executable, str(broken)]


def test_the_command_line_says_only_what_differs(tyro_script: Path) -> None:
    values = {
        "script": str(tyro_script),
        "cuda": False,
        "seed": 1,
        "rate": "0.01",
        "optional": None,
    }
    spec = build_spec("cleanrl", values)
    assert spec.command[2:] == ["--no-cuda", "--rate", "0.01", "--optional", "None"]
    assert (spec.seed, spec.env_id, spec.name) == (1, "CartPole-v1", "ppo")


@pytest.mark.parametrize(
    "words",
    [
        ["--seed", "3", "--no-cuda"],
        ["--seed=3", "--no-cuda"],
        ["--no_cuda", "--seed", "3"],
    ],
)
def test_a_command_line_is_read_back_into_values(tyro_script: Path, words: list[str]) -> None:
    values = get_worker("cleanrl").values([str(tyro_script), *words])
    assert (values["seed"], values["cuda"]) == (3, False)


def test_words_the_form_does_not_know_reach_the_script(tyro_script: Path) -> None:
    worker = get_worker("cleanrl")
    values = worker.values([str(tyro_script), "--new-option", "5", "--seed", "2"])
    assert build_spec(worker, values).command[2:] == ["--seed", "2", "--new-option", "5"]


def test_the_script_worker_passes_every_word_on_untouched(tyro_script: Path) -> None:
    worker = get_worker("script")
    values = worker.values([str(tyro_script), "--a=b", "-x", "--no-cuda"])
    assert build_spec(worker, values).command[2:] == ["--a=b", "-x", "--no-cuda"]


def test_a_program_of_another_language_runs_without_an_interpreter(tmp_path: Path) -> None:
    shell = tmp_path / "worker.sh"
    shell.write_text("#!/bin/sh\n")
    shell.chmod(0o755)
    assert build_spec("script", {"script": str(shell)}).command == [str(shell)]


@pytest.mark.parametrize("worker", ["script", "cleanrl"])
def test_a_missing_script_is_named(worker: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptNotFoundError, match=r"There is no script .*none\.py"):
        build_spec(worker, {"script": str(tmp_path / "none.py")})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"num_envs": "two"}, "'two' is no value for --num-envs. Give a whole number."),
        ({"algorithm": "XYZ"}, "'XYZ' is no value for --algorithm. Give one of A2C, DDPG"),
        ({"num_environments": 2}, "has no setting 'num_environments'"),
    ],
)
def test_a_wrong_setting_says_what_it_takes(values: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_spec("sb3", values)
    assert says in str(caught.value)


def test_an_unknown_option_of_a_program_of_ours_is_refused() -> None:
    with pytest.raises(UsageError, match="does not know '--algo'"):
        get_worker("sb3").values(["--algo", "PPO"])


def test_the_shown_line_starts_the_same_run_again(tyro_script: Path) -> None:
    values = {"script": str(tyro_script), "seed": 9, "track": True}
    spec = build_spec("cleanrl", values, tags=["a b"], render_budget=0.1)
    line = command_line(spec)
    expected = "gym-gui run --worker cleanrl --tag 'a b' --render-budget 0.1 -- "
    assert line == expected + f"{tyro_script} --seed 9 --track"


def test_what_a_program_writes_goes_into_the_folder_of_its_run(data_dir: DataDir) -> None:
    spec = build_spec("sb3", {}, data_dir=data_dir)
    assert spec.command[-2:] == ["--output", str(data_dir.run(spec.run_id).root / "files")]


def test_a_virtual_environment_keeps_its_link(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert resolve_python(tmp_path / "venv") == str(python)
    with pytest.raises(UsageError, match="is no Python interpreter"):
        resolve_python(tmp_path / "nothing")


def test_the_table_of_a_checkout_is_the_one_that_is_installed() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["entry-points"][registry.ENTRY_POINT_GROUP] == registry.BUILT_IN


def test_every_built_in_worker_has_name_title_and_tab() -> None:
    for worker in workers():
        assert worker.name in registry.BUILT_IN
        assert worker.title
        assert worker.summary
        assert worker.tab_name("a") == f"{worker.tab_prefix}-a"
    assert tab_name("cleanrl", "agent0") == "CleanRL-Live-agent0"
    assert tab_name("spade_bdi", "x") == "SPADE-BDI-Live-x"


def test_a_plug_in_that_fails_to_load_does_not_hide_the_others(monkeypatch) -> None:
    broken = EntryPoint("broken", "no_such_module:Nothing", registry.ENTRY_POINT_GROUP)
    known = {**registry._found(), "broken": broken}
    monkeypatch.setattr(registry, "_found", lambda: known)
    assert {worker.name for worker in workers()} == set(registry.BUILT_IN)
    with pytest.raises(UsageError, match=r"'broken' .* cannot be loaded"):
        get_worker("broken")


def test_checkpoints_are_those_written_since_the_run_began(
    tyro_script: Path, data_dir: DataDir
) -> None:
    worker = get_worker("cleanrl")
    old = tyro_script.parent / "runs" / "a" / "old.cleanrl_model"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    spec = build_spec(worker, {"script": str(tyro_script)}, cwd=tyro_script.parent)
    spec.created_ns = old.stat().st_mtime_ns + 1
    new = old.with_name("new.cleanrl_model")
    new.write_bytes(b"newer")
    import os

    os.utime(new, ns=(spec.created_ns, spec.created_ns))
    found = worker.checkpoints(spec, data_dir.run(spec.run_id))
    assert [(item.path, item.size_bytes) for item in found] == [(new, 5)]


def test_a_sweep_is_every_combination_in_order() -> None:
    runs = expand(get_worker("sb3"), {"algorithm": "DQN"}, {"seed": parse_list("1-2, 5")})
    assert [(run["algorithm"], run["seed"]) for run in runs] == [("DQN", 1), ("DQN", 2), ("DQN", 5)]


def test_a_sweep_that_is_too_large_is_refused() -> None:
    many = [str(number) for number in range(40)]
    with pytest.raises(UsageError, match="more than 1000 runs"):
        expand(get_worker("sb3"), {}, {"seed": many, "num_envs": many})


def test_a_worker_needs_only_a_form_and_a_command(data_dir: DataDir) -> None:
    class Echo(Worker):
        name, title, tab_prefix = "echo", "Echo", "Echo-Live"

        def form(self, values):
            return [Field("text", default="hello", option="--text")]

        def command(self, values, *, python, run_dir):
            return ["echo", *self.arguments(values)]

    spec = build_spec(Echo(), {"text": "bye"}, data_dir=data_dir)
    assert spec.command == ["echo", "--text", "bye"]


PLAIN = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--env-id", default="CartPole-v1", help="the environment")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--hidden", type=int, nargs="+", default=[64, 64])
parser.add_argument("--out", required=True)
"""


@pytest.fixture
def plain_script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(PLAIN)
    return path


def test_a_plain_script_with_argparse_has_a_form_and_says_only_what_was_chosen(
    plain_script: Path,
) -> None:
    fields = {field.name: field for field in get_worker("script").form({"script": plain_script})}
    assert fields["env_id"].kind is Kind.ENV
    assert fields["lr"].default == 1e-3
    spec = build_spec("script", {"script": str(plain_script), "seed": 4})
    assert spec.command[1:] == [str(plain_script), "--seed", "4"]
    assert (spec.seed, spec.env_id) == (4, "CartPole-v1")


@pytest.mark.parametrize(
    ("words", "config", "said"),
    [
        (["--seed", "3", "--lr=0.01"], {"seed": 3, "lr": 0.01}, ["--seed", "3", "--lr", "0.01"]),
        (["--lr", "0.5", "--seed", "1"], {"seed": 1}, ["--lr", "0.5", "--seed", "1"]),
        (["fit", "--seed", "3"], {"args": ["fit", "--seed", "3"]}, ["fit", "--seed", "3"]),
        (["--seed", "3", "--seed", "4"], {}, ["--seed", "3", "--seed", "4"]),
        (["--see=3", "--seed", "3"], {}, ["--see=3", "--seed", "3"]),
        (["--seed", "many"], {}, ["--seed", "many"]),
    ],
)
def test_a_plain_scripts_words_reach_it_and_are_understood_only_as_a_whole(
    plain_script: Path, words: list[str], config: dict, said: list[str]
) -> None:
    spec = build_spec("script", get_worker("script").values([str(plain_script), *words]))
    assert spec.command[2:] == said
    assert config.items() <= spec.config.items()
    assert spec.seed == config.get("seed")  # never the default beside another word of the user's
