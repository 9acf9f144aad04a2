"""Where the window and the command line take runs from: this machine's daemon, or another's."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from typing import Protocol

from gym_gui.core.errors import (
    DaemonLostError,
    DaemonSilentError,
    DaemonVersionError,
    GymGuiError,
    UsageError,
)
from gym_gui.core.paths import DataDir, runtime_dir
from gym_gui.rpc.endpoint import Endpoint, parse_endpoint
from gym_gui.services.remote.ssh import SshAddress, SshTunnel, parse_ssh
from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon, stop_daemon


class Source(Protocol):
    """A daemon, wherever it is. ``connect`` and ``close`` may block."""

    name: str  # of the machine, empty for this one

    def connect(self) -> Endpoint:
        """Return where it is reached, started where it does not run. Raises GymGuiError."""
        ...

    def explain(self, error: GymGuiError) -> GymGuiError:
        """Return what an error of a call means, where this source knows more."""
        ...

    def silence(self) -> GymGuiError:
        """Return what to tell of a daemon that is there and does not answer. May block."""
        ...

    def interrupt(self) -> None:
        """End a ``connect`` that still waits, from any thread."""
        ...

    def close(self) -> None:
        """Let go of the way there. Twice is safe."""
        ...


class LocalSource:
    """The daemon of a data folder of this machine."""

    name = ""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def connect(self) -> Endpoint:
        return ensure_daemon(self._data_dir)

    def explain(self, error: GymGuiError) -> GymGuiError:
        if isinstance(error, DaemonLostError):
            return DaemonLostError(
                "The recorder has ended or cannot be reached.",
                next_step="It is started again by itself. Training goes on meanwhile, and what it"
                " does is kept.",
            )
        if isinstance(error, DaemonVersionError):
            return DaemonVersionError(
                error.message,
                next_step="Restart the recorder: training goes on meanwhile, and what it does is"
                " kept. (gym-gui daemon stop)",
            )
        return error

    def silence(self) -> GymGuiError:
        pid = daemon_status(self._data_dir).pid
        return DaemonSilentError(
            f"The recorder (process {pid}) does not answer. Training goes on, and what it does is"
            " kept.",
            next_step=f"If it was halted, let it go on: kill -CONT {pid}. If it hangs, end it:"
            f" kill -9 {pid}. Another one takes over by itself.",
        )

    def restart(self) -> None:
        """End the daemon, of whatever version; the next ``connect`` starts one of this."""
        stop_daemon(self._data_dir)

    def interrupt(self) -> None:
        """Nothing here waits for long."""

    def close(self) -> None:
        """Nothing is held."""


class TlsSource:
    """A daemon that listens, with the token from the environment."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.name = endpoint.host_and_port[0]

    def connect(self) -> Endpoint:
        return self._endpoint

    def explain(self, error: GymGuiError) -> GymGuiError:
        return _lost(self.name) if isinstance(error, DaemonLostError) else error

    def silence(self) -> GymGuiError:
        return _silent(self.name)

    def interrupt(self) -> None:
        """Nothing here waits for long."""

    def close(self) -> None:
        """Nothing is held."""


class SshSource:
    """A daemon that is reached through the user's ssh, and started there if need be."""

    def __init__(self, address: SshAddress, data_dir: DataDir) -> None:
        self.address = address
        self.name = address.host
        place = runtime_dir(data_dir.root) / f"far-{os.getpid()}.sock"
        self._tunnel = SshTunnel(address, place)

    def connect(self) -> Endpoint:
        return self._tunnel.open()

    def explain(self, error: GymGuiError) -> GymGuiError:
        found = self._tunnel.explain(error)
        return _lost(self.name) if isinstance(found, DaemonLostError) else found

    def silence(self) -> GymGuiError:
        return _silent(self.name)

    def interrupt(self) -> None:
        self._tunnel.interrupt()

    def close(self) -> None:
        self._tunnel.close()

    def run_there(self, words: list[str]) -> int:
        """Run ``gym-gui WORDS`` there, in this terminal; return its exit code."""
        return subprocess.call([*self.address.words(), self.address.remote(*words)])


def _lost(host: str) -> GymGuiError:
    return DaemonLostError(
        f"The connection to {host} is lost.",
        next_step="It is tried again by itself. The runs there go on, and are recorded there.",
    )


def _silent(host: str) -> GymGuiError:
    return DaemonSilentError(
        f"{host} does not answer. The runs there go on, and are recorded there.",
        next_step="Check the network. As soon as it answers, this goes on by itself.",
    )


class FarDataDir(DataDir):
    """The local copies of one far daemon's runs, and the way to it."""

    def __init__(self, base: DataDir, text: str, *, command: str = "gym-gui") -> None:
        """text: ``ssh://…`` or ``tls://…``. Raises UsageError for anything else."""
        plain = re.sub(r"[^A-Za-z0-9.-]+", "-", text.partition("?")[0]).strip("-")
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        super().__init__(base.root / "far" / f"{plain[:60]}-{digest}")
        self.base = base
        self.source: Source
        if text.startswith("ssh://"):
            self.source = SshSource(parse_ssh(text, command=command), self)
        elif text.startswith("tls://"):
            self.source = TlsSource(parse_endpoint(text))
        else:
            raise UsageError(
                f"{text!r} is no address of another daemon.",
                next_step="Write ssh://host or tls://HOST:PORT?sha256=FINGERPRINT.",
            )
