"""Real database servers behind the emulator: how to reach them, and modules that start PostgreSQL and MariaDB."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from aws_iam_async.testing.streams import BUFFER_SIZE, Channel


@dataclass(frozen=True)
class Upstream:
    """The address of a real server with its own users, and the password for all of them.

    Attributes:
        protocol: ``"postgresql"`` or ``"mysql"``. The emulator uses the same protocol with its clients.
        host: The host name or address of the server. Ignored if ``unix_socket`` is set. Default: ``"127.0.0.1"``.
        port: The TCP port of the server. Default: 5432 for PostgreSQL, 3306 for MySQL.
        unix_socket: The path of the server's unix socket. Default: None, connect by TCP.
        password: The password that all users have on this server. Default: empty, the server requests none.
    """

    protocol: Literal["postgresql", "mysql"]
    host: str = "127.0.0.1"
    port: int | None = None
    unix_socket: str | None = None
    password: str = field(default="", repr=False)

    async def connect(self) -> Channel:
        """Open a connection without TLS. The emulator calls this.

        Returns:
            The connection, before any login.

        Raises:
            OSError: The server is not reachable.
        """
        if self.unix_socket is not None:
            return Channel(*await asyncio.open_unix_connection(self.unix_socket, limit=BUFFER_SIZE))
        port = self.port or (5432 if self.protocol == "postgresql" else 3306)
        return Channel(*await asyncio.open_connection(self.host, port, limit=BUFFER_SIZE))
