"""Packets of the MySQL protocol, as far as a login needs them: pure reading and writing of bytes.

Layouts are those of "Connection Phase Packets" in the MySQL source documentation and of "Connection" in the MariaDB
knowledge base.
"""

import hashlib
import struct
from dataclasses import dataclass, field

from aws_iam_async.testing.streams import MalformedMessageError

CLIENT_CONNECT_WITH_DB = 1 << 3
CLIENT_PROTOCOL_41 = 1 << 9
CLIENT_SSL = 1 << 11
CLIENT_SECURE_CONNECTION = 1 << 15
CLIENT_PLUGIN_AUTH = 1 << 19
CLIENT_PLUGIN_AUTH_LENENC = 1 << 21

OK = 0x00
AUTH_SWITCH = 0xFE
ERROR = 0xFF

CLEAR_PASSWORD = "mysql_clear_password"  # noqa: S105 - the name of a method
NATIVE_PASSWORD = "mysql_native_password"  # noqa: S105 - the name of a method

MAX_LOGIN_PACKET = 1 << 16

_ACCESS_DENIED = 1045
_SALT_SIZE = 20
# Capabilities, packet size, character set, reserved: the fixed part of an answer, and the whole of an SSLRequest.
_RESPONSE_HEAD = struct.Struct("<IIB23s")
_GREETING_TAIL = struct.Struct("<HBHHB10s")


@dataclass(frozen=True)
class Greeting:
    """A server's first packet, protocol version 10.

    Attributes:
        version: The server's version text.
        thread_id: The number of the connection, which ``KILL`` takes.
        salt: The twenty bytes for the scrambling of passwords.
        capabilities: What the server can do, one bit each.
        charset: The number of its default collation.
        status: The status flags.
        reserved: Ten bytes, in the last four of which MariaDB keeps capabilities of its own.
        method: The authentication method that the server would like.
    """

    version: bytes
    thread_id: int
    salt: bytes
    capabilities: int
    charset: int
    status: int
    reserved: bytes
    method: str


@dataclass(frozen=True)
class Response:
    """A client's answer to the greeting.

    Attributes:
        head: Capabilities, packet size, character set and reserved bytes as they came.
        capabilities: What the client will use, one bit each.
        user: Who wants to log in.
        scramble: The client's authentication data for ``method``.
        database: The database to start in; None if none was named.
        method: The authentication method that the client used; empty if it does not say.
        rest: What follows that, connection attributes mostly, as it came.
    """

    head: bytes
    capabilities: int
    user: str
    scramble: bytes = field(repr=False)
    database: str | None
    method: str
    rest: bytes


def packet(payload: bytes, sequence: int) -> bytes:
    """Frame a packet of less than 16 MiB."""
    return struct.pack("<I", len(payload))[:3] + bytes([sequence % 256]) + payload


def read_header(header: bytes) -> tuple[int, int]:
    """Return the length and the sequence number in a packet's header.

    Raises:
        MalformedMessageError: No packet of a login is that long.
    """
    length = int.from_bytes(header[:3], "little")
    if not 0 < length <= MAX_LOGIN_PACKET:
        raise MalformedMessageError("a packet of impossible length in a login")
    return length, header[3]


def read_greeting(payload: bytes) -> Greeting:
    """Take a server's greeting apart.

    Raises:
        MalformedMessageError: It is none of protocol version 10.
    """
    fields = _Fields(payload)
    if fields.take(1) != b"\x0a":
        raise MalformedMessageError("a greeting that is not of protocol version 10")
    version = fields.take_until_zero()
    thread_id = int.from_bytes(fields.take(4), "little")
    salt = fields.take(8)
    fields.take(1)
    low, charset, status, high, _, reserved = _GREETING_TAIL.unpack(fields.take(_GREETING_TAIL.size))
    salt += fields.take_until_zero()
    return Greeting(
        version, thread_id, salt, low | high << 16, charset, status, reserved, _text(fields.take_until_zero())
    )


def write_greeting(greeting: Greeting) -> bytes:
    """Put a greeting together."""
    tail = _GREETING_TAIL.pack(
        greeting.capabilities & 0xFFFF,
        greeting.charset,
        greeting.status,
        greeting.capabilities >> 16,
        _SALT_SIZE + 1,
        greeting.reserved,
    )
    return b"".join(
        [
            b"\x0a" + greeting.version + b"\0",
            struct.pack("<I", greeting.thread_id) + greeting.salt[:8] + b"\0",
            tail,
            greeting.salt[8:] + b"\0",
            greeting.method.encode() + b"\0",
        ]
    )


