"""The attacks of a hostile server or network, and the outcome that each of them must have."""

import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import methodcaller
from typing import Any, NamedTuple, TypeAlias

import aiomysql
import asyncpg
import psycopg

from aws_iam_async import InsecureTransportError
from aws_iam_async.testing import CertificateKind, Emulator
from tests.attacks.hostile_certificates import Forgery
from tests.attacks.hostile_server import PostgresVictim, Victim, in_the_middle

MYSQL_GONE = aiomysql.OperationalError
LIBPQ = psycopg.OperationalError
IMPATIENT = {
    "asyncpg": {"timeout": 0.5},
    "aiomysql": {"connect_timeout": 0.5},
    "psycopg": {"connect_timeout": 0.5},
}


class Expected(NamedTuple):
    """What the caller has to get.

    Attributes:
        error: The exception's class.
        text: What the exception's text, or its cause's, has to say.
    """

    error: type[BaseException]
    text: str


@dataclass
class Scene:
    """The tools of an attacker.

    Attributes:
        forgery: Certificates.
        emulator: A real server for a man-in-the-middle attack.
        over: Set when the victims have disconnected.
    """

    forgery: Forgery
    emulator: Emulator
    over: threading.Event = field(default_factory=threading.Event)


Act: TypeAlias = Callable[[Any, Scene], None]


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        title: What is done, in words.
        act: Does it to a victim.
        expected: What the caller gets, by driver.
        options: Further options of the connect, by driver.
        asks_in_clear: Whether the server proves who it is and then asks for the token, as the right one does: only then
            may it have it.
    """

    title: str
    act: Act
    expected: dict[str, Expected]
    options: dict[str, dict[str, Any]]
    asks_in_clear: bool


ATTACKS: list[Attack] = []


def attack(
    title: str,
    *,
    asyncpg: tuple[type[BaseException], str],
    aiomysql: tuple[type[BaseException], str],
    psycopg: tuple[type[BaseException], str],
    options: dict[str, dict[str, Any]] | None = None,
    asks_in_clear: bool = False,
) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        expected = {"asyncpg": Expected(*asyncpg), "aiomysql": Expected(*aiomysql), "psycopg": Expected(*psycopg)}
        ATTACKS.append(Attack(title, act, expected, options or {}, asks_in_clear))
        return act

    return add


NO_TLS = (InsecureTransportError, "offers no TLS")


@attack("offers no TLS", asyncpg=NO_TLS, aiomysql=NO_TLS, psycopg=NO_TLS)
def _(victim: Victim, _: Scene) -> None:
    victim.decline_tls()


@attack(
    "offers no TLS, and requests the plaintext password at the same time",
    asyncpg=NO_TLS,
    aiomysql=NO_TLS,
    psycopg=NO_TLS,
)
def _(victim: Victim, _: Scene) -> None:
    victim.decline_tls(extra=lambda: victim.request("clear"))


@attack("removes TLS from the offer of a real server", asyncpg=NO_TLS, aiomysql=NO_TLS, psycopg=NO_TLS)
def _(victim: Victim, scene: Scene) -> None:
    in_the_middle(victim, scene.emulator.port, _without_tls)


def _without_tls(data: bytes) -> bytes:
    if data == b"S":
        return b"N"
    if data[4:5] != b"\x0a":
        return data
    at = data.index(b"\0", 5) + 1 + 4 + 8 + 1  # the lower half of the capabilities in MySQL's greeting
    (flags,) = struct.unpack_from("<H", data, at)
    return data[:at] + struct.pack("<H", flags & ~0x800) + data[at + 2 :]


@attack(
    "requests the plaintext password instead of starting TLS",
    asyncpg=NO_TLS,
    aiomysql=(MYSQL_GONE, "SSL"),
    psycopg=(LIBPQ, "invalid response to SSL negotiation"),
)
def _(victim: Victim, _: Scene) -> None:
    victim.hear_request_for_tls()
    victim.send(victim.request("clear"))


@attack(
    "reports a successful login in plaintext",
    asyncpg=NO_TLS,
    aiomysql=(InsecureTransportError, "more than its greeting"),
    psycopg=(psycopg.errors.ConnectionTimeout, "within 0.5 s"),
    options={"psycopg": {"connect_timeout": 0.5}},  # libpq 18 begins with TLS, and looks at the rest afterwards
)
def _(victim: Victim, _: Scene) -> None:
    victim.agree_on_tls(extra=victim.welcome)


@attack(
    "refuses the login in plaintext, to provoke a retry",
    asyncpg=(ConnectionError, "error response during SSL exchange"),
    aiomysql=(aiomysql.OperationalError, "Access denied"),
    psycopg=(LIBPQ, "error response during SSL exchange"),
)
def _(victim: Victim, _: Scene) -> None:
    if isinstance(victim, PostgresVictim):
        victim.hear_request_for_tls()
    victim.send(victim.refusal())


@attack(
    "refuses the login in plaintext, instead of the TLS handshake",
    asyncpg=(ssl.SSLError, "SSL"),
    aiomysql=(MYSQL_GONE, "SSL"),
    psycopg=(LIBPQ, "SSL error"),
)
def _(victim: Victim, _: Scene) -> None:
    victim.agree_on_tls()
    victim.receive(5)
    victim.send(victim.refusal())


@attack(
    "answers with an HTTP redirect",
    asyncpg=NO_TLS,
    aiomysql=(aiomysql.Error, "Packet sequence number wrong"),
    psycopg=(LIBPQ, "invalid response to SSL negotiation"),
)
def _(victim: Victim, _: Scene) -> None:
    if isinstance(victim, PostgresVictim):
        victim.hear_request_for_tls()
    victim.send(b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n")


@attack(
    "closes the connection after the request for TLS",
    asyncpg=(ConnectionError, "closed the connection"),
    aiomysql=(MYSQL_GONE, "Can't connect"),
    psycopg=(LIBPQ, "server closed the connection"),
)
def _(victim: Victim, _: Scene) -> None:
    victim.hear_request_for_tls()
    victim.hang_up()


@attack(
    "closes the connection after the client's TLS hello",
    asyncpg=(ConnectionError, "closed the connection"),
    aiomysql=(MYSQL_GONE, "Can't connect"),
    psycopg=(LIBPQ, "server closed the connection"),
)
def _(victim: Victim, _: Scene) -> None:
    victim.agree_on_tls()
    victim.receive(5)
    victim.hang_up()


@attack(
    "ends the TLS handshake with an alert",
    asyncpg=(ssl.SSLError, "HANDSHAKE_FAILURE"),
    aiomysql=(MYSQL_GONE, "HANDSHAKE_FAILURE"),
    psycopg=(LIBPQ, "handshake failure"),
)
def _(victim: Victim, _: Scene) -> None:
    victim.agree_on_tls()
    victim.receive(5)
    victim.send(b"\x15\x03\x03\0\2\2\x28")


WAITED = (TimeoutError, "within 0.5 s")
WAITED_MYSQL = (MYSQL_GONE, "within 0.5 s")
WAITED_LIBPQ = (psycopg.errors.ConnectionTimeout, "within 0.5 s")


@attack("sends nothing", asyncpg=WAITED, aiomysql=WAITED_MYSQL, psycopg=WAITED_LIBPQ, options=IMPATIENT)
def _(victim: Victim, _: Scene) -> None:
    victim.wait()


@attack(
    "agrees to TLS and sends nothing more",
    asyncpg=WAITED,
    aiomysql=WAITED_MYSQL,
    psycopg=WAITED_LIBPQ,
    options=IMPATIENT,
)
def _(victim: Victim, _: Scene) -> None:
    victim.agree_on_tls()


@attack(
    "sends an endless TLS handshake, one byte at a time",
    asyncpg=WAITED,
    aiomysql=WAITED_MYSQL,
    psycopg=WAITED_LIBPQ,
    options=IMPATIENT,
)
def _(victim: Victim, scene: Scene) -> None:
    victim.agree_on_tls()
    victim.receive(5)
    victim.send(b"\x16\x03\x03\x40\0\x02\0\x3f\xf0")
    while not scene.over.wait(0.02):
        victim.send(b"\0")


@attack(
    "sends nothing after the TLS handshake",
    asyncpg=WAITED,
    aiomysql=WAITED_MYSQL,
    psycopg=WAITED_LIBPQ,
    options=IMPATIENT,
)
def _(victim: Victim, scene: Scene) -> None:
    victim.agree_on_tls()
    victim.handshake(scene.forgery.valid())
    victim.hear_login()


def presents(
    title: str,
    context: Callable[[Forgery], ssl.SSLContext],
    text: str,
    libpq: str = "certificate verify failed",
    error: type[Exception] = ssl.SSLCertVerificationError,
) -> None:
    """Add an attack with a certificate of the attacker's making."""

    def act(victim: Victim, scene: Scene) -> None:
        victim.agree_on_tls()
        victim.handshake(context(scene.forgery))
        victim.hear_login()
        victim.send(victim.request("clear"))

    attack(title, asyncpg=(error, text), aiomysql=(MYSQL_GONE, text), psycopg=(LIBPQ, libpq))(act)


