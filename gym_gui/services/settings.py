"""The user's preferences: one TOML file that the window and the command line both read.

Comments and unknown keys that the user wrote by hand survive a save. A value that cannot be
used is left out, named in ``Settings.problems``, and the default stands in for it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from gym_gui.core.errors import DataDirError
from gym_gui.core.records import Frames, Live, Observations, Recording, SpoolPolicy

THEMES = ("system", "light", "dark")


@dataclass(frozen=True)
class Option:
    """One preference: where it stands in the file, what it accepts, what it means.

    key: ``section.name`` in the file. kind: bool, int, float, str, or list (of str).
    choices: the accepted values of a str, empty for any. low, high: bounds of a number.
    unit: shown behind a number. least: what the lowest number means, where that is no amount.
    """

    key: str
    kind: type
    default: Any
    title: str
    help: str = ""
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = float("inf")
    unit: str = ""
    least: str = ""

    @property
    def section(self) -> str:
        return self.key.partition(".")[0]

    def problem(self, value: Any) -> str:
        """Return why ``value`` cannot be used, or an empty string."""
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        wrong_type = not isinstance(value, self.kind)
        if wrong_type or (self.kind is int and isinstance(value, bool)):
            return f"{self.key} is not a {_KIND_NAMES[self.kind]}"
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            return f"{self.key} is not a list of texts"
        if self.choices and value not in self.choices:
            return f"{self.key} is not one of {', '.join(self.choices)}"
        if isinstance(value, (int, float)) and not self.low <= value <= self.high:
            return f"{self.key} is not between {self.low:g} and {self.high:g}"
        return ""


_KIND_NAMES = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    list: "list",
}

OPTIONS: tuple[Option, ...] = (
    Option("window.theme", str, "system", "Theme", "System follows the desktop.", THEMES),
    Option("window.show_hud", bool, True, "Show the HUD over live frames"),
    Option("window.notify", bool, True, "Notify when a run ends or fails"),
    Option("window.restore_tabs", bool, True, "Open the tabs of the last session again"),
    Option("window.tour_seen", bool, False, "First-run tour seen"),
    Option(
        "live.render_budget_percent", float, 5.0, "Render budget",
        "Share of the training's wall time that live pictures may take.",
        low=0.1, high=100.0, unit="%",
    ),
    Option(
        "live.environments", str, Live.GRID.value, "Environments of a run",
        "Single: only the first one is drawn. Off: no live pictures, and nothing is rendered.",
        tuple(item.value for item in Live),
    ),
    Option(
        "live.rate_hz", float, 60.0, "Live rate",
        "At most so many pictures a second.", low=1.0, high=240.0, unit="Hz",
    ),
    Option(
        "run.python", str, "", "Interpreter",
        "Used for training scripts when a run names none; empty is gym-gui's own.",
    ),
    Option("run.interpreters", list, [], "Known interpreters", "Offered when a run is started."),
    Option(
        "recording.observations", str, Observations.AUTO.value, "Observations",
        "Auto keeps small observations whole and a checksum of large ones.",
        tuple(item.value for item in Observations),
    ),
    Option(
        "recording.frames", str, Frames.OFF.value, "Frames",
        "Replay needs none where the environment can be simulated again.",
        tuple(item.value for item in Frames),
    ),
    Option(
        "recording.spool_policy", str, SpoolPolicy.KEEP.value, "When the disk is full",
        "Keep: stop recording, loudly, and let training go on.",
        tuple(item.value for item in SpoolPolicy),
    ),
    Option(
        "recording.spool_limit_mb", int, 0, "Spool limit",
        "How much of a run may wait on the disk to be recorded.",
        unit="MB", least="As much as the disk has room for",
    ),
    Option(
        "data.folder", str, "", "Data folder",
        "Where runs and preferences are kept from the next start on.",
    ),
    Option("retention.keep_days", int, 0, "Delete runs after", unit="days", least="Never"),
    Option("retention.max_gb", float, 0.0, "Keep at most", unit="GB", least="No limit"),
)  # fmt: skip

_BY_KEY = {option.key: option for option in OPTIONS}
SHORTCUTS = "shortcuts"


@dataclass
class Settings:
    """Values by option key, and the user's own shortcuts by action name."""

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    shortcuts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read the file. A missing one gives the defaults; a broken one is named, not altered."""
        settings = cls(path)
        try:
            document = _read(path)
        except (OSError, UnicodeDecodeError, TOMLKitError) as error:
            settings.problems.append(f"{path} cannot be read: {error}")
            return settings
        for option in OPTIONS:
            value = _lookup(document, option.key)
            if value is None:
                continue
            problem = option.problem(value)
            if problem:
                settings.problems.append(problem)
            else:
                settings.values[option.key] = value
        shortcuts = document.get(SHORTCUTS)
        if isinstance(shortcuts, Mapping):
            settings.shortcuts = {str(k): str(v) for k, v in shortcuts.items()}
        return settings

    def __getitem__(self, key: str) -> Any:
        option = _BY_KEY[key]
        value = self.values.get(key, option.default)
        return list(value) if option.kind is list else value

    def __setitem__(self, key: str, value: Any) -> None:
        """Set one value in memory. Raises ValueError with the reason when it cannot be used."""
        problem = _BY_KEY[key].problem(value)
        if problem:
            raise ValueError(problem)
        self.values[key] = value

    def save(self) -> None:
        """Write the file whole or not at all, keeping the user's comments and unknown keys.

        A file that cannot be parsed is first kept beside as ``settings.toml.broken``.
        """
        try:
            document = _read(self.path)
        except (UnicodeDecodeError, TOMLKitError):
            self.path.replace(self.path.with_name(self.path.name + ".broken"))
            document = tomlkit.document()
        for key, value in self.values.items():
            section, _, name = key.partition(".")
            if not isinstance(document.get(section), Mapping):
                document[section] = tomlkit.table()
            document[section][name] = value  # type: ignore[index]
        if self.shortcuts or SHORTCUTS in document:
            document[SHORTCUTS] = self.shortcuts
        _write(self.path, tomlkit.dumps(document))

    def recording(self) -> Recording:
        """Return the default recording for a new run."""
        return Recording(
            observations=self["recording.observations"],
            frames=self["recording.frames"],
            spool_policy=self["recording.spool_policy"],
            spool_limit_bytes=self["recording.spool_limit_mb"] * 1_000_000,
        )

    @property
    def render_budget(self) -> float:
        """Share of wall time that ``render()`` may take, 0 to 1."""
        return self["live.render_budget_percent"] / 100.0


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()


def _lookup(document: Mapping[str, Any], key: str) -> Any:
    section, _, name = key.partition(".")
    table = document.get(section)
    value = table.get(name) if isinstance(table, Mapping) else None
    unwrap: Callable[[], Any] | None = getattr(value, "unwrap", None)
    return unwrap() if unwrap else value


def _write(path: Path, text: str) -> None:
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError as error:
        raise DataDirError(
            f"The preferences cannot be saved in {path}: {error.strerror}.",
            next_step="Free or unlock that folder; the present values stay in force until then.",
        ) from error
