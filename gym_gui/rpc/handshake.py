"""A TLS handshake of our own before gRPC's, so that what is wrong can be said in plain words."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl

from gym_gui.core.errors import CertificateError, DaemonError
from gym_gui.rpc.endpoint import Endpoint

SERVER_NAME = "gym-gui"  # in every daemon's certificate, whatever its host is called
TIMEOUT_S = 10.0
_EXPIRED, _NOT_YET_VALID = 10, 9  # OpenSSL's X509_V_ERR_…


def trusted_roots(endpoint: Endpoint) -> bytes:
    """Return the certificates, in PEM, by which gRPC shall know the daemon. May take seconds.

    With a fingerprint, the certificate is fetched and must have it. Raises CertificateError, or
    DaemonError where nothing answers.
    """
    roots = endpoint.ca
    if endpoint.fingerprint:
        found = _shown_certificate(endpoint)
        if not hmac.compare_digest(hashlib.sha256(found).hexdigest(), endpoint.fingerprint):
            raise CertificateError(
                f"The certificate at {endpoint.target} is not the expected one.",
                next_step="If the daemon's certificate was renewed, take the new address from"
                " `gym-gui daemon status` there; otherwise something stands in between.",
            )
        roots = ssl.DER_cert_to_PEM_cert(found).encode()
    _check(endpoint, roots)
    return roots


def _connect(endpoint: Endpoint) -> socket.socket:
    host, port = endpoint.host_and_port
    try:
        return socket.create_connection((host, port), timeout=TIMEOUT_S)
    except socket.gaierror as error:
        raise DaemonError(
            f"There is no host called {host}.", next_step="Check the address."
        ) from error
    except OSError as error:
        raise DaemonError(
            f"No daemon answers at {endpoint.target}: {error.strerror or 'no answer in time'}.",
            next_step="Start one there: gym-gui daemon start --listen HOST:PORT",
        ) from error


def _shown_certificate(endpoint: Endpoint) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # compared by the caller
    with _connect(endpoint) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=SERVER_NAME) as secure:
                return secure.getpeercert(binary_form=True) or b""
        except OSError as error:
            raise _no_tls(endpoint) from error


def _check(endpoint: Endpoint, roots: bytes) -> None:
    try:
        context = ssl.create_default_context(cadata=roots.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise CertificateError(
            "The certificate file holds no certificate.",
            next_step="Copy daemon/tls/certificate.pem from the daemon's data folder.",
        ) from error
    with _connect(endpoint) as plain:
        try:
            context.wrap_socket(plain, server_hostname=SERVER_NAME).close()
        except ssl.SSLCertVerificationError as error:
            raise _untrusted(endpoint, error) from error
        except OSError as error:
            raise _no_tls(endpoint) from error


def _untrusted(endpoint: Endpoint, error: ssl.SSLCertVerificationError) -> CertificateError:
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return CertificateError(
            f"The certificate at {endpoint.target} is not valid today.",
            next_step="Check the clocks of both machines; restarting the daemon there renews it.",
        )
    return CertificateError(
        f"The certificate at {endpoint.target} is not trusted: {error.verify_message}.",
        next_step="Copy daemon/tls/certificate.pem from the daemon's data folder anew.",
    )


def _no_tls(endpoint: Endpoint) -> DaemonError:
    return DaemonError(
        f"What answers at {endpoint.target} is no daemon of gym-gui.",
        next_step="Check the port: `gym-gui daemon status` there shows it.",
    )
