"""TLS contexts: built once in a process, off the event loops, and shared.

Building a verifying context takes 25 to 60 ms, because OpenSSL 3 parses every root certificate.
"""

import asyncio
import contextlib
import os
from _ssl import _SSLContext
from concurrent.futures import Future
from ssl import CERT_NONE, CERT_REQUIRED, PROTOCOL_TLS_CLIENT, SSLCertVerificationError, SSLContext, TLSVersion
from typing import Literal, TypeAlias, cast

from aws_iam_async import endpoints, threads
from aws_iam_async.errors import FIND_CAUSE, ConfigurationError, InsecureTransportError
from aws_iam_async.tls import RDS_CA_BUNDLE, RDS_CA_REGIONS, SYSTEM, OpenSSLContext, Tls, parse
from aws_iam_async.tls.pinning import pin

CertificateProblem: TypeAlias = Literal["name", "time", "trust"]

MAX_CONTEXTS = 64
# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
NAME_MISMATCH = frozenset({62, 64})
_OUT_OF_TIME = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED


# By what makes one differ from another. A file of certificates is read once: to replace one, restart the process or
# pass an SSLContext.
_contexts: dict[Tls, SSLContext] = {}


def prepare(tls: Tls) -> None:
    key = None if tls.context is not None else context_key(tls)
    if key is not None and key not in _contexts:
        with contextlib.suppress(RuntimeError):  # no thread can be started, which context() reports
            _start_building(key)


async def context(tls: Tls, *, unix_socket: bool = False) -> SSLContext | None:
    """Return the context to pass to a driver. Contexts are shared: do not change them.

    It is ``None`` if no mode was given, and for ``disable``, ``allow`` and ``prefer``: the driver decides on TLS then.
    Drivers do not use TLS on a Unix socket, so a secret that is for TLS only is refused there.
    """
    if unix_socket and tls.required:
        raise InsecureTransportError(
            "a secret that is for TLS only is not sent over a Unix socket: pass the database's host name"
        )
    if tls.context is not None:
        return pin(tls.context, tls.server_name)
    key = context_key(tls)
    if key is None:
        return None
    shared = _contexts.get(key)
    if shared is None:
        try:
            shared = await asyncio.wrap_future(_start_building(key))
        except (OSError, ValueError) as error:
            raise ConfigurationError(_unreadable(key, error)) from error
        except asyncio.CancelledError as cancelled:  # also what a time limit does
            file = f"sslrootcert: {key.root_cert!r}" if key.root_cert else "the system's file of CA certificates"
            cancelled.add_note(f"{file} is still being read; is it on a disk that does not answer?")
            raise
    return shared if tls.server_name is None else pin(shared, tls.server_name)


async def ssl_context(host: str, *, sslrootcert: str | os.PathLike[str] | None = None) -> SSLContext:
    """Return a TLS context that verifies every server as ``host``, for libraries that connect by themselves.

    Use it together with :class:`RdsTokenProvider`. The context requires TLS 1.2 or later. Whatever address the library
    dials, the server needs a certificate for ``host``. The first call reads the certificates in a thread. Later calls
    return at once. The context is shared with other callers and cannot be changed.

    Args:
        host: The endpoint's name, as the server knows it: not an address, an alias or a tunnel's name.
        sslrootcert: The path of a PEM file with the only authorities to trust, or ``"system"`` for those of the system
            only. Default: the authorities of Amazon RDS in this package and those of the system.

    Raises:
        ConfigurationError: The host is not the name of a server, or the file cannot be read.
    """
    # For verify-full there is always a context.
    return cast("SSLContext", await context(parse(sslrootcert=sslrootcert).secured(endpoints.endpoint_name(host))))


def context_key(tls: Tls) -> Tls | None:
    """Return what makes the context of a mode that verifies or requires TLS, ``None`` for the other modes.

    This is the gate for secrets: none that is for TLS only gets past it without a context.
    """
    if tls.mode in {"require", "verify-ca", "verify-full"}:
        return Tls(tls.mode, root_cert=tls.root_cert, alpn=tls.alpn)
    if tls.required:
        raise InsecureTransportError(f"the secret is for TLS only, but sslmode is {tls.mode!r}; use Tls.secured()")
    return None


