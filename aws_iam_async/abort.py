"""Close a socket at once, whatever has become of its transport."""

import asyncio


def abort(transport: asyncio.WriteTransport) -> None:
    """Close a transport without waiting for anybody; one that is closed or lost already, too.

    CPython 3.11.2, which is Debian 12's, forgets what is behind a TLS transport that is closed once its connection is
    lost, and then has an AttributeError for whoever aborts it.
    """
    if getattr(transport, "_ssl_protocol", transport) is not None:
        transport.abort()
