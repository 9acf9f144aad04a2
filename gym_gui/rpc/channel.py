"""Opening a connection, and carrying our errors across it."""

from __future__ import annotations

import json

import grpc
from grpc import aio

from gym_gui.core import errors
from gym_gui.core.errors import DaemonError, GymGuiError

MESSAGE_BYTES = 64 << 20
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
)


def open_channel(target: str) -> aio.Channel:
    """Return a channel to a Unix socket (``unix:/path``) or a host and port."""
    return aio.insecure_channel(target, options=OPTIONS)


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
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return DaemonError(
            "The daemon cannot be reached.", next_step="Start it again: gym-gui daemon start"
        )
    return DaemonError(
        f"The daemon refused: {error.details()} ({error.code().name}).",
        next_step="Its log says more: daemon/daemon.log in the data folder.",
    )
