"""Reading a command line against a worker's form, without running the script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from gym_gui.core.errors import UsageError
from gym_gui.services.workers.fields import Field, Kind


class HasForm(Protocol):
    """What reading a command line needs to know of a worker."""

    name: ClassVar[str]
    takes_script: ClassVar[bool]
    accepts_unknown: ClassVar[bool]

    def form(self, values: Mapping[str, Any]) -> list[Field]: ...


def parse_arguments(worker: HasForm, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the values that ``arguments`` say for ``worker``; see ``Worker.values``."""
    words = list(arguments)
    values: dict[str, Any] = {}
    if worker.takes_script:
        if not words:
            raise UsageError(
                "No script was given.", next_step="Try `gym-gui run path/to/script.py`."
            )
        values["script"] = words.pop(0)
    fields = worker.form(values)
    unknown: list[str] = []
    while words:
        word = words.pop(0)
        field, inline = field_of(fields, word)
        if field is None:
            unknown.append(word)
        else:
            values[field.name] = _value(field, word, inline, words)
    if unknown and not worker.accepts_unknown:
        raise UsageError(
            f"The worker {worker.name!r} does not know {unknown[0]!r}.",
            next_step="It takes " + ", ".join(f.option for f in fields if f.option) + ".",
        )
    if unknown:
        values["args"] = unknown
    return values


def read_options(fields: Sequence[Field], words: Sequence[str]) -> dict[str, Any] | None:
    """Return the values that ``words`` say; None unless each is a known option, or its value, once.

    An option that repeats its default is also kept in ``args``: the script is to get every word,
    whatever else it may take its defaults from.
    """
    rest = list(words)
    values: dict[str, Any] = {}
    repeated: list[str] = []
    while rest:
        before = list(rest)
        word = rest.pop(0)
        field, inline = field_of(fields, word)
        if field is None or field.name in values:
            return None
        try:
            values[field.name] = _value(field, word, inline, rest)
        except UsageError:
            return None
        if not field.arguments(values[field.name]):
            repeated += before[: len(before) - len(rest)]
    return {**values, "args": repeated} if repeated else values


def _spelling(word: str) -> str:
    return word.replace("_", "-")


def field_of(fields: Sequence[Field], word: str) -> tuple[Field | None, str | None]:
    """Return the field whose option ``word`` is, and the value after its ``=``."""
    if not word.startswith("-"):
        return None, None
    name, equals, inline = word.partition("=")
    for field in fields:
        if field.option and _spelling(name) in (
            _spelling(field.option),
            _spelling(field.off_option),
        ):
            return field, inline if equals else None
    return None, None


def _value(field: Field, word: str, inline: str | None, rest: list[str]) -> Any:
    """Return the value that ``word`` starts, taking what belongs to it off ``rest``."""
    if field.kind is Kind.BOOL and not field.takes_value:
        if inline is not None:
            return field.parse(inline)
        if rest and rest[0] in ("True", "False"):  # tyro accepts both spellings
            return field.parse(rest.pop(0))
        return _spelling(word) != _spelling(field.off_option)
    if inline is not None:
        return field.parse(inline)
    if field.kind is Kind.LIST:
        taken = []
        while rest and not rest[0].startswith("--"):
            taken.append(rest.pop(0))
        return taken
    if field.kind is Kind.BOOL and (not rest or rest[0].startswith("-")):
        return True  # argparse's nargs="?", const=True
    if not rest:
        raise UsageError(f"{word} needs a value.", next_step=field.help or "Give one after it.")
    return field.parse(rest.pop(0))
