"""Packets of the MySQL protocol that a login needs, parsed from and encoded to bytes.

The layouts are from "Connection Phase Packets" in the MySQL source documentation and "Connection" in the MariaDB
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

METHOD_CLEARTEXT = "mysql_clear_password"
METHOD_NATIVE = "mysql_native_password"

MAX_LOGIN_PACKET = 1 << 16

_ACCESS_DENIED = 1045
_SALT_SIZE = 20
# Capabilities, packet size, character set and reserved bytes. An SSLRequest has only these.
_RESPONSE_HEADER = struct.Struct("<IIB23s")
_GREETING_TAIL = struct.Struct("<HBHHB10s")


@dataclass(frozen=True)
class Greeting:
    """A server's first packet, protocol version 10.

    Attributes:
        version: The server's version string.
        thread_id: The connection id, for ``KILL``.
        salt: 20 bytes, with which clients scramble passwords.
        capabilities: The server's capability flags.
        charset: The number of the default collation.
        status: The status flags.
        reserved: 10 bytes. MariaDB has its own capability flags in the last 4.
        method: The server's preferred authentication method.
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
    """A client's HandshakeResponse41.

    Attributes:
        header: Capabilities, packet size, character set and reserved bytes as received.
        capabilities: The client's capability flags.
        user: The user to log in as.
        scramble: The authentication data for ``method``.
        database: The initial database. None if the client names none.
        method: The authentication method of ``scramble``. Empty if the client names none.
        attributes: The bytes after ``method`` as received, usually connection attributes.
    """

    header: bytes
    capabilities: int
    user: str
    scramble: bytes = field(repr=False)
    database: str | None
    method: str
    attributes: bytes


def packet(payload: bytes, sequence: int) -> bytes:
    """Encode a packet. The payload must be shorter than 16 MiB."""
    return struct.pack("<I", len(payload))[:3] + bytes([sequence % 256]) + payload


def read_header(header: bytes) -> tuple[int, int]:
    """Return the payload length and the sequence number from a packet's header.

    Raises:
        MalformedMessageError: The length is out of range for a login.
    """
    length = int.from_bytes(header[:3], "little")
    if not 0 < length <= MAX_LOGIN_PACKET:
        raise MalformedMessageError("invalid length of a login packet")
    return length, header[3]


def read_greeting(payload: bytes) -> Greeting:
    """Parse a server's greeting.

    Raises:
        MalformedMessageError: The packet is not a greeting of protocol version 10.
    """
    fields = _Fields(payload)
    if fields.take(1) != b"\x0a":
        raise MalformedMessageError("the greeting is not of protocol version 10")
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
    """Encode a greeting."""
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
    """Return whether a client's first packet is an SSLRequest."""
    return len(payload) == _RESPONSE_HEADER.size and bool(int.from_bytes(payload[:4], "little") & CLIENT_SSL)


def read_response(payload: bytes) -> Response:
    """Parse a client's HandshakeResponse41.

    Raises:
        MalformedMessageError: The packet is something else, or lacks a capability that MySQL 5.5 clients have.
    """
    fields = _Fields(payload)
    header = fields.take(_RESPONSE_HEADER.size)
    capabilities = int.from_bytes(header[:4], "little")
    for required in (CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH):
        if not capabilities & required:
            raise MalformedMessageError("the client cannot switch to another authentication method")
    user = _text(fields.take_until_zero())
    scramble = fields.take(fields.take_length() if capabilities & CLIENT_PLUGIN_AUTH_LENENC else fields.take(1)[0])
    database = _text(fields.take_until_zero()) if capabilities & CLIENT_CONNECT_WITH_DB else None
    method = _text(fields.take_until_zero())
    return Response(header, capabilities, user, scramble, database or None, method, fields.remaining())


def write_response(response: Response) -> bytes:
    """Encode a HandshakeResponse41 for the real server, without the flag for TLS."""
    parts = [
        struct.pack("<I", response.capabilities & ~CLIENT_SSL) + response.header[4:],
        response.user.encode() + b"\0",
        bytes([len(response.scramble)]) + response.scramble,  # below 251 both encodings of a length are one byte
    ]
    if response.capabilities & CLIENT_CONNECT_WITH_DB:
        parts.append((response.database or "").encode() + b"\0")
    return b"".join([*parts, response.method.encode() + b"\0", response.attributes])


def cleartext_password_request() -> bytes:
    """Return an AuthSwitchRequest to mysql_clear_password."""
    return bytes([AUTH_SWITCH]) + METHOD_CLEARTEXT.encode() + b"\0"


def read_auth_switch(payload: bytes) -> tuple[str, bytes]:
    """Return the method and the salt of an AuthSwitchRequest.

    Raises:
        MalformedMessageError: The packet ends too early.
    """
    fields = _Fields(payload)
    fields.take(1)
    return _text(fields.take_until_zero()), fields.remaining().removesuffix(b"\0")


def is_access_denied(payload: bytes) -> bool:
    """Return whether a packet is a server's error for a user that does not exist, or a wrong password."""
    return payload[0] == ERROR and int.from_bytes(payload[1:3], "little") == _ACCESS_DENIED


def access_denied(user: str, address: str, *, password: bool = True) -> bytes:
    """Return RDS's error for a token that it refuses. It is the same for every reason.

    Args:
        user: The user that the client named.
        address: The address of the client.
        password: Whether the client sent a password.
    """
    using_password = "YES" if password else "NO"
    return _error(
        _ACCESS_DENIED, "28000", f"Access denied for user '{user}'@'{address}' (using password: {using_password})"
    )


def _error(number: int, sqlstate: str, text: str) -> bytes:
    return bytes([ERROR]) + struct.pack("<H", number) + f"#{sqlstate}{text}".encode()


def scramble_native_password(password: str, salt: bytes) -> bytes:
    """Return SHA1(password) xor SHA1(salt + SHA1(SHA1(password))), the proof of mysql_native_password."""
    if not password:
        return b""
    digest = _sha1(password.encode())
    return bytes(a ^ b for a, b in zip(digest, _sha1(salt + _sha1(digest)), strict=True))


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedMessageError("a name in the login packet is not in UTF-8") from None


class _Fields:
    """Reads the fields of a packet in order."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._position = 0

    def take(self, size: int) -> bytes:
        data = self._payload[self._position : self._position + size]
        if len(data) < size:
            raise MalformedMessageError("the login packet ends too early")
        self._position += size
        return data

    def take_until_zero(self) -> bytes:
        end = self._payload.find(b"\0", self._position)
        if end < 0:
            raise MalformedMessageError("the login packet ends within a string")
        data = self._payload[self._position : end]
        self._position = end + 1
        return data

    def take_length(self) -> int:
        """Read a "length-encoded integer"."""
        first = self.take(1)[0]
        size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first)
        return first if size is None else int.from_bytes(self.take(size), "little")

    def remaining(self) -> bytes:
        return self._payload[self._position :]
