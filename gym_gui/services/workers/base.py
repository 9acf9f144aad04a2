"""The plug-in point: a worker is one small class with a form and a command."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from gym_gui.core.errors import UsageError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec

PROGRAMS = Path(__file__).resolve().parents[2] / "worker" / "programs"

_TRUE = {"true", "yes", "on", "1", "y", "t"}
_FALSE = {"false", "no", "off", "0", "n", "f"}


class Kind(enum.StrEnum):
    """What a field holds, and so which widget shows it."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    CHOICE = "choice"
    PATH = "path"
    ENV = "env"  # an environment id of the chosen interpreter
    LIST = "list"  # several words


@dataclass(frozen=True)
class Field:
    """One setting of a worker: a row of its form and an option of its command line.

    option: how the command line spells it, such as ``--total-timesteps``; empty for a positional.
    off_option: spells False where a bool is a pair of switches (``--no-track``).
    takes_value: a bool that is written ``--track True`` instead of as a switch.
    default: shown in the form; a value equal to it is left out of the command line.
    """

    name: str
    kind: Kind = Kind.TEXT
    default: Any = None
    help: str = ""
    option: str = ""
    off_option: str = ""
    takes_value: bool = False
    choices: tuple[Any, ...] = ()
    optional: bool = False  # None is a value ("None" on the command line)
    required: bool = False
    minimum: float | None = None
    group: str = ""

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").replace("-", " ").capitalize()

    def parse(self, value: Any) -> Any:
        """Return ``value`` (text from a person, or already typed) as this field's type.

        Raises UsageError that names the field and what it takes.
        """
        if value is None or (self.optional and value in ("None", "")):
            return None
        try:
            parsed = self._convert(value)
        except (TypeError, ValueError) as error:
            raise self._refusal(value) from error
        if self.minimum is not None and parsed < self.minimum:
            raise self._refusal(value)
        return parsed

    def _convert(self, value: Any) -> Any:
        if self.kind is Kind.BOOL:
            return value if isinstance(value, bool) else _bool(str(value))
        if self.kind is Kind.INT:
            return _int(value)
        if self.kind is Kind.FLOAT:
            return float(value)
        if self.kind is Kind.LIST:
            return str(value).split() if isinstance(value, str) else [str(item) for item in value]
        if self.kind is Kind.CHOICE:
            return self._choice(value)
        return str(value)

    def _choice(self, value: Any) -> Any:
        for choice in self.choices:
            if str(choice) == str(value):
                return choice
        raise ValueError(value)

    def _refusal(self, value: Any) -> UsageError:
        if self.kind is Kind.CHOICE:
            takes = "one of " + ", ".join(str(choice) for choice in self.choices)
        else:
            takes = {
                Kind.BOOL: "true or false",
                Kind.INT: "a whole number",
                Kind.FLOAT: "a number",
            }.get(self.kind, self.kind.value)
        if self.minimum is not None:
            takes += f" of at least {self.minimum:g}"
        return UsageError(
            f"{value!r} is no value for {self.option or self.name}.", next_step=f"Give {takes}."
        )

    def arguments(self, value: Any) -> list[str]:
        """Return the words that say ``value`` on the command line; none for the default."""
        if value == self.default and not self.required:
            return []
        if not self.option:
            return [str(item) for item in value] if isinstance(value, list) else [str(value)]
        if self.kind is Kind.BOOL and not self.takes_value:
            switch = self.option if value else self.off_option
            return [switch] if switch else []
        if isinstance(value, (list, tuple)):
            return [self.option, *(str(item) for item in value)]
        return [self.option, str(value)]


def _bool(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)


def _int(value: Any) -> int:
    if isinstance(value, str):
        return int(value.replace("_", ""))
    if value != int(value):
        raise ValueError(value)
    return int(value)


@dataclass(frozen=True)
class Checkpoint:
    """A policy that a run saved: ``path``, its size, and when it was written (Unix ns)."""

    path: Path
    size_bytes: int
    time_ns: int


class Worker:
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

    def form(self, values: Mapping[str, Any]) -> list[Field]:
        """Return the fields; they may depend on the values chosen so far (such as the script)."""
        raise NotImplementedError

    def command(self, values: Mapping[str, Any], *, python: str, run_dir: RunDir) -> list[str]:
        """Return the argument vector. ``values`` hold every field of the form, typed.

        run_dir: the run's own folder, for workers that write files.
        """
        raise NotImplementedError

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
        from gym_gui.services.workers.checkpoints import find_checkpoints

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
        from gym_gui.services.workers.arguments import parse_arguments

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
