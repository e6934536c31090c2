"""The TLS context that gives a connection what it shall have: trusted roots, and a name to verify."""

import functools
from ssl import SSLCertVerificationError, SSLContext

from aws_iam_async.errors import InsecureTransportError
from aws_iam_async.tls import Tls
from aws_iam_async.trust import contexts, pinning

__all__ = ["context", "explain", "prepare"]

# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAME = frozenset({62, 64})


def prepare(tls: Tls) -> None:
    """Have the context built while something else is waited for. What goes wrong shows when it is asked for.

    Args:
        tls: What is asked for.
    """
    if tls.context is None and (setting := _setting(tls)) is not None:
        contexts.shared.prepare(setting)


async def context(tls: Tls) -> SSLContext | None:
    """Return the context to hand to a driver.

    Contexts are shared: do not change them. One that exists already is returned without giving way to the loop.

    Args:
        tls: What is asked for.

    Returns:
        The context; ``None`` where no mode was asked for, or one that the driver has to bring about by itself:
        ``disable``, ``allow`` and ``prefer`` decide on TLS during the connect.

    Raises:
        ConfigurationError: ``sslrootcert`` cannot be read.
        InsecureTransportError: The secret is for TLS only and no TLS is asked for.
    """
    found = tls.context
    if found is None:
        setting = _setting(tls)
        if setting is None:
            return None
        found = contexts.shared.ready(setting) or await contexts.shared.get(setting)
    if tls.server_name is None:
        return found
    return pinning.pin(found, tls.server_name)


def explain(error: BaseException, tls: Tls, place: str) -> None:
    """Add to an error what to do about a certificate that was not accepted, if it or its cause is about one.

    Args:
        error: What a connect raised.
        tls: What was asked for.
        place: The host and port that were dialled.
    """
    about = error if isinstance(error, SSLCertVerificationError) else error.__cause__
    if not isinstance(about, SSLCertVerificationError):
        return
    if about.verify_code in _OTHER_NAME:
        advice = (
            "It is for another name than the one to verify; where an alias, a tunnel or an address is dialled, pass"
            " iam_host= with the endpoint's own name."
        )
    elif tls.context is not None:
        advice = "Who is trusted says the SSLContext that was passed as ssl=."
    elif tls.root_cert is not None:
        advice = f"Trusted is what is in {tls.root_cert!r} (sslrootcert) alone."
    else:
        advice = (
            "Trusted are the authorities of Amazon RDS that come with this package, not those of every region, and the"
            " system's; pass sslrootcert= with the PEM file of others."
        )
    error.add_note(
        f"The certificate of {place} was not accepted. {advice}"
        " The command aws-iam-async check (extra cli) looks into it."
    )


# Asked for each physical connection.
@functools.lru_cache(maxsize=64)
def _setting(tls: Tls) -> contexts.Setting | None:
    mode = tls.mode
    if mode == "require" or mode == "verify-ca" or mode == "verify-full":  # noqa: PLR1714 - mypy 2 narrows only this
        return contexts.Setting(mode, tls.root_cert, tls.alpn)
    if tls.required:
        raise InsecureTransportError(f"a secret for TLS only is on a request with sslmode {mode!r}; use Tls.secured()")
    return None
