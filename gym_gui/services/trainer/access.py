"""Who may call the daemon over TCP: its token, its certificate, and the gate before every call.

Two kinds of token. The owner's opens everything. A run's, made for one run that trains on another
machine, only lets that run's records, frames and reports in: it is the run's id with a keyed
digest of it, so nothing is stored, and whoever reads it there can start nothing here.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from gym_gui.core.paths import private_dir
from gym_gui.rpc.handshake import SERVER_NAME

VALID_DAYS = 825
RENEW_DAYS = 30  # before the end
WORKER_CALLS = frozenset(
    {"RegisterWorker", "Heartbeat", "ControlStream"}
    | {"PublishRunSteps", "PublishRunEpisodes", "PublishRunRecords"}
)


class Tokens:
    """The owner's token, kept in a file of mode 0600, and the runs' made from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = _read_or_make(path, lambda: secrets.token_urlsafe(32).encode()).decode()

    def of_run(self, run_id: str) -> str:
        digest = hmac.new(self.owner.encode(), b"run:" + run_id.encode(), hashlib.sha256)
        return f"{run_id}.{digest.hexdigest()}"

    def is_owners(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.owner.encode())

    def run_of(self, token: str) -> str:
        """Return the run that a run's token is for; empty where it is none."""
        run_id = token.rpartition(".")[0]
        same = hmac.compare_digest(token.encode(), self.of_run(run_id).encode())
        return run_id if same else ""


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate with its key, in PEM; fingerprint: SHA-256 in hex."""

    key: bytes
    certificate: bytes
    fingerprint: str


def load_certificate(folder: Path, *, now: datetime.datetime | None = None) -> Certificate:
    """Return the daemon's certificate, made where there is none or it ends soon."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    now = now or datetime.datetime.now(datetime.UTC)
    both = private_dir(folder) / "key-and-certificate.pem"
    pem = _read_or_make(both, lambda: _make_certificate(now))
    certificate = x509.load_pem_x509_certificate(pem)
    if certificate.not_valid_after_utc - now < datetime.timedelta(days=RENEW_DAYS):
        both.unlink()
        return load_certificate(folder, now=now)
    split = pem.index(b"-----BEGIN CERTIFICATE-----")
    _write(folder / "certificate.pem", pem[split:])
    return Certificate(pem[:split], pem[split:], certificate.fingerprint(SHA256()).hex())


def _make_certificate(now: datetime.datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, SERVER_NAME)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, form, plain) + made.public_bytes(pem)


def _key_usage() -> Any:
    from cryptography import x509

    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("crl_sign", "encipher_only", "decipher_only")
    unused = dict.fromkeys(names, False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=True, **unused)


def _read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    if not path.exists():
        _write(path, make())
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path.read_bytes()


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


class Gate(aio.ServerInterceptor):
    """Looks at the token before any byte of a call's content is read."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.refused = 0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        token = _bearer(handler_call_details)
        if self._tokens.is_owners(token):
            return await continuation(handler_call_details)
        run_id = self._tokens.run_of(token)
        if not run_id:
            self.refused += 1
            return _refusing(grpc.StatusCode.UNAUTHENTICATED, "no valid token")
        if str(handler_call_details.method).rpartition("/")[2] not in WORKER_CALLS:
            self.refused += 1
            return _refusing(grpc.StatusCode.PERMISSION_DENIED, "a run's token does not open this")
        return _for_one_run(await continuation(handler_call_details), run_id)


def _bearer(details: grpc.HandlerCallDetails) -> str:
    metadata: Any = details.invocation_metadata or ()
    for key, value in metadata:
        if key == "authorization" and isinstance(value, str):
            return value.removeprefix("Bearer ")
    return ""


def _refusing(code: grpc.StatusCode, words: str) -> Any:
    async def refuse(_: Any, context: aio.ServicerContext) -> AsyncIterator[Any]:
        await context.abort(code, words)
        yield  # never reached: makes this a stream, which answers before reading

    return grpc.stream_stream_rpc_method_handler(refuse)


def _for_one_run(handler: Any, run_id: str) -> Any:
    """Return the handler of a worker's call, closed to messages that name another run."""
    coded = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }

    async def check(message: Any, context: aio.ServicerContext) -> Any:
        if _named_run(message) != run_id:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this token is another run's")
        return message

    async def one(request: Any, context: aio.ServicerContext) -> Any:
        return await handler.unary_unary(await check(request, context), context)

    async def many(requests: AsyncIterator[Any], context: aio.ServicerContext) -> Any:
        checked = (await check(request, context) async for request in requests)
        async for answer in handler.stream_stream(checked, context):
            yield answer

    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(one, **coded)
    return grpc.stream_stream_rpc_method_handler(many, **coded)


def _named_run(message: Any) -> str:
    kind = message.DESCRIPTOR.name
    if kind == "Publication":
        return getattr(message, message.WhichOneof("content") or "hello").run_id
    return message.run_id
