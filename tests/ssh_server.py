"""A real sshd for tests: on loopback, as whoever runs the test, with keys made for it."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import psutil
from waiting import wait_until

SSHD = "/usr/sbin/sshd"


class SshServer:
    """``environment`` for a client that knows it; ``close`` ends it and what it started."""

    def __init__(self, folder: Path, *, settings: str = "", environment: dict[str, str]) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self.port = _free_port()
        for name in ("host_key", "user_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
            )
        (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
        public = (folder / "host_key.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")
        variables = " ".join(f'"{name}={value}"' for name, value in environment.items())
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile {folder}/sshd.pid\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            f"KbdInteractiveAuthentication no\nSetEnv {variables}\n{settings}"
        )
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (folder / "sshd.log").open("wb") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", folder / "sshd_config"],
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        wait_until(self._answers, what="sshd")

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self.folder / "sshd.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def address(self) -> str:
        return f"ssh://127.0.0.1:{self.port}"

    @property
    def client(self) -> str:
        """What GYM_GUI_SSH must be for this server."""
        options = ["-F", "/dev/null", "-i", str(self.folder / "user_key"), "-oIdentitiesOnly=yes"]
        options += [f"-oUserKnownHostsFile={self.folder / 'known_hosts'}", "-oBatchMode=yes"]
        return shlex.join(["ssh", *options])

    @property
    def command(self) -> str:
        """What gym-gui is called there."""
        return f"{shlex.quote(sys.executable)} -m gym_gui"

    def drop_connections(self) -> None:
        """End every session, as a network that goes down does."""
        for child in psutil.Process(self._process.pid).children(recursive=True):
            if child.name().startswith("sshd"):
                child.kill()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
