"""A session of the caller's: whether its credentials may be read in another thread."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

_WRAPPERS = frozenset({"aioboto3.session"})


def unused(session: object) -> "AioSession | None":
    """Return the SDK's session if nobody has used it, or changed where it looks for credentials.

    Then its configuration says all about its credentials, and they can be read anew from that on any thread. As soon as
    its owner's clients, or the owner, have made credentials objects in it, those hold locks and connections of the
    owner's event loop: they have to be asked there. So has a provider that the owner put into its chain.

    Args:
        session: An aiobotocore or aioboto3 session, or another object with a ``get_credentials()``.
    """
    if type(session).__module__ in _WRAPPERS:
        session = getattr(session, "_session", None)  # aioboto3 15.5
    sdk = sys.modules.get("aiobotocore.session")
    if sdk is None or type(session) is not sdk.AioSession:  # a subclass may look wherever it wants
        return None
    # aiobotocore 3.10, botocore 1.43: credentials are kept in the one; the chain is made, and leaves the other, when it
    # is first asked for. Where they are called otherwise the session is asked on its owner's loop.
    made = getattr(session, "_credentials", session)
    to_be_made = getattr(getattr(session, "_components", None), "_deferred", ())
    return session if made is None and "credential_provider" in to_be_made else None
