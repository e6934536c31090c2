"""A TLS context that verifies a fixed server name, whatever host is dialled."""

import ssl
from socket import socket
from ssl import MemoryBIO, SSLContext, SSLObject, SSLSession, SSLSocket
from typing import Any, NoReturn, cast


class PinnedContext:
    """A wrapper of another context, with the name to verify fixed to ``server_name``, unless that is ``None``.

    Handshakes run on the wrapped context, which is not changed. Any number of names can share it, and its owner's
    settings, callbacks and overridden methods stay in force. Attributes are read from the wrapped context.

    It passes for an instance of what ``ssl.SSLContext`` is at the moment. ``start_tls`` of asyncio, and asyncpg 0.32,
    accept nothing else.
    """

    __slots__ = ("__weakref__", "_context", "_server_name")
    _context: SSLContext
    _server_name: str | None

    def __init__(self, context: SSLContext, server_name: str | None) -> None:
        object.__setattr__(self, "_context", context)
        object.__setattr__(self, "_server_name", server_name)

    @property  # type: ignore[misc]  # isinstance() reads it, and nothing sets it
    def __class__(self) -> Any:
        return ssl.SSLContext

    def wrap_bio(
        self,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLObject:
        name = self._server_name or server_hostname
        return self._context.wrap_bio(incoming, outgoing, server_side, name, session)

    def wrap_socket(
        self,
        sock: socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLSocket:
        name = self._server_name or server_hostname
        return self._context.wrap_socket(
            sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, name, session
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name}: this context is shared; set it on a context of your own")

    def __repr__(self) -> str:
        return f"<PinnedContext server_name={self._server_name!r} context={self._context!r}>"


def pin(context: SSLContext, server_name: str | None) -> SSLContext:
    return cast("SSLContext", PinnedContext(context, server_name))
