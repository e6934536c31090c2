"""A TLS context that verifies a fixed server name, whatever host is dialled."""

import ssl
from dataclasses import dataclass
from socket import socket
from ssl import MemoryBIO, SSLContext, SSLObject, SSLSocket
from typing import Any, cast


@dataclass(frozen=True, eq=False)
class PinnedContext:
    """A wrapper of another context, with the name to verify fixed to ``server_name``, unless that is ``None``.

    Handshakes run on the wrapped context, which is not changed. Any number of names can share it, and its owner's
    settings, callbacks and overridden methods stay in force. Attributes are read from the wrapped context.

    It passes for an instance of what ``ssl.SSLContext`` is at the moment. ``start_tls`` of asyncio, and asyncpg 0.32,
    accept nothing else.
    """

    context: SSLContext
    server_name: str | None

    @property  # type: ignore[misc]  # isinstance() reads it, and nothing sets it
    def __class__(self) -> Any:
        return ssl.SSLContext

    def wrap_bio(
        self, incoming: MemoryBIO, outgoing: MemoryBIO, *, server_hostname: str | bytes | None = None, **keywords: Any
    ) -> SSLObject:
        name = self.server_name or server_hostname
        return self.context.wrap_bio(incoming, outgoing, server_hostname=name, **keywords)

    def wrap_socket(self, sock: socket, *, server_hostname: str | bytes | None = None, **keywords: Any) -> SSLSocket:
        return self.context.wrap_socket(sock, server_hostname=self.server_name or server_hostname, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)


def pin(context: SSLContext, server_name: str | None) -> SSLContext:
    return cast("SSLContext", PinnedContext(context, server_name))
