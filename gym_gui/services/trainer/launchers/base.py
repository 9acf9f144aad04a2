"""What every launcher does, and how one is named."""

from __future__ import annotations

import abc
import enum
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from gym_gui.core.errors import UsageError
from gym_gui.core.paths import RunDir
from gym_gui.core.records import RunSpec
from gym_gui.rpc.endpoint import Endpoint

LOCAL = "local"
SCHEMES = ("ray", "http", "https")
OPTIONS = ("cpus", "gpus", "retries", "upload", "python")
NEXT_STEP = (
    "Write local, ray://HOST:10001, or the address of Ray's dashboard: http://127.0.0.1:8265"
)


@dataclass(frozen=True)
class LauncherAddress:
    """``local``, or a cluster's address with options: ``http://HOST:8265?cpus=2&retries=1``.

    cpus, gpus: what each run is given; retries: how often a run is started again that the cluster
    lost; upload: the folder that is copied to the nodes (``no``: they see the same files already;
    default: the script's own); python: the interpreter there that has gym-gui.
    """

    url: str
    cpus: float = 1.0
    gpus: float = 0.0
    retries: int = 1
    upload: str = ""
    python: str = "python"

    @property
    def is_local(self) -> bool:
        return self.url == LOCAL

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    def __str__(self) -> str:
        default = LauncherAddress(self.url)
        options = {
            name: f"{value:g}" if isinstance(value, float) else value
            for name in OPTIONS
            if (value := getattr(self, name)) != getattr(default, name)
        }
        return self.url + (f"?{urlencode(options)}" if options else "")


def parse_launcher(text: str) -> LauncherAddress:
    """Return the address that a text names. Raises UsageError with what to correct."""
    if text in ("", LOCAL):
        return LauncherAddress(LOCAL)
    parts = urlsplit(text)
    try:
        known = bool(parts.hostname and parts.port)
    except ValueError:
        known = False
    if parts.scheme not in SCHEMES or not known or parts.path.strip("/"):
        raise UsageError(f"{text!r} names no place to run at.", next_step=NEXT_STEP)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = set(options) - set(OPTIONS)
    if unknown:
        raise UsageError(
            f"A launcher has no option {', '.join(sorted(unknown))}.",
            next_step=f"It has {', '.join(OPTIONS)}.",
        )
    url = f"{parts.scheme}://{parts.netloc}"
    try:
        return LauncherAddress(
            url,
            cpus=float(options.get("cpus", 1)),
            gpus=float(options.get("gpus", 0)),
            retries=int(options.get("retries", 1)),
            upload=options.get("upload", ""),
            python=options.get("python", "python"),
        )
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}.", next_step="Options are numbers.") from error


@dataclass(frozen=True)
class Job:
    """One run as a launcher sees it. endpoint: where it publishes; None for a local run."""

    spec: RunSpec
    run_dir: RunDir
    endpoint: Endpoint | None = field(default=None)


class JobState(enum.Enum):
    """How a run's processes stand, as far as the launcher knows."""

    PENDING = "pending"  # the cluster has no room yet
    RUNNING = "running"
    ENDED = "ended"  # by themselves; how is in the supervisor's report
    LOST = "lost"  # the cluster ended them, or they could not be started
    STOPPED = "stopped"  # as asked


@dataclass(frozen=True)
class JobStatus:
    """words: what the cluster says about it."""

    state: JobState
    words: str = ""


class Launcher(abc.ABC):
    """Starts runs at one place. Every call may take a while and raises LauncherError."""

    is_far = False  # the run's files are on another machine; it publishes to an endpoint

    @abc.abstractmethod
    def submit(self, job: Job) -> None:
        """Start the run, or queue it. Doing so again for a run that is there changes nothing."""

    @abc.abstractmethod
    def status(self, job: Job) -> JobStatus:
        """Return how it stands."""

    @abc.abstractmethod
    def logs(self, job: Job) -> str:
        """Return the end of what the launcher itself wrote about it."""

    @abc.abstractmethod
    def stop(self, job: Job) -> None:
        """Ask it to end; one that is over stays as it is."""
