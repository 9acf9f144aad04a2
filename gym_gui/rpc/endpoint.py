"""Where a daemon is reached, and what proves each side to the other.

    unix:/path/daemon.sock              the user's own machine: file permissions are the proof
    tls://HOST:PORT?sha256=FINGERPRINT  TCP: a pinned certificate for the daemon, a token for us

The text holds no secret; the token goes beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from gym_gui.core.errors import UsageError

TOKEN_VARIABLE = "GYM_GUI_TOKEN"
CA_VARIABLE = "GYM_GUI_CA_FILE"

_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")
_NEXT_STEP = "Write it as tls://HOST:PORT?sha256=FINGERPRINT; `gym-gui daemon status` shows it."


@dataclass(frozen=True)
class Endpoint:
    """target: what gRPC connects to. fingerprint: SHA-256 of the certificate, in hex.

    ca: certificates in PEM that may have signed the daemon's, where it is not pinned.
    """

    target: str
    token: str = field(default="", repr=False)
    fingerprint: str = ""
    ca: bytes = field(default=b"", repr=False)

    @property
    def is_local(self) -> bool:
        """Tell whether it is a Unix socket of this machine."""
        return self.target.startswith("unix:")

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = self.target.rpartition(":")
        return host.strip("[]"), int(port)

    def __str__(self) -> str:
        if self.is_local:
            return self.target
        pinned = f"?sha256={self.fingerprint}" if self.fingerprint else ""
        return f"tls://{self.target}{pinned}"


def parse_endpoint(text: str, variables: Mapping[str, str] = os.environ) -> Endpoint:
    """Return the endpoint that a text names; token and CA file come from ``variables``.

    Raises UsageError with what to correct.
    """
    if text.startswith("unix:"):
        return Endpoint(text)
    parts = urlsplit(text)
    host, port = split_host_port(parts.netloc)
    query = parse_qs(parts.query, keep_blank_values=True)
    fingerprint = query.get("sha256", [""])[0].replace(":", "").lower()
    if parts.scheme != "tls" or set(query) - {"sha256"} or parts.path.strip("/"):
        raise UsageError(f"{text!r} is no address of a daemon.", next_step=_NEXT_STEP)
    if fingerprint and not _FINGERPRINT.match(fingerprint):
        raise UsageError("The fingerprint has not 64 hexadecimal digits.", next_step=_NEXT_STEP)
    ca = _ca_file(variables.get(CA_VARIABLE, ""))
    if not (fingerprint or ca):
        raise UsageError(
            "Nothing says which certificate the daemon must show.",
            next_step=f"Add ?sha256=FINGERPRINT, or set {CA_VARIABLE} to its certificate's file.",
        )
    token = variables.get(TOKEN_VARIABLE, "")
    return Endpoint(join_host_port(host, port), token, fingerprint, ca)


def split_host_port(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT`` or ``[IPv6]:PORT``. Raises UsageError."""
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or not re.fullmatch(r"[A-Za-z0-9._:%-]+", bare) or (":" in bare and bare == host):
        raise UsageError(f"{text!r} is no HOST:PORT.", next_step="Write it like 127.0.0.1:7788.")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{port!r} is no port.", next_step="Ports are numbers from 0 to 65535.")
    return bare, int(port)


def join_host_port(host: str, port: int) -> str:
    """Return ``HOST:PORT``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ca_file(path: str) -> bytes:
    if not path:
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError as error:
        raise UsageError(
            f"The certificate file {path} cannot be read: {error.strerror}.",
            next_step=f"Correct {CA_VARIABLE}.",
        ) from error