def build(key: Tls) -> SSLContext:
    built = OpenSSLContext(PROTOCOL_TLS_CLIENT)
    built.check_hostname = key.mode == "verify-full"
    # Set in the base class: the setters of ssl.SSLContext recurse once truststore has replaced it (CPython 3.13).
    setters = vars(_SSLContext)
    setters["minimum_version"].__set__(built, TLSVersion.TLSv1_2)
    setters["verify_mode"].__set__(built, CERT_NONE if key.mode == "require" else CERT_REQUIRED)
    if key.alpn is not None:
        built.set_alpn_protocols([key.alpn])
    if key.mode == "require":
        return built
    # From files, not from memory: CPython releases the GIL only while OpenSSL reads a file.
    file = RDS_CA_BUNDLE if key.root_cert is None else key.root_cert
    if file != SYSTEM:
        built.load_verify_locations(cafile=file)
    if key.root_cert in {None, SYSTEM}:  # those of RDS Proxy and Aurora DSQL
        built.load_default_certs()
    return built


def _start_building(key: Tls) -> Future[SSLContext]:
    def build_and_keep() -> SSLContext:
        with threads.fork_barrier():
            built = _contexts[key] = pin(build(key), None)
        if len(_contexts) > MAX_CONTEXTS:
            _contexts.pop(next(iter(_contexts)), None)
        return built

    return threads.start(build_and_keep, name="TLS context", share_as=key)


def add_certificate_note(
    error: BaseException, tls: Tls, host: str | None, port: int | None, problem: CertificateProblem | None = None
) -> None:
    """Add a note to an error about a certificate that was not accepted: the reason, and what to do.

    Drivers that raise no errors of :mod:`ssl` pass the ``problem``.
    """
    match problem or _certificate_problem(error):
        case "name":
            advice = (
                "It is for a name other than the verified one. For an alias, a tunnel or an IP address, pass iam_host="
                " with the endpoint's own name."
            )
        case "time":
            advice = "It has expired or is not valid yet. Check the clock of this machine, then the certificate."
        case "trust":
            advice = trust_advice(tls, host)
        case None:
            return
    error.add_note(f"The certificate of {host}:{port} was not accepted. {advice} {FIND_CAUSE}")


def _certificate_problem(error: BaseException) -> CertificateProblem | None:
    cause = error if isinstance(error, SSLCertVerificationError) else error.__cause__
    if not isinstance(cause, SSLCertVerificationError):
        return None
    return "name" if cause.verify_code in NAME_MISMATCH else "time" if cause.verify_code in _OUT_OF_TIME else "trust"


def trust_advice(tls: Tls, host: str | None) -> str:
    """Say which authorities were trusted, whether the CA bundle covers the endpoint's region, and what to do."""
    if tls.context is not None:
        trusted, own = "The SSLContext that was passed as ssl= decides which authorities are trusted.", "ssl"
    elif tls.root_cert is not None:
        trusted, own = f"Only the authorities in {tls.root_cert!r} (sslrootcert) are trusted.", "sslrootcert"
    else:
        trusted, own = "Trusted are the system's authorities and those of Amazon RDS in this package.", None
    endpoint = endpoints.parse(tls.server_name or host or "")
    if endpoint is None or endpoint.region is None:
        return trusted if own else f"{trusted} For others, pass sslrootcert= with their PEM file."
    remedy = f"omit {own} to trust them" if own else "another server may have answered, or a device that inspects TLS"
    if endpoint.service == "dsql":
        return f"{trusted if own else ''} Aurora DSQL has certificates of public authorities: {remedy}.".lstrip()
    place = f"{trusted} The endpoint is in {endpoint.region}, which the authorities of RDS in this package"
    # RDS Proxy has certificates of public authorities, which are in the bundle as well.
    if endpoint.region not in RDS_CA_REGIONS and not endpoint.kind.startswith("proxy"):
        return f"{place} do not cover: pass sslrootcert= with the bundle that AWS publishes for it."
    return f"{place} cover: {remedy}."


def _unreadable(key: Tls, error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    if key.root_cert is None:
        return f"the CA bundle of aws_iam_async cannot be read ({reason}); reinstall the package"
    return f"sslrootcert: {key.root_cert!r} cannot be read as a PEM file of CA certificates: {reason}"
