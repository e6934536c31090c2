"""A secret that needs TLS answers one question only: ``mysql_clear_password``, asked by the server, over TLS.

No server but RDS asks it without a licence or PAM, so the server here is a script over real TLS.
"""

import ssl
from collections.abc import Callable
from typing import Any

import aiomysql
import pytest

from aws_iam_async import InsecureTransportError

SECRET = "host:3306/?Action=connect&" + 60 * "not-to-be-seen-anywhere."
OK = b"\0\0\0\2\0\0\0"


def logged_in(wire: Any) -> None:
    wire.send(OK)
    wire.number = 0
    wire.receive()  # SET AUTOCOMMIT
    wire.send(OK)


@pytest.fixture
def log_in(connection: Any, scripted: Any, trusting: ssl.SSLContext) -> Callable[..., Any]:
    """Log in to a script, and return the connection and the script's record of what it was sent over TLS."""

    async def start(
        script: Callable[[Any, list[bytes]], None], *, default: str = "mysql_native_password", **keywords: Any
    ) -> Any:
        sent: list[bytes] = []

        def whole(wire: Any) -> None:
            wire.greet(default)
            wire.start_tls()
            sent.append(wire.receive())
            script(wire, sent)

        server = scripted(whole)
        conn = connection(server.port, SECRET, tls=trusting, is_token=True, keywords=keywords)
        try:
            await conn._connect()
        except BaseException:
            await server.ended()
            raise
        finally:
            conn.close()
            await server.ended()
            conn.sent = sent
            for wire in server.wires:
                assert b"not-to-be-seen" not in wire.plaintext
            assert b"not-to-be-seen" not in sent[0]
        return conn

    return start


def asked(wire: Any, sent: list[bytes]) -> None:
    wire.ask_for("mysql_clear_password")
    sent.append(wire.receive())
    logged_in(wire)


@pytest.mark.parametrize(
    "default", ["mysql_native_password", "caching_sha2_password", "sha256_password", "mysql_clear_password", ""]
)
async def test_sent_when_asked_for_whatever_the_default(log_in: Any, default: str) -> None:
    conn = await log_in(asked, default=default)
    assert conn.sent[1] == SECRET.encode() + b"\0"
    # Named first, these two would have the server take what comes with the name for the password.
    assert not {b"mysql_clear_password", b"sha256_password"} & set(conn.sent[0].split(b"\0"))


@pytest.mark.parametrize("chosen", ["mysql_clear_password", "sha256_password", "mysql_native_password"])
async def test_sent_when_asked_for_whatever_was_chosen(log_in: Any, chosen: str) -> None:
    conn = await log_in(asked, auth_plugin=chosen)
    assert conn.sent[1] == SECRET.encode() + b"\0"
    assert conn._client_auth_plugin == chosen


@pytest.mark.parametrize(
    "method",
    [
        "mysql_native_password",
        "mysql_old_password",
        "caching_sha2_password",
        "sha256_password",
        "client_ed25519",
        "dialog",
        "authentication_ldap_sasl_client",
    ],
)
async def test_refused_to_every_other_method(log_in: Any, method: str) -> None:
    later: list[bytes] = []

    def script(wire: Any, _: list[bytes]) -> None:
        wire.ask_for(method)
        later.append(wire.receive())

    with pytest.raises(InsecureTransportError, match=method):
        await log_in(script)
    assert later == []


@pytest.mark.parametrize("default", ["caching_sha2_password", "sha256_password"])
async def test_refused_to_full_authentication(log_in: Any, default: str) -> None:
    later: list[bytes] = []

    def script(wire: Any, _: list[bytes]) -> None:
        wire.send(b"\x01\x04")
        later.append(wire.receive())

    with pytest.raises((InsecureTransportError, aiomysql.OperationalError)):
        await log_in(script, default=default)
    assert later == []


async def test_old_switch_without_a_method_gets_nothing_of_it(log_in: Any) -> None:
    later: list[bytes] = []

    def script(wire: Any, _: list[bytes]) -> None:
        wire.send(b"\xfe")
        later.append(wire.receive())
        wire.send(b"\xff\x15\x04#28000Access denied")

    with pytest.raises(InsecureTransportError, match=r"a hash as of MySQL 4\.0"):
        await log_in(script)
    assert b"not-to-be-seen" not in b"".join(later)


@pytest.mark.parametrize("second", ["mysql_clear_password", "mysql_native_password", "caching_sha2_password"])
async def test_asked_twice_it_is_sent_once(log_in: Any, second: str) -> None:
    later: list[bytes] = []

    def script(wire: Any, sent: list[bytes]) -> None:
        wire.ask_for("mysql_clear_password")
        sent.append(wire.receive())
        wire.ask_for(second)
        later.append(wire.receive())

    with pytest.raises(InsecureTransportError, match="second method"):
        await log_in(script)
    assert later == []


async def test_refusal_of_the_secret_is_the_servers_own_error(log_in: Any) -> None:
    def script(wire: Any, sent: list[bytes]) -> None:
        wire.ask_for("mysql_clear_password")
        sent.append(wire.receive())
        wire.send(b"\xff\x15\x04#28000Access denied for user 'app'@'10.0.0.1' (using password: YES)")

    with pytest.raises(aiomysql.OperationalError, match="Access denied") as caught:
        await log_in(script)
    assert caught.value.args[0] == 1045


async def test_nothing_of_it_stays_on_the_connection(log_in: Any) -> None:
    conn = await log_in(asked)
    del conn.sent
    assert "not-to-be-seen" not in "".join(str(value) for value in vars(conn).values())


async def test_real_account_without_iam_is_refused_by_the_server(
    connection: Any, mariadb: Any, trusting: ssl.SSLContext
) -> None:
    conn = connection(mariadb.port, SECRET, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match="Access denied"):
        await conn._connect()
