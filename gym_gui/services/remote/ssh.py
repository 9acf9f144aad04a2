"""The way to a daemon on another machine: one ``ssh`` of the user's own, which forwards its socket.

That one process starts the daemon there (``gym-gui daemon attach``) and forwards a Unix socket here
to a name there that points to the daemon's. It lives as long as its standard input, which only we
hold: when we are killed, it ends, and so does what it started there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import select
import shlex
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gym_gui.core.errors import GymGuiError, RemoteError, UsageError
from gym_gui.rpc.endpoint import Endpoint

SSH_VARIABLE = "GYM_GUI_SSH"  # the ssh to use, with options if need be
ANSWER_S = 180.0  # somebody may have to type a password first
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]*\Z")  # no option of ssh begins like that
_OPTIONS = (
    "-oExitOnForwardFailure=yes",
    "-oStreamLocalBindUnlink=yes",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=3",
)
_SSH_FAILED, _NOT_FOUND = 255, (126, 127)


@dataclass(frozen=True)
class SshAddress:
    """``ssh://[user@]host[:port][/data/folder]``, and what gym-gui is called there."""

    host: str
    user: str = ""
    port: int = 0
    folder: str = ""
    command: str = "gym-gui"

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{self.host}{port}{self.folder}"

    def words(self, *options: str) -> list[str]:
        """Return the local command up to the one that runs there. Raises RemoteError."""
        program = shlex.split(os.environ.get(SSH_VARIABLE, "ssh"))
        port = ["-p", str(self.port)] if self.port else []
        user = ["-l", self.user] if self.user else []
        return [*program, *options, *port, *user, "--", self.host]

    def remote(self, *words: str) -> str:
        """Return the line that runs gym-gui there with these words."""
        folder = ["--data-dir", self.folder] if self.folder else []
        return f"{self.command} {shlex.join([*folder, *words])}"


def parse_ssh(text: str, *, command: str = "gym-gui") -> SshAddress:
    """Return the address that ``ssh://…`` names. Raises UsageError with what to correct."""
    parts = urlsplit(text)
    try:
        host, user, port = parts.hostname or "", unquote(parts.username or ""), parts.port or 0
    except ValueError:
        host = user = ""
        port = 0
    plain = all(_NAME.match(word) for word in (host, user or "x"))
    if parts.scheme != "ssh" or not plain or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"{text!r} is no address of another machine.",
            next_step="Write it like ssh://host, ssh://user@host:22 or ssh://host/data/folder.",
        )
    return SshAddress(host, user, port, unquote(parts.path.rstrip("/")), command)


class SshTunnel:
    """One forwarded socket. ``open`` blocks until the daemon is reached; ``close`` ends it."""

    def __init__(self, address: SshAddress, place: Path) -> None:
        self.address = address
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: Any = None

    @property
    def is_open(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def open(self) -> Endpoint:
        """Return where the daemon there is reached here. Raises RemoteError, DaemonVersionError."""
        self.close()
        far_end = f"/tmp/gym-gui-{secrets.token_hex(16)}.sock"
        words = self.address.words("-T", *_OPTIONS, "-L", f"{self._place}:{far_end}")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        try:
            self._process = subprocess.Popen(
                [*words, self.address.remote("daemon", "attach", far_end)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        except OSError as error:
            self.close()
            raise RemoteError(
                f"{words[0]} cannot be started: {error.strerror}.",
                next_step=f"Install OpenSSH's client, or name another in {SSH_VARIABLE}.",
            ) from error
        try:
            from gym_gui.rpc.channel import check_version  # gRPC: not before the first paint

            check_version(self._hello())
        except GymGuiError:
            self.close()
            raise
        return Endpoint(f"unix:{self._place}")

    def interrupt(self) -> None:
        """End ssh, and with it an ``open`` that still waits for it, from any thread."""
        process = self._process
        if process is not None:
            process.terminate()

    def close(self) -> None:
        """End it. Twice is safe."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        self._place.unlink(missing_ok=True)

    def explain(self, error: GymGuiError) -> GymGuiError:
        """Return why a call through the tunnel failed, where ssh itself knows it."""
        if not self.is_open:
            return self._problem() if self._process is not None else error
        if "open failed" in self._words():
            return RemoteError(
                f"The ssh server of {self.address.host} does not forward sockets.",
                next_step="Set AllowStreamLocalForwarding to yes in its sshd_config, or use"
                " --connect tls://… instead (docs/remote.md).",
            )
        return error

    def _hello(self) -> dict[str, Any]:
        """Wait for the line that says the daemon there is reached."""
        assert self._process is not None
        assert self._process.stdout is not None
        pipe, text = self._process.stdout.fileno(), b""
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            if not select.select([pipe], [], [], 0.2)[0]:
                continue
            data = os.read(pipe, 65536)
            if not data:
                self._process.wait()
                raise self._problem()
            text += data
            for line in text.split(b"\n")[:-1]:  # a login script there may say something first
                with contextlib.suppress(ValueError):
                    found = json.loads(line)
                    if isinstance(found, dict) and "protocol" in found:
                        return found
        raise RemoteError(
            f"{self.address.host} did not answer in time.", next_step=f"Try: {self._by_hand()}"
        )

    def _words(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()

    def _problem(self) -> GymGuiError:
        assert self._process is not None
        code, words = self._process.returncode, self._words()
        if code == _SSH_FAILED:
            return _ssh_failed(self.address, words, self._by_hand())
        if code in _NOT_FOUND:
            return RemoteError(
                f"{self.address.host} has no command {self.address.command}.",
                next_step="Install gym-gui there, or say where it is: --remote-command PATH",
            )
        if "No such command" in words:
            return RemoteError(
                f"The gym-gui on {self.address.host} is older than this one.",
                next_step="Install the same version on both sides.",
            )
        lines = [line.strip() for line in words.splitlines() if line.strip()]
        told = [n for n, line in enumerate(lines) if line.startswith("gym-gui: ")]
        if told:
            message = lines[told[-1]].removeprefix("gym-gui: ")
            next_step = " ".join(lines[told[-1] + 1 : told[-1] + 2])
            return RemoteError(f"{self.address.host}: {message}", next_step=next_step)
        last = lines[-1] if lines else f"it ended with {code}"
        return RemoteError(
            f"The connection to {self.address.host} ended: {last}.",
            next_step=f"Try: {self._by_hand()}",
        )

    def _by_hand(self) -> str:
        return shlex.join([*self.address.words(), self.address.remote("daemon", "status")])


def _ssh_failed(address: SshAddress, words: str, by_hand: str) -> RemoteError:
    lines = [line for line in words.splitlines() if line.strip()]
    last = lines[-1].strip().rstrip(".") if lines else "it does not say why"
    by_cause = {
        "Could not resolve hostname": (f"There is no host called {address.host}.", "Check it."),
        "Permission denied": (
            f"{address.host} does not let you in: {last}.",
            f"Set up your key there (ssh-copy-id); then this must work: {by_hand}",
        ),
        "Host key verification failed": (
            f"The host key of {address.host} is not known, or not the known one.",
            f"Check it, and accept it once by hand: {by_hand}",
        ),
        "Connection refused": (
            f"No ssh server answers on {address.host}.",
            "Check host and port, and that sshd runs there.",
        ),
        "timed out": (
            f"{address.host} does not answer.",
            "Check the network, and that the machine is on.",
        ),
    }
    for phrase, (message, next_step) in by_cause.items():
        if phrase in words:
            return RemoteError(message, next_step=next_step)
    return RemoteError(f"ssh to {address.host} failed: {last}.", next_step=f"Try: {by_hand}")
