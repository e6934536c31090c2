"""A TLS context that expects a name of its own, whatever name was dialled."""

import weakref
from collections import deque
from socket import socket
from ssl import PROTOCOL_TLS_CLIENT, MemoryBIO, SSLContext, SSLObject, SSLSession, SSLSocket
from typing import Any, NoReturn, Self


class NamePinnedContext(SSLContext):
    """Another context with the name to verify fixed to ``server_name``.

    Handshakes run on the context underneath, which is not changed, so that any number of names can share it at once and
    its owner's settings, callbacks and overridden methods stay in force. Everything read from this object is read from
    that context. It is an ``SSLContext`` because ``start_tls`` of asyncio and of uvloop 0.23 insist on one.

    Args:
        context: The context that does the handshakes.
        server_name: The host name or IP address that the server's certificate has to be for; also sent as SNI.
    """

    _context: SSLContext
    _server_name: str

    def __new__(cls, context: SSLContext, server_name: str) -> Self:  # noqa: D102 - on the class
        self = super().__new__(cls, PROTOCOL_TLS_CLIENT)
        object.__setattr__(self, "_context", context)
        object.__setattr__(self, "_server_name", server_name)
        return self

    def wrap_bio(
        self,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the base's signature
        server_hostname: str | bytes | None = None,  # noqa: ARG002 - what this class is there to replace
        session: SSLSession | None = None,
    ) -> SSLObject:
        """As in the base, with the pinned name in place of ``server_hostname``. Event loops call this."""
        return self._context.wrap_bio(incoming, outgoing, server_side, self._server_name, session)

    def wrap_socket(
        self,
        sock: socket,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the base's signature
        do_handshake_on_connect: bool = True,  # noqa: FBT001, FBT002 - the same
        suppress_ragged_eofs: bool = True,  # noqa: FBT001, FBT002 - the same
        server_hostname: str | bytes | None = None,  # noqa: ARG002 - what this class is there to replace
        session: SSLSession | None = None,
    ) -> SSLSocket:
        """As in the base, with the pinned name in place of ``server_hostname``."""
        return self._context.wrap_socket(
            sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, self._server_name, session
        )

    def __getattribute__(self, name: str) -> Any:
        # Not __getattr__: the base has a C state of its own, with defaults of its own, that must never be seen.
        if name in _OWN:
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_context"), name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} is the setting of a context that others share; set it on a context of your own")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} server_name={self._server_name!r} context={self._context!r}>"


_OWN = frozenset({"_context", "_server_name", "wrap_bio", "wrap_socket", "__class__"})

# A pinned context costs ~0.25 ms to make (OpenSSL 3.0), so connections to one name share it. Weakly, for as long as one
# of them uses it; the latest few live on without one. It keeps the context underneath alive, whose id can therefore
# stand in the key.
_pinned: "weakref.WeakValueDictionary[tuple[int, str], NamePinnedContext]" = weakref.WeakValueDictionary()
_latest: deque[NamePinnedContext] = deque(maxlen=64)


def pin(context: SSLContext, server_name: str) -> NamePinnedContext:
    """Return ``context`` with the name to verify fixed to ``server_name``; see :class:`NamePinnedContext`."""
    key = (id(context), server_name)
    pinned = _pinned.get(key)
    if pinned is None:
        pinned = _pinned[key] = NamePinnedContext(context, server_name)
        _latest.append(pinned)
    return pinned