def passes_on(title: str, kind: CertificateKind, text: str, libpq: str = "certificate verify failed") -> None:
    """Add an attack with a certificate that the emulator presents."""

    def act(victim: Victim, scene: Scene) -> None:
        scene.emulator.faults.certificate = kind
        in_the_middle(victim, scene.emulator.port)

    attack(title, asyncpg=(ssl.SSLCertVerificationError, text), aiomysql=(MYSQL_GONE, text), psycopg=(LIBPQ, libpq))(
        act
    )


MISMATCH = ("Hostname mismatch", "does not match host name")
passes_on("presents an expired certificate", CertificateKind.EXPIRED, "certificate has expired")
passes_on("presents a certificate that is not valid yet", CertificateKind.NOT_YET_VALID, "not yet valid")
passes_on("presents another endpoint's certificate", CertificateKind.OTHER_HOST, *MISMATCH)
passes_on("presents a certificate of an untrusted authority", CertificateKind.UNTRUSTED, "VERIFY_FAILED")
presents("presents a self-signed certificate", Forgery.self_signed, "signed certificate")
presents(
    "presents a certificate signed with a valid server certificate",
    Forgery.signed_by_a_server,
    "invalid CA certificate",
)
presents("presents a client certificate", Forgery.for_clients, "unsuitable certificate purpose")
presents(
    "presents a certificate for the dialled address",
    lambda f: f.for_names("127.0.0.1", "localhost"),
    *MISMATCH,
)
presents(
    "presents a certificate for a name that starts with the endpoint's name",
    lambda f: f.for_names(f"{f.host}.evil.example"),
    *MISMATCH,
)
for _wildcard in ("*", "*.com", "*.us-east-1.rds.amazonaws.com", "shop*.cluster-c9akciq32.us-east-1.rds.amazonaws.com"):
    presents(f"presents a certificate for `{_wildcard}`", methodcaller("for_names", _wildcard), *MISMATCH)
