"""The daemon's TCP side: off unless asked for, always with TLS and a token."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from gym_gui.core.errors import DaemonError
from gym_gui.core.paths import DataDir
from gym_gui.rpc.channel import OPTIONS
from gym_gui.rpc.endpoint import Endpoint, join_host_port, split_host_port
from gym_gui.rpc.trainer_pb2_grpc import TrainerServiceServicer
from gym_gui.rpc.trainer_pb2_grpc import add_TrainerServiceServicer_to_server as add_service
from gym_gui.services.trainer.access import Certificate, Gate, Tokens, load_certificate
from gym_gui.services.trainer.files import read_json, write_json

MAX_CALLS = 1024  # at once
MAX_STREAMS = 256  # of one connection
_BOUNDS = (("grpc.max_concurrent_streams", MAX_STREAMS), ("grpc.so_reuseport", 0))
LOOPBACK_HOST = "127.0.0.1"


class Listener:
    """Lives in the daemon's event loop. Closed until ``open``; ``close`` twice is safe."""

    def __init__(self, data_dir: DataDir, service: TrainerServiceServicer) -> None:
        self.on_open: Callable[[], None] = lambda: None
        self._data_dir = data_dir
        self._service = service
        self._server: aio.Server | None = None
        self._tokens: Tokens | None = None
        self._certificate: Certificate | None = None
        self._gate: Gate | None = None
        self.address = ""  # HOST:PORT while open

    async def open(self, address: str) -> None:
        """Listen at ``HOST:PORT``; port 0 takes a free one. Raises DaemonError, UsageError.

        The place is remembered, so that a daemon that was killed comes back where it was.
        """
        host, port = split_host_port(address)
        self._tokens = Tokens(token_path(self._data_dir))
        self._certificate = load_certificate(self._data_dir.daemon / "tls")
        self._gate = Gate(self._tokens)
        server = aio.server(
            interceptors=[self._gate],
            options=(*OPTIONS, *_BOUNDS),
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        add_service(self._service, server)
        credentials = grpc.ssl_server_credentials(
            [(self._certificate.key, self._certificate.certificate)]
        )
        try:
            bound = server.add_secure_port(join_host_port(host, port), credentials)
        except RuntimeError as error:
            raise DaemonError(
                f"The daemon cannot listen at {address}{_obstacle(host, port)}.",
                next_step="Choose an address of this machine and a free port: --listen HOST:PORT",
            ) from error
        await server.start()
        self._server, self.address = server, join_host_port(host, bound)
        write_json(_place_path(self._data_dir), {"address": self.address})
        self.on_open()

    async def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(grace=0.5)

    @property
    def is_open(self) -> bool:
        return self._server is not None

    def endpoint(self) -> Endpoint:
        """Return what a client of another machine connects to, without a token."""
        assert self._certificate is not None
        return Endpoint(self.address, fingerprint=self._certificate.fingerprint)

    async def endpoint_of_run(self, run_id: str, *, towards: str) -> Endpoint:
        """Return what a run on a machine near ``towards`` connects to, with the run's token.

        Where nothing listens yet and ``towards`` is this machine itself, loopback is opened.
        """
        place = split_host_port(self.address)[0] if self.is_open else LOOPBACK_HOST
        if _is_loopback(place) and not _is_loopback(towards):
            raise DaemonError(
                "Runs on other machines cannot reach this daemon: it listens to this one only.",
                next_step="Restart it: gym-gui daemon stop, then"
                " gym-gui daemon start --listen HOST:PORT with an address they can reach.",
            )
        if not self.is_open:
            await self.open(join_host_port(LOOPBACK_HOST, 0))
        assert self._tokens is not None
        host, port = split_host_port(self.address)
        if ipaddress.ip_address(_literal(host)).is_unspecified:
            host = _own_address(towards)
        known = self.endpoint()
        token = self._tokens.of_run(run_id)
        return Endpoint(join_host_port(host, port), token, known.fingerprint)

    def statistics(self) -> dict[str, Any]:
        if not self.is_open or self._gate is None:
            return {}
        return {"address": str(self.endpoint()), "refused": self._gate.refused}


def token_path(data_dir: DataDir) -> Path:
    """Return the file that holds the owner's token."""
    return data_dir.daemon / "token"


def remembered_address(data_dir: DataDir) -> str:
    """Return where the daemon was asked to listen, until ``forget_address``; else nothing."""
    return (read_json(_place_path(data_dir)) or {}).get("address", "")


def forget_address(data_dir: DataDir) -> None:
    """Let the next daemon listen to nobody but this machine's user."""
    _place_path(data_dir).unlink(missing_ok=True)


def _place_path(data_dir: DataDir) -> Path:
    return data_dir.daemon / "listen.json"


def _literal(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "192.0.2.1"  # a name is an address of its own, neither unspecified nor loopback


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(_literal(host)).is_loopback


def _own_address(towards: str) -> str:
    """Return the address of this machine from which ``towards`` is reached."""
    kind = socket.AF_INET6 if ":" in towards else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as probe:  # connecting sends nothing
        try:
            probe.connect((towards, 9))
        except OSError:
            return socket.gethostname()
        return probe.getsockname()[0]


def _obstacle(host: str, port: int) -> str:
    """Return the system's word on why a place cannot be listened at, "" when it has none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return ""
    except OSError as error:
        return f": {(error.strerror or str(error)).lower()}"