def is_ssl_request(payload: bytes) -> bool:
    """Tell whether a client's first packet asks for TLS before it says who it is."""
    return len(payload) == _RESPONSE_HEAD.size and bool(int.from_bytes(payload[:4], "little") & CLIENT_SSL)


def read_response(payload: bytes) -> Response:
    """Take a client's answer to the greeting apart.

    Raises:
        MalformedMessageError: It is none, or lacks what every client of the last twenty years sends.
    """
    fields = _Fields(payload)
    head = fields.take(_RESPONSE_HEAD.size)
    capabilities = int.from_bytes(head[:4], "little")
    for needed in (CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH):
        if not capabilities & needed:
            raise MalformedMessageError("a client that cannot switch to another authentication method")
    user = _text(fields.take_until_zero())
    scramble = fields.take(fields.take_length() if capabilities & CLIENT_PLUGIN_AUTH_LENENC else fields.take(1)[0])
    database = _text(fields.take_until_zero()) if capabilities & CLIENT_CONNECT_WITH_DB else None
    method = _text(fields.take_until_zero())
    return Response(head, capabilities, user, scramble, database or None, method, fields.rest())


def write_response(response: Response) -> bytes:
    """Put an answer together for the real server, which is spoken to without TLS."""
    parts = [
        struct.pack("<I", response.capabilities & ~CLIENT_SSL) + response.head[4:],
        response.user.encode() + b"\0",
        bytes([len(response.scramble)]) + response.scramble,  # a length below 251 reads the same both ways
    ]
    if response.capabilities & CLIENT_CONNECT_WITH_DB:
        parts.append((response.database or "").encode() + b"\0")
    return b"".join([*parts, response.method.encode() + b"\0", response.rest])


def clear_password_request() -> bytes:
    """Return the server's request to send the password in clear."""
    return bytes([AUTH_SWITCH]) + CLEAR_PASSWORD.encode() + b"\0"


def read_auth_switch(payload: bytes) -> tuple[str, bytes]:
    """Return the method and the salt of a server's request to authenticate in another way.

    Raises:
        MalformedMessageError: The packet makes no sense.
    """
    fields = _Fields(payload)
    fields.take(1)
    return _text(fields.take_until_zero()), fields.rest().removesuffix(b"\0")


def access_denied(user: str, address: str, *, password: bool = True) -> bytes:
    """Return what RDS answers to a token that it does not accept, whatever the reason.

    Args:
        user: Who wanted in.
        address: From where.
        password: Whether the client sent anything to prove it.
    """
    used = "YES" if password else "NO"
    return _error(_ACCESS_DENIED, "28000", f"Access denied for user '{user}'@'{address}' (using password: {used})")


def _error(number: int, sqlstate: str, text: str) -> bytes:
    return bytes([ERROR]) + struct.pack("<H", number) + f"#{sqlstate}{text}".encode()


def scramble_native_password(password: str, salt: bytes) -> bytes:
    """Prove a password with ``mysql_native_password``: SHA1(password) xor SHA1(salt + SHA1(SHA1(password)))."""
    if not password:
        return b""
    once = _sha1(password.encode())
    return bytes(a ^ b for a, b in zip(once, _sha1(salt + _sha1(once)), strict=True))


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedMessageError("a name in a login packet that is not in UTF-8") from None


class _Fields:
    """Reads a packet from left to right."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def take(self, size: int) -> bytes:
        taken = self._payload[self._at : self._at + size]
        if len(taken) < size:
            raise MalformedMessageError("a login packet that ends too early")
        self._at += size
        return taken

    def take_until_zero(self) -> bytes:
        end = self._payload.find(b"\0", self._at)
        if end < 0:
            raise MalformedMessageError("a login packet that ends within a text")
        taken = self._payload[self._at : end]
        self._at = end + 1
        return taken

    def take_length(self) -> int:
        """A "length-encoded integer"."""
        first = self.take(1)[0]
        size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first)
        return first if size is None else int.from_bytes(self.take(size), "little")

    def rest(self) -> bytes:
        return self._payload[self._at :]
