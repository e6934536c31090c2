"""A TLS context that verifies a fixed server name, whatever host is dialled."""

import weakref
from collections import deque
from socket import socket
from ssl import PROTOCOL_TLS_CLIENT, MemoryBIO, SSLContext, SSLObject, SSLSession, SSLSocket
from typing import Any, NoReturn, Self


class NamePinnedContext(SSLContext):
    """A wrapper of another context, with the name to verify fixed to ``server_name``.

    Handshakes run on the wrapped context, which is not changed. Any number of names can share it, and its owner's
    settings, callbacks and overridden methods stay in force. Attributes are read from the wrapped context. This is an
    ``SSLContext`` because ``start_tls`` of asyncio and of uvloop 0.23 require one.
    """

    _context: SSLContext
    _server_name: str

    def __new__(cls, context: SSLContext, server_name: str) -> Self:
        self = super().__new__(cls, PROTOCOL_TLS_CLIENT)
        object.__setattr__(self, "_context", context)
        object.__setattr__(self, "_server_name", server_name)
        return self

    def wrap_bio(
        self,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLObject:
        return self._context.wrap_bio(incoming, outgoing, server_side, self._server_name, session)

    def wrap_socket(
        self,
        sock: socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLSocket:
        return self._context.wrap_socket(
            sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, self._server_name, session
        )

    def __getattribute__(self, name: str) -> Any:
        # Not __getattr__: the base class has a C state of its own, with defaults that must never be seen.
        if name in _OWN:
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_context"), name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name}: this context is shared; set it on a context of your own")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} server_name={self._server_name!r} context={self._context!r}>"


_OWN = frozenset({"_context", "_server_name", "wrap_bio", "wrap_socket", "__class__"})

# A pinned context takes about 0.25 ms to create (OpenSSL 3.0), so connections to one name share it: weakly, while one
# of them uses it. The latest 64 are kept without one. It keeps the wrapped context alive, so the key can hold its id.
_pinned: "weakref.WeakValueDictionary[tuple[int, str], NamePinnedContext]" = weakref.WeakValueDictionary()
_latest: deque[NamePinnedContext] = deque(maxlen=64)


def pin(context: SSLContext, server_name: str) -> NamePinnedContext:
    key = (id(context), server_name)
    pinned = _pinned.get(key)
    if pinned is None:
        pinned = _pinned[key] = NamePinnedContext(context, server_name)
        _latest.append(pinned)
    return pinned
