"""The rows of a worker's form: what a setting is called, holds, and is spelled like."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from gym_gui.core.errors import UsageError

_TRUE = {"true", "yes", "on", "1", "y", "t"}
_SPELT_OUT = {"args": "arguments", "env": "environment", "envs": "environments", "num": "number of"}
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
        words = self.name.replace("_", " ").replace("-", " ").split()
        return " ".join(_SPELT_OUT.get(word, word) for word in words).capitalize()

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
