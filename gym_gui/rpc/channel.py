"""Opening a connection, and carrying our errors across it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc import aio

from gym_gui import __version__
from gym_gui.core import errors
from gym_gui.core.errors import (
    AccessError,
    DaemonError,
    DaemonLostError,
    DaemonVersionError,
    GymGuiError,
)
from gym_gui.rpc.endpoint import Endpoint, parse_endpoint
from gym_gui.rpc.handshake import SERVER_NAME, trusted_roots

PROTOCOL = 1  # raised when a client of before could no longer be served
MESSAGE_BYTES = 64 << 20
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
)
# A connection whose other end vanished without a word is noticed within half a minute.
KEEPALIVE = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


async def connect(address: Endpoint | str) -> aio.Channel:
    """Return a channel to a daemon. Raises DaemonError or CertificateError for a TLS address."""
    endpoint = address if isinstance(address, Endpoint) else parse_endpoint(str(address))
    if endpoint.is_local:
        return aio.insecure_channel(endpoint.target, options=OPTIONS)
    roots = await asyncio.to_thread(trusted_roots, endpoint)
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(roots), grpc.access_token_call_credentials(endpoint.token)
    )
    name = ("grpc.ssl_target_name_override", SERVER_NAME)
    return aio.secure_channel(endpoint.target, credentials, options=(*OPTIONS, *KEEPALIVE, name))


@asynccontextmanager
async def open_channel(address: Endpoint | str) -> AsyncIterator[aio.Channel]:
    """Hold a channel to a daemon for as long as the block lasts."""
    channel = await connect(address)
    try:
        yield channel
    finally:
        await channel.close()


def check_version(health: dict[str, object]) -> None:
    """Raise DaemonVersionError where the daemon of this health report speaks otherwise."""
    if health.get("protocol") != PROTOCOL:
        raise DaemonVersionError(
            f"The daemon is of gym-gui {health.get('version', 'before 0.2')}, this is"
            f" {__version__}: they do not understand each other.",
            next_step="Install the same version on both sides, then stop the daemon there:"
            " gym-gui daemon stop",
        )


def error_details(error: GymGuiError) -> str:
    """Return an error as the text that travels with a status."""
    kind, message = type(error).__name__, error.message
    return json.dumps({"class": kind, "message": message, "next_step": error.next_step})


def error_from(error: aio.AioRpcError) -> GymGuiError:
    """Return the error that the daemon meant, or one that says how it cannot be reached."""
    try:
        body = json.loads(error.details() or "")
        kind = getattr(errors, body["class"])
        return kind(body["message"], next_step=body["next_step"])
    except (json.JSONDecodeError, KeyError, AttributeError, TypeError):
        pass
    known = _KNOWN.get(error.code())
    if known is not None:
        kind, message, next_step = known
        return kind(message, next_step=next_step)
    return DaemonError(
        f"The daemon refused: {error.details()} ({error.code().name}).",
        next_step="Its log says more: daemon/daemon.log in the data folder.",
    )


_KNOWN: dict[grpc.StatusCode, tuple[type[GymGuiError], str, str]] = {
    grpc.StatusCode.UNAVAILABLE: (
        DaemonLostError,
        "The daemon cannot be reached.",
        "Start it again: gym-gui daemon start",
    ),
    grpc.StatusCode.UNAUTHENTICATED: (
        AccessError,
        "The daemon does not accept this token.",
        "Copy it from daemon/token in the daemon's data folder into GYM_GUI_TOKEN.",
    ),
    grpc.StatusCode.UNIMPLEMENTED: (
        DaemonVersionError,
        "The daemon is of another version of gym-gui and does not know this call.",
        "Install the same version on both sides, then stop the daemon there: gym-gui daemon stop",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (
        DaemonError,
        "The message is larger than the daemon takes, or it serves too many callers.",
        "Try it again later; if it stays, its log says more.",
    ),
}
