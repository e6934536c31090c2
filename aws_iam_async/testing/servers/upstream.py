"""The real server behind the emulator."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from aws_iam_async.testing.streams import Channel

_BUFFER = 1 << 18


@dataclass(frozen=True)
class Upstream:
    """How to reach a real server that has the users, and how to log in as any of them.

    Attributes:
        protocol: ``"postgresql"`` or ``"mysql"``; it decides what the emulator speaks.
        host: Its host name or address; not used with ``unix_socket``.
        port: Its TCP port; default: the protocol's own.
        unix_socket: The path of its unix socket, instead of ``host``.
        password: The one password that all users have on the real server; default: none is needed.
    """

    protocol: Literal["postgresql", "mysql"]
    host: str = "127.0.0.1"
    port: int | None = None
    unix_socket: str | None = None
    password: str = field(default="", repr=False)

    async def connect(self) -> Channel:
        """Open a connection, without TLS.

        Raises:
            OSError: The server is not reachable.
        """
        if self.unix_socket is not None:
            return Channel(*await asyncio.open_unix_connection(self.unix_socket, limit=_BUFFER))
        port = self.port or (5432 if self.protocol == "postgresql" else 3306)
        return Channel(*await asyncio.open_connection(self.host, port, limit=_BUFFER))
