"""TLS contexts: built once in a process, off the event loops, and shared.

Building a verifying context takes 25 to 60 ms, because OpenSSL 3 parses every root certificate.
"""

import contextlib
import functools
from ssl import (
    CERT_NONE,
    CERT_REQUIRED,
    PROTOCOL_TLS_CLIENT,
    SSLCertVerificationError,
    SSLContext,
    TLSVersion,
)
from typing import Literal, NamedTuple, TypeAlias

from aws_iam_async import threads
from aws_iam_async.errors import ConfigurationError, InsecureTransportError
from aws_iam_async.tls import RDS_CA_BUNDLE, Tls
from aws_iam_async.tls.pinning import pin

Verification: TypeAlias = Literal["require", "verify-ca", "verify-full"]

MAX_CONTEXTS = 64
# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_NAME_MISMATCH = frozenset({62, 64})


class ContextKey(NamedTuple):
    """What makes one context differ from another.

    Without a ``root_cert`` the RDS authorities of this package (RDS and Aurora) and the system's roots (RDS Proxy has
    public certificates) are trusted.
    """

    verification: Verification
    root_cert: str | None = None
    alpn: str | None = None


# A file of certificates is read once: to replace one, restart the process or pass an SSLContext.
_contexts: dict[ContextKey, SSLContext] = {}
_building = threads.ForkBarrier()


def prepare(tls: Tls) -> None:
    key = None if tls.context is not None else context_key(tls)
    if key is not None and key not in _contexts:
        with contextlib.suppress(RuntimeError):  # no thread can be started, which context() reports
            threads.start(functools.partial(_build_and_keep, key), name="TLS context", share_as=key)


async def context(tls: Tls, *, unix_socket: bool = False) -> SSLContext | None:
    """Return the context to pass to a driver. Contexts are shared: do not change them.

    It is ``None`` if no mode was given, and for ``disable``, ``allow`` and ``prefer``: the driver decides on TLS then.
    Drivers do not use TLS on a Unix socket, so a secret that is for TLS only is refused there.
    """
    if unix_socket and tls.required:
        raise InsecureTransportError(
            "a secret that is for TLS only is not sent over a Unix socket: pass the database's host name"
        )
    shared = tls.context
    if shared is None:
        key = context_key(tls)
        if key is None:
            return None
        shared = _contexts.get(key)
        if shared is None:
            build = functools.partial(_build_and_keep, key)
            try:
                shared = await threads.run(build, name="TLS context", share_as=key)
            except (OSError, ValueError) as error:
                raise ConfigurationError(_unreadable(key, error)) from error
    return shared if tls.server_name is None else pin(shared, tls.server_name)


@functools.lru_cache(maxsize=64)
def context_key(tls: Tls) -> ContextKey | None:
    """Return the key of the context for a mode that verifies or requires TLS, ``None`` for the other modes.

    This is the gate for secrets: none that is for TLS only gets past it without a context.
    """
    match tls.mode:
        case "require" | "verify-ca" | "verify-full" as verification:
            return ContextKey(verification, tls.root_cert, tls.alpn)
        case other if tls.required:
            raise InsecureTransportError(f"the secret is for TLS only, but sslmode is {other!r}; use Tls.secured()")
    return None


def build(key: ContextKey) -> SSLContext:
    built = SSLContext(PROTOCOL_TLS_CLIENT)
    built.minimum_version = TLSVersion.TLSv1_2
    built.check_hostname = key.verification == "verify-full"
    built.verify_mode = CERT_NONE if key.verification == "require" else CERT_REQUIRED
    if key.alpn is not None:
        built.set_alpn_protocols([key.alpn])
    if key.verification == "require":
        return built
    # From files, not from memory: CPython releases the GIL only while OpenSSL reads a file.
    if key.root_cert is not None:
        built.load_verify_locations(cafile=key.root_cert)
    else:
        built.load_verify_locations(cafile=RDS_CA_BUNDLE)
        built.load_default_certs()
    return built


def add_certificate_note(error: BaseException, tls: Tls, address: str) -> None:
    """Add a note to an error about a certificate that was not accepted: the reason, and what to do."""
    cause = error if isinstance(error, SSLCertVerificationError) else error.__cause__
    if not isinstance(cause, SSLCertVerificationError):
        return
    if cause.verify_code in _NAME_MISMATCH:
        advice = (
            "It is for a name other than the verified one. For an alias, a tunnel or an IP address, pass iam_host= with"
            " the endpoint's own name."
        )
    elif tls.context is not None:
        advice = "The SSLContext that was passed as ssl= decides which authorities are trusted."
    elif tls.root_cert is not None:
        advice = f"Only the authorities in {tls.root_cert!r} (sslrootcert) are trusted."
    else:
        advice = (
            "Trusted are the system's authorities and those of Amazon RDS in this package, which do not cover every"
            " region. For others, pass sslrootcert= with their PEM file."
        )
    error.add_note(
        f"The certificate of {address} was not accepted. {advice}"
        " To find the cause, run aws-iam-async check (extra cli)."
    )


def _build_and_keep(key: ContextKey) -> SSLContext:
    with _building():
        built = build(key)
    _contexts[key] = built
    if len(_contexts) > MAX_CONTEXTS:
        _contexts.pop(next(iter(_contexts)), None)
    return built


def _unreadable(key: ContextKey, error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    if key.root_cert is None:
        return f"the CA bundle of aws_iam_async cannot be read ({reason}); reinstall the package"
    return f"sslrootcert: {key.root_cert!r} cannot be read as a PEM file of CA certificates: {reason}"
