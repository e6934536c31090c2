"""Messages of the PostgreSQL protocol that a login needs, parsed from and encoded to bytes.

The layouts are from "Message Formats" in the PostgreSQL 18 documentation. The size limits are the server's
``MAX_STARTUP_PACKET_LENGTH`` in pqcomm.h and ``PG_MAX_AUTH_TOKEN_LENGTH`` in auth.h.
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
AUTHENTICATION_CLEARTEXT = 3
AUTHENTICATION_SASL = 10
AUTHENTICATION_SASL_CONTINUE = 11
AUTHENTICATION_SASL_FINAL = 12
SCRAM_SHA_256 = b"SCRAM-SHA-256"

PASSWORD_LENGTHS = range(5, 65_535 + 1)
"""The length field of a PasswordMessage: itself (4 bytes), the password and a zero byte."""

_MAX_STARTUP_LENGTH = 10_000
_PROTOCOL_VERSION = 3


@dataclass(frozen=True)
class Startup:
    """A StartupMessage.

    Attributes:
        packet: The whole message as received, to forward it.
        user: The role to log in as.
        database: The database. If the message names none, it is PostgreSQL's default, the name of the role.
    """

    packet: bytes
    user: str
    database: str


def first_packet_size(length: int) -> int:
    """Return how many bytes follow the header of a first packet, from the length field in the header.

    Raises:
        MalformedMessageError: The length is out of range.
    """
    if not HEADER.size <= length <= _MAX_STARTUP_LENGTH:
        raise MalformedMessageError("invalid length of the first packet")
    return length - HEADER.size


def read_startup(packet: bytes) -> Startup:
    """Parse a StartupMessage.

    Raises:
        MalformedMessageError: The packet is not a StartupMessage or names no user.
    """
    _, version = HEADER.unpack_from(packet)
    fields = packet[HEADER.size :].split(b"\0")
    # Names and values, each ended by a zero byte, then a final zero byte.
    if version >> 16 != _PROTOCOL_VERSION or fields[-2:] != [b"", b""] or len(fields) % 2:
        raise MalformedMessageError("the first packet is not a StartupMessage of protocol 3")
    parameters = dict(zip(fields[:-2:2], fields[1:-2:2], strict=True))
    try:
        user = parameters.get(b"user", b"").decode()
        database = parameters.get(b"database", b"").decode() or user
    except UnicodeDecodeError:
        raise MalformedMessageError("the StartupMessage is not in UTF-8") from None
    if not user:
        raise MalformedMessageError("the StartupMessage names no user")
    return Startup(packet, user, database)


def message(kind: bytes, body: bytes) -> bytes:
    """Encode a message."""
    return kind + struct.pack("!I", len(body) + 4) + body


def cleartext_password_request() -> bytes:
    """Return AuthenticationCleartextPassword."""
    return message(b"R", struct.pack("!I", AUTHENTICATION_CLEARTEXT))


def scram_request() -> bytes:
    """Return AuthenticationSASL with SCRAM-SHA-256 as the only mechanism."""
    return message(b"R", struct.pack("!I", AUTHENTICATION_SASL) + SCRAM_SHA_256 + b"\0\0")


def scram_challenge(client_first: str) -> bytes:
    """Return AuthenticationSASLContinue with a random salt, as PostgreSQL does also for users that do not exist.

    Args:
        client_first: The client's first SCRAM message, with its nonce (RFC 5802).
    """
    nonce = client_first.rpartition("r=")[2] + base64.b64encode(secrets.token_bytes(18)).decode()
    salt = base64.b64encode(secrets.token_bytes(16)).decode()
    return message(b"R", struct.pack("!I", AUTHENTICATION_SASL_CONTINUE) + f"r={nonce},s={salt},i=4096".encode())


def password_refused(user: str) -> bytes:
    """Return PostgreSQL's error for a wrong password and for a user that does not exist."""
    return _fatal("28P01", f'password authentication failed for user "{user}"')  # invalid_password


def authentication_refused(user: str) -> bytes:
    """Return RDS's error for a token that it refuses. It is the same for every reason."""
    return _fatal("28000", f'PAM authentication failed for user "{user}"')  # invalid_authorization_specification


def connection_refused(problem: str, hint: str | None = None) -> bytes:
    """Return the error with which Aurora DSQL refuses a connection.

    Args:
        problem: Its reason, for example ``access denied``, which it says for every token that it refuses.
        hint: What it adds to some reasons. Default: nothing.
    """
    return _fatal("08006", f"unable to accept connection, {problem}", hint)  # connection_failure


def is_unknown_user(answer: bytes, user: str) -> bool:
    """Return whether an answer ends with the real server's error for a user that it does not know.

    A server that requests a password does not tell such a user from a wrong password.
    """
    unknown = f'Mrole "{user}" does not exist'.encode()
    return bool({unknown, b"C28P01"} & set(answer.split(b"\0")))


def encryption_required(address: str, user: str, database: str) -> bytes:
    """Return the error of RDS with ``rds.force_ssl`` for a client without TLS."""
    return _fatal(  # invalid_authorization_specification
        "28000",
        f'no pg_hba.conf entry for host "{address}", user "{user}", database "{database}", no encryption',
    )


def starting_up() -> bytes:
    """Return the error of a server that does not yet accept connections."""
    return _fatal("57P03", "the database system is starting up")  # cannot_connect_now


def _fatal(sqlstate: str, text: str, hint: str | None = None) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": text} | ({} if hint is None else {"H": hint})
    return message(b"E", "".join(f"{key}{value}\0" for key, value in fields.items()).encode() + b"\0")
