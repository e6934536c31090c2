"""Messages of the PostgreSQL protocol, as far as a login needs them: pure reading and writing of bytes.

Layouts are those of "Message Formats" in the PostgreSQL 18 documentation; the limits are the server's own
(``MAX_STARTUP_PACKET_LENGTH`` in pqcomm.h, ``PG_MAX_AUTH_TOKEN_LENGTH`` in auth.h).
"""

import base64
import secrets
import struct
from dataclasses import dataclass

from aws_iam_async.testing.streams import MalformedMessageError

HEADER = struct.Struct("!II")
CANCEL_REQUEST = 80877102
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104

AUTHENTICATION_OK = 0
_CLEARTEXT_PASSWORD = 3
_SASL = 10
_SASL_CONTINUE = 11

_MAX_STARTUP = 10_000
MAX_PASSWORD = 65_535

_INVALID_AUTHORIZATION = "28000"
_INVALID_PASSWORD = "28P01"  # noqa: S105 - an SQLSTATE
_CANNOT_CONNECT_NOW = "57P03"


@dataclass(frozen=True)
class Startup:
    """A StartupMessage.

    Attributes:
        packet: The whole message as it came, to be passed on.
        user: The role that wants to log in.
        database: The database it asks for; PostgreSQL's default is the one named like the role.
    """

    packet: bytes
    user: str
    database: str


def first_packet_size(length: int) -> int:
    """Return how many bytes follow the header of a first packet, from the length in it.

    Raises:
        MalformedMessageError: No first packet is that long.
    """
    if not HEADER.size <= length <= _MAX_STARTUP:
        raise MalformedMessageError("a first packet of impossible length")
    return length - HEADER.size


def read_startup(packet: bytes) -> Startup:
    """Take a StartupMessage apart.

    Raises:
        MalformedMessageError: It is none, or names no user.
    """
    _, version = HEADER.unpack_from(packet)
    fields = packet[HEADER.size :].split(b"\0")
    # Names and values, each ended by a zero byte, and one more at the end.
    if version >> 16 != 3 or fields[-2:] != [b"", b""] or len(fields) % 2:  # noqa: PLR2004 - protocol 3
        raise MalformedMessageError("a first packet that is no StartupMessage of protocol 3")
    parameters = dict(zip(fields[:-2:2], fields[1:-2:2], strict=True))
    try:
        user = parameters.get(b"user", b"").decode()
        database = parameters.get(b"database", b"").decode() or user
    except UnicodeDecodeError:
        raise MalformedMessageError("a StartupMessage that is not in UTF-8") from None
    if not user:
        raise MalformedMessageError("a StartupMessage without a user")
    return Startup(packet, user, database)


def message(kind: bytes, body: bytes) -> bytes:
    """Frame a message."""
    return kind + struct.pack("!I", len(body) + 4) + body


def cleartext_password_request() -> bytes:
    """Return the server's question for a password in clear."""
    return message(b"R", struct.pack("!I", _CLEARTEXT_PASSWORD))


def scram_request() -> bytes:
    """Return the server's question for a proof that the client knows the user's password."""
    return message(b"R", struct.pack("!I", _SASL) + b"SCRAM-SHA-256\0\0")


def scram_challenge(opening: str) -> bytes:
    """Return what a server says next, whether it knows the user or not: the proof is to be made with this salt.

    Args:
        opening: The client's first message, with its nonce (RFC 5802).
    """
    nonce = opening.rpartition("r=")[2] + base64.b64encode(secrets.token_bytes(18)).decode()
    salt = base64.b64encode(secrets.token_bytes(16)).decode()
    return message(b"R", struct.pack("!I", _SASL_CONTINUE) + f"r={nonce},s={salt},i=4096".encode())


def password_refused(user: str) -> bytes:
    """Return what a server answers to a wrong password, and to a user who does not exist."""
    return _fatal(_INVALID_PASSWORD, f'password authentication failed for user "{user}"')


def authentication_refused(user: str) -> bytes:
    """Return what RDS answers to a token that it does not accept, whatever the reason."""
    return _fatal(_INVALID_AUTHORIZATION, f'PAM authentication failed for user "{user}"')


def encryption_required(address: str, user: str, database: str) -> bytes:
    """Return what RDS with ``rds.force_ssl`` answers to a client without TLS."""
    return _fatal(
        _INVALID_AUTHORIZATION,
        f'no pg_hba.conf entry for host "{address}", user "{user}", database "{database}", no encryption',
    )


def starting_up() -> bytes:
    """Return what a server answers that is up but not ready."""
    return _fatal(_CANNOT_CONNECT_NOW, "the database system is starting up")


def _fatal(sqlstate: str, text: str) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": text}
    return message(b"E", "".join(f"{key}{value}\0" for key, value in fields.items()).encode() + b"\0")