for _version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
    presents(
        f"supports only TLS 1.{_version - ssl.TLSVersion.TLSv1}",
        methodcaller("of_version", _version),
        "PROTOCOL_VERSION",
        "protocol version",
        ssl.SSLError,
    )
presents(
    "offers TLS without a certificate",
    Forgery.without_certificate,
    "HANDSHAKE_FAILURE",
    "handshake failure",
    ssl.SSLError,
)


def _asked_for(method: str, scene: Scene, victim: Victim) -> None:
    victim.agree_on_tls()
    victim.handshake(scene.forgery.valid())
    victim.hear_login()
    victim.send(victim.request(method))


HASH = (InsecureTransportError, "MD5 or SCRAM")


@attack(
    "requests a hash inside TLS (MD5, `mysql_native_password`)",
    asyncpg=HASH,
    aiomysql=(InsecureTransportError, "mysql_native_password"),
    psycopg=(InsecureTransportError, "requested a hashed password"),
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("hash", scene, victim)


@attack(
    "requests a challenge-response inside TLS (SCRAM, `caching_sha2_password`)",
    asyncpg=HASH,
    aiomysql=(InsecureTransportError, "caching_sha2_password"),
    psycopg=(InsecureTransportError, "requested SASL authentication"),
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("challenge", scene, victim)
    if isinstance(victim, PostgresVictim):
        victim.send(victim.challenge())


@attack(
    "requests another method inside TLS (GSSAPI, PAM's `dialog`)",
    asyncpg=(asyncpg.InternalClientError, "gssapi"),
    aiomysql=(InsecureTransportError, "dialog"),
    psycopg=(InsecureTransportError, "requested GSSAPI authentication"),
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("other", scene, victim)


@attack(
    "requests an obsolete hash inside TLS (`crypt`, MySQL 4.0)",
    asyncpg=(asyncpg.InterfaceError, "unsupported authentication method"),
    aiomysql=(InsecureTransportError, "MySQL 4.0"),
    psycopg=(InsecureTransportError, "unknown authentication type"),
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("old", scene, victim)


@attack(
    "requests the token, and then a hash of it",
    asyncpg=HASH,
    aiomysql=(InsecureTransportError, "second method"),
    psycopg=(InsecureTransportError, "requested a hashed password"),
    asks_in_clear=True,
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("clear", scene, victim)
    victim.hear_answer()
    victim.send(victim.request("hash"))


@attack(
    "refuses the token with a message that suggests plaintext",
    asyncpg=(asyncpg.InvalidAuthorizationSpecificationError, "SSL on"),
    aiomysql=(MYSQL_GONE, "Access denied"),
    psycopg=(LIBPQ, "SSL on"),
    asks_in_clear=True,
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("clear", scene, victim)
    victim.hear_answer()
    victim.send(victim.refusal())


@attack(
    "answers the token with invalid data",
    asyncpg=(asyncpg.InterfaceError, "unsupported authentication method"),
    aiomysql=(MYSQL_GONE, "Malformed packet"),
    psycopg=(InsecureTransportError, "unknown authentication type"),
    asks_in_clear=True,
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("clear", scene, victim)
    victim.hear_answer()
    victim.send(victim.nonsense())


@attack(
    "accepts the token, redirects the client to another server, and closes the connection",
    asyncpg=(asyncpg.ConnectionDoesNotExistError, "closed in the middle of operation"),
    aiomysql=(MYSQL_GONE, "Lost connection"),
    psycopg=(LIBPQ, "unexpected eof"),
    asks_in_clear=True,
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("clear", scene, victim)
    victim.hear_answer()
    victim.send(victim.redirect())
    if not isinstance(victim, PostgresVictim):
        victim.hear_answer()
    victim.hang_up()


@attack(
    "closes the connection after it received the token",
    asyncpg=(asyncpg.ConnectionDoesNotExistError, "closed in the middle of operation"),
    aiomysql=(MYSQL_GONE, "Lost connection"),
    psycopg=(LIBPQ, "unexpected eof"),
    asks_in_clear=True,
)
def _(victim: Victim, scene: Scene) -> None:
    _asked_for("clear", scene, victim)
    victim.hear_answer()
    victim.hang_up()


@attack(
    "announces a very large message and does not complete it",
    asyncpg=WAITED,
    aiomysql=(MYSQL_GONE, "bytes are announced"),
    psycopg=(LIBPQ, "invalid authentication request"),
    options={"asyncpg": {"timeout": 0.5}},
)
def _(victim: Victim, scene: Scene) -> None:
    if isinstance(victim, PostgresVictim):
        victim.agree_on_tls()
        victim.handshake(scene.forgery.valid())
        victim.hear_login()
    victim.send(victim.oversized())
