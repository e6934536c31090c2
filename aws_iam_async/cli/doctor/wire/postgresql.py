"""PostgreSQL: the client asks, the server answers with one byte.

https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

import asyncio
import os
import struct

from aws_iam_async import ConnectRequest
from aws_iam_async.cli.doctor.wire.answer import UnexpectedAnswerError

__all__ = ["ALPN", "ask_for_tls", "tls_first"]

ALPN = "postgresql"
SSL_REQUEST = struct.pack("!II", 8, 80877103)
MYSQL_PROTOCOL = 10


def tls_first(request: ConnectRequest) -> bool:
    """Whether the client begins TLS unasked (``sslnegotiation=direct``), as asyncpg 0.32 reads it."""
    chosen = request.driver_options.get("direct_tls")
    return bool(chosen) if chosen is not None else os.environ.get("PGSSLNEGOTIATION") == "direct"


async def ask_for_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask, and return when the server agrees.

    Raises:
        UnexpectedAnswerError: It does not.
        ConnectionResetError: It hangs up.
    """
    writer.write(SSL_REQUEST)
    answer = await reader.read(1)
    match answer:
        case b"S":
            return
        case b"N":
            raise UnexpectedAnswerError("the server offers no TLS", "no-tls")
        case b"":
            raise ConnectionResetError("hung up instead of an answer about TLS")
    # MySQL's greeting comes unasked: a length, the number 0, and the version of its protocol.
    greeting = answer + await reader.read(4)
    if greeting[3:5] == bytes([0, MYSQL_PROTOCOL]):
        raise UnexpectedAnswerError("the server speaks MySQL's protocol", "other-protocol", speaks="MySQL")
    raise UnexpectedAnswerError("the server does not speak PostgreSQL's protocol", "other-protocol")
