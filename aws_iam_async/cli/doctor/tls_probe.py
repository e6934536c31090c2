"""TLS as the drivers negotiate it, up to the handshake, and the certificates that the server presents."""

import asyncio
import os
import ssl
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_iam_async.cli.doctor import advice_network
from aws_iam_async.cli.doctor.advice_login import refused_before_login
from aws_iam_async.cli.doctor.findings import Certificate, StepFailedError
from aws_iam_async.request import ConnectRequest

POSTGRESQL_SSL_REQUEST = struct.pack("!II", 8, 80877103)
POSTGRESQL_LONGEST_ERROR = 30_000

MYSQL_PROTOCOL = 10
MYSQL_ERROR = 0xFF
MYSQL_ERROR_HEADER = 3  # 0xFF and the error's number
MYSQL_LONGEST_GREETING = 4096
MYSQL_LONGEST_PACKET = 1 << 24
MYSQL_UTF8MB4 = 45
CLIENT_PROTOCOL_41 = 1 << 9
CLIENT_SSL = 1 << 11
CLIENT_SECURE_CONNECTION = 1 << 15


def starts_with_tls(system: str, request: ConnectRequest) -> bool:
    """Return whether the client starts TLS without a request (``sslnegotiation=direct``), as asyncpg 0.32 decides."""
    if system != "postgresql":
        return False
    direct_tls = request.driver_options.get("direct_tls")
    return bool(direct_tls) if direct_tls is not None else os.environ.get("PGSSLNEGOTIATION") == "direct"


async def request_tls(system: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask the server for TLS, and return when the handshake may start."""
    await (_request_tls_of_postgresql if system == "postgresql" else _request_tls_of_mysql)(reader, writer)


async def _request_tls_of_postgresql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask; the server answers with one byte.

    https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-SSL
    """
    writer.write(POSTGRESQL_SSL_REQUEST)
    answer = await reader.read(1)
    match answer:
        case b"S":
            return
        case b"N":
            raise StepFailedError("the server offers no TLS", advice_network.NO_TLS)
        case b"":
            raise ConnectionResetError("the server closed the connection instead of answering the TLS request")
    rest = await reader.read(POSTGRESQL_LONGEST_ERROR)
    if answer == b"E" and (refused := _error_of_postgresql(rest)) is not None:
        raise refused
    # A MySQL server sends its greeting unasked: a length, the number 0, and its protocol version.
    if (answer + rest)[3:5] == bytes([0, MYSQL_PROTOCOL]):
        raise StepFailedError("the server speaks MySQL's protocol", advice_network.other_protocol("mysql://"))
    raise StepFailedError("the server does not speak PostgreSQL's protocol", advice_network.other_protocol())


def _error_of_postgresql(body: bytes) -> StepFailedError | None:
    """Read an ErrorResponse after its first byte: fields behind a length, or before PostgreSQL 14 also a plain line."""
    fields = {field[:1]: field[1:].decode(errors="replace") for field in body[4:].split(b"\0")}
    if b"M" in fields and b"C" in fields:
        return _refused(fields[b"M"], fields[b"C"])
    return _refused(body[:-2].decode(errors="replace"), None) if body.endswith(b"\n\0") else None


def _refused(text: str, code: int | str | None) -> StepFailedError:
    shown = "" if code is None else f" ({code})"
    return StepFailedError(f"the server refuses the connection: {text}{shown}", refused_before_login(code))


async def _request_tls_of_mysql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the greeting, and ask for what it offers; the server does not answer.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
    """
    try:
        length = int.from_bytes((await reader.readexactly(4))[:3], "little")
        if not 0 < length <= MYSQL_LONGEST_GREETING:
            raise StepFailedError("the server does not speak MySQL's protocol", advice_network.other_protocol())
        greeting = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise ConnectionResetError("the server closed the connection instead of sending a greeting") from None
    if greeting[0] == MYSQL_ERROR and length >= MYSQL_ERROR_HEADER:
        number = struct.unpack_from("<H", greeting, 1)[0]
        text = greeting[MYSQL_ERROR_HEADER:].decode(errors="replace")
        raise _refused(text, number)
    # The version as text up to a zero byte, a number, eight bytes of salt, a zero byte: then the capabilities.
    end = greeting.find(b"\0")
    if greeting[0] != MYSQL_PROTOCOL or end < 0 or len(greeting) < end + 16:
        raise StepFailedError("the server does not speak MySQL's protocol", advice_network.other_protocol())
    if not struct.unpack_from("<H", greeting, end + 14)[0] & CLIENT_SSL:
        raise StepFailedError("the server offers no TLS", advice_network.NO_TLS)
    capabilities = CLIENT_PROTOCOL_41 | CLIENT_SSL | CLIENT_SECURE_CONNECTION
    packet = struct.pack("<IIB23x", capabilities, MYSQL_LONGEST_PACKET, MYSQL_UTF8MB4)
    writer.write(len(packet).to_bytes(3, "little") + b"\1" + packet)


def certificate_chain(connection: ssl.SSLObject, *, verified: bool) -> tuple[Certificate, ...]:
    """Return the certificates of a connection: the verified chain up to the authority, or the presented one."""
    # CPython 3.13 has public methods, which return only DER; this object has these since 3.10.
    ssl_object = connection._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    chain = ssl_object.get_verified_chain() if verified else ssl_object.get_unverified_chain()
    return tuple(_certificate(one.get_info()) for one in chain or ())


def _certificate(info: Mapping[str, Any]) -> Certificate:
    return Certificate(
        subject=_common_name(info.get("subject", ())),
        issuer=_common_name(info.get("issuer", ())),
        names=tuple(value for _, value in info.get("subjectAltName", ())),
        not_before=datetime.fromtimestamp(ssl.cert_time_to_seconds(info["notBefore"]), UTC),
        not_after=datetime.fromtimestamp(ssl.cert_time_to_seconds(info["notAfter"]), UTC),
    )


def _common_name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    fields = {name: value for part in parts for name, value in part}
    names = ("commonName", "organizationalUnitName", "organizationName")
    return next((fields[name] for name in names if name in fields), "an unnamed subject")
