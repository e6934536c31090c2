"""The TLS context that gives a connection what it shall have: trusted roots, and a name to verify."""

import functools
from ssl import SSLContext

from aws_iam_async.errors import InsecureTransportError
from aws_iam_async.tls import Tls
from aws_iam_async.trust import contexts, pinning

__all__ = ["context", "prepare"]


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


# Asked for each physical connection.
@functools.lru_cache(maxsize=64)
def _setting(tls: Tls) -> contexts.Setting | None:
    mode = tls.mode
    if mode == "require" or mode == "verify-ca" or mode == "verify-full":  # noqa: PLR1714 - mypy 2 narrows only this
        return contexts.Setting(mode, tls.root_cert, tls.alpn)
    if tls.required:
        raise InsecureTransportError(f"a secret for TLS only is on a request with sslmode {mode!r}; use Tls.secured()")
    return None
