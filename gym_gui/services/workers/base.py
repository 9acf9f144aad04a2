"""The plug-in point: a worker is one small class with a form and a command."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gym_gui.core.errors import UsageError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec
from gym_gui.services.workers.arguments import parse_arguments
from gym_gui.services.workers.checkpoints import Checkpoint, find_checkpoints
from gym_gui.services.workers.fields import Field

PROGRAMS = Path(__file__).resolve().parents[2] / "worker" / "programs"


class Worker(abc.ABC):
    """What a run executes. Subclass it, and register it under ``gym_gui.workers``.

    name: what ``gym-gui run --worker`` takes; title: shown in the window;
    tab_prefix: tabs are named ``{tab_prefix}-{agent_id}``;
    metrics_map: the learner's scalar names to the labels shown for them;
    checkpoint_patterns: globs of the files it saves, relative to the folder it writes into.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    tab_prefix: ClassVar[str] = ""
    takes_script: ClassVar[bool] = False
    accepts_unknown: ClassVar[bool] = False  # options that the form does not know are passed on
    metrics_map: ClassVar[Mapping[str, str]] = {}
    checkpoint_patterns: ClassVar[Sequence[str]] = ()

    @abc.abstractmethod
    def form(self, values: Mapping[str, Any]) -> list[Field]:
        """Return the fields; they may depend on the values chosen so far (such as the script)."""

    @abc.abstractmethod
    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        """Return the argument vector. ``values`` hold every field of the form, typed.

        run_dir: the run's own folder, for workers that write files.
        """

    def environment(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return variables to set for the worker, over the daemon's environment."""
        return {"PYTHONUNBUFFERED": "1"}

    def default_name(self, values: Mapping[str, Any]) -> str:
        """Return the name a run gets when its user gave none."""
        return self.title or self.name

    def mode(self, values: Mapping[str, Any]) -> str:
        """Return ``train``, or ``evaluate`` where ``values`` ask to watch a saved policy."""
        return "train"

    def tab_name(self, agent_id: str) -> str:
        return f"{self.tab_prefix}-{agent_id}"

    def checkpoints(self, spec: RunSpec, run_dir: RunDir) -> list[Checkpoint]:
        """Return the policies that this run has saved so far, newest first."""
        return find_checkpoints(spec, run_dir, self.checkpoint_patterns)

    def evaluation(self, spec: RunSpec, checkpoint: Path) -> dict[str, Any] | None:
        """Return the values that evaluate ``checkpoint`` of a run of this worker.

        They go to ``build_spec`` with ``mode="evaluate"``. None: this worker cannot evaluate.
        """
        return None

    def remark(self, metric_names: Sequence[str], *, episodes: int) -> str:
        """Return what the user should know of a run that has ended; empty for nothing."""
        return ""

    # -- what follows is derived from the form ------------------------------------------------

    def arguments(self, values: Mapping[str, Any]) -> list[str]:
        """Return the command-line words that say ``values`` (defaults left out)."""
        words: list[str] = []
        last: list[str] = []
        for field in self.form(values):
            said = field.arguments(values.get(field.name, field.default))
            if field.name == "args":
                last = said
            elif field.option:
                words += said
            else:
                words = said + words
        return words + last

    def values(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the values that ``arguments`` say: the inverse of ``arguments``.

        Raises UsageError for a word the form does not know, unless unknown ones are passed on.
        """
        return parse_arguments(self, arguments)

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``values`` checked, typed, and filled up with the form's defaults."""
        fields = {field.name: field for field in self.form(values)}
        for name in values:
            if name not in fields:
                raise UsageError(
                    f"The worker {self.name!r} has no setting {name!r}.",
                    next_step="It takes " + ", ".join(sorted(fields)) + ".",
                )
        whole = {
            name: field.parse(values.get(name, field.default)) for name, field in fields.items()
        }
        for name, field in fields.items():
            if field.required and whole[name] in (None, "", []):
                raise UsageError(
                    f"{field.label} is missing.",
                    next_step=f"It is {field.help}." if field.help else "Give it a value.",
                )
        return whole
