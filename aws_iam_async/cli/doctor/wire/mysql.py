"""MySQL: the server greets, the client asks for what the greeting offers.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
"""

import asyncio
import struct

from aws_iam_async.cli.doctor.wire.answer import UnexpectedAnswerError

__all__ = ["ask_for_tls"]

PROTOCOL = 10
ERROR = 0xFF
CLIENT_PROTOCOL_41 = 1 << 9
CLIENT_SSL = 1 << 11
CLIENT_SECURE_CONNECTION = 1 << 15
LONGEST_PACKET = 1 << 24
UTF8MB4 = 45
LONGEST_GREETING = 4096


async def ask_for_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the greeting, ask, and return: the server does not answer.

    Raises:
        UnexpectedAnswerError: The greeting offers no TLS, or is none.
        ConnectionResetError: It hangs up.
    """
    try:
        head = await reader.readexactly(4)
        length = int.from_bytes(head[:3], "little")
        if not 0 < length <= LONGEST_GREETING:
            raise UnexpectedAnswerError("the server does not speak MySQL's protocol", "other-protocol")
        greeting = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise ConnectionResetError("hung up instead of a greeting") from None
    if greeting[0] == ERROR and length > 2:  # noqa: PLR2004 - the error's number
        number = struct.unpack_from("<H", greeting, 1)[0]
        text = greeting[3:].decode(errors="replace")
        raise UnexpectedAnswerError(
            f"the server refuses the connection: {text} ({number})", "server-error", number=number
        )
    # The version as text up to a zero byte, a number, eight bytes of salt, a zero byte: then the capabilities.
    end = greeting.find(b"\0")
    if greeting[0] != PROTOCOL or end < 0 or len(greeting) < end + 16:
        raise UnexpectedAnswerError("the server does not speak MySQL's protocol", "other-protocol")
    if not struct.unpack_from("<H", greeting, end + 14)[0] & CLIENT_SSL:
        raise UnexpectedAnswerError("the server offers no TLS", "no-tls")
    capabilities = CLIENT_PROTOCOL_41 | CLIENT_SSL | CLIENT_SECURE_CONNECTION
    request = struct.pack("<IIB23x", capabilities, LONGEST_PACKET, UTF8MB4)
    writer.write(len(request).to_bytes(3, "little") + b"\1" + request)
