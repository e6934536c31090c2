"""A login leaves the session as aiomysql's own would, over TLS or not, at first and on every reconnect."""

import contextlib
import gc
import socket
import ssl
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import aiomysql
import pytest

from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.secret import Secret
from tests.drivers.aiomysql.conftest import login

PASSWORD = "not-to-be-seen-anywhere"

Query = Callable[..., Awaitable[Any]]


async def test_over_tls_with_a_database(connection: Any, mariadb: Any, query: Query, trusting: ssl.SSLContext) -> None:
    conn = connection(mariadb.port, tls=trusting, user="tls_app", db="shop")
    await conn._connect()
    async with conn:
        assert isinstance(conn, aiomysql.Connection)
        assert await query(conn, "SHOW STATUS LIKE 'Ssl_version'") == "TLSv1.3"
        assert await query(conn, "SELECT DATABASE()") == "shop"


async def test_a_static_password_for_tls_only(
    connection: Any, mariadb: Any, query: Query, trusting: ssl.SSLContext
) -> None:
    """As a plugin may bring it that reads passwords from a store: no token, so its hash logs in too."""
    conn = connection(mariadb.port, Secret(PASSWORD), tls=trusting, user="tls_app")
    await conn._connect()
    async with conn:
        assert await query(conn, "SELECT 1") == 1


async def test_in_plaintext_where_nobody_asked_for_tls(connection: Any, mariadb: Any, query: Query) -> None:
    conn = connection(mariadb.port)
    await conn._connect()
    async with conn:
        assert await query(conn, "SHOW STATUS LIKE 'Ssl_version'") == ""


async def test_server_that_vanishes_is_noticed(connection: Any, mariadb: Any, trusting: ssl.SSLContext) -> None:
    conn = connection(mariadb.port, tls=trusting)
    await conn._connect()
    async with conn:
        open_socket = conn._writer.transport.get_extra_info("socket")
        assert open_socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_through_a_unix_socket(connection: Any, mariadb: Any, query: Query) -> None:
    conn = connection(mariadb.port, keywords={"unix_socket": mariadb.unix_socket})
    await conn._connect()
    async with conn:
        assert "UNIX" in conn.host_info
        assert await query(conn, "SELECT 1") == 1


async def test_a_big_answer_comes_whole(connection: Any, mariadb: Any, query: Query, trusting: ssl.SSLContext) -> None:
    conn = connection(mariadb.port, tls=trusting)
    await conn._connect()
    async with conn:
        assert len(await query(conn, "SELECT REPEAT('x', 5000000)")) == 5_000_000


async def test_session_is_set_up(connection: Any, mariadb: Any, query: Query) -> None:
    keywords = {"sql_mode": "'ANSI'", "init_command": "SET @greeting = 'hello'", "autocommit": True}
    conn = connection(mariadb.port, keywords=keywords)
    await conn._connect()
    async with conn:
        assert "ANSI" in await query(conn, "SELECT @@sql_mode")
        assert await query(conn, "SELECT @greeting") == "hello"
        assert await query(conn, "SELECT @@autocommit") == 1


async def test_ping_dials_anew(connection: Any, mariadb: Any, query: Query, trusting: ssl.SSLContext) -> None:
    conn = connection(mariadb.port, tls=trusting, db="shop")
    await conn._connect()
    first = await query(conn, "SELECT CONNECTION_ID()")
    conn.close()
    await conn.ping()
    async with conn:
        assert await query(conn, "SELECT CONNECTION_ID()") != first
        assert await query(conn, "SELECT DATABASE()") == "shop"


async def test_ping_of_a_killed_session_dials_anew(connection: Any, mariadb: Any, query: Query, leaks: Any) -> None:
    conn, other = connection(mariadb.port), connection(mariadb.port)
    await conn._connect()
    await other._connect()
    first = await query(conn, "SELECT CONNECTION_ID()")
    await other.kill(first)
    await conn.ping()
    assert await query(conn, "SELECT CONNECTION_ID()") != first
    await conn.ensure_closed()
    await other.ensure_closed()
    await leaks.check()


async def test_failed_reconnect_leaves_it_closed(mariadb: Any, leaks: Any) -> None:
    ports = [mariadb.port, mariadb.port, 1]  # nothing listens on port 1

    async def dial(conn: Connection) -> None:
        await conn.log_in(login(ports.pop(0)))

    conn = Connection(dial=dial)
    await conn._connect()
    conn.close()
    await conn.ping()
    conn.close()
    with pytest.raises(aiomysql.OperationalError, match="Can't connect") as caught:
        await conn.ping()
    assert caught.value.args[0] == 2003
    assert isinstance(caught.value.__cause__, OSError)
    assert conn.closed
    await leaks.check()


async def test_failure_after_the_login_closes_it(mariadb: Any, leaks: Any) -> None:
    async def dial(conn: Connection) -> None:
        await conn.log_in(login(mariadb.port))
        raise LookupError("a plugin changed its mind")

    conn = Connection(dial=dial)
    with pytest.raises(LookupError):
        await conn._connect()
    assert conn.closed
    await leaks.check()


async def test_closing_is_over_when_awaited(
    connection: Any, mariadb: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    conn = connection(mariadb.port, tls=trusting)
    await conn._connect()
    await conn.ensure_closed()
    assert conn.closed
    await leaks.check()


async def test_closing_without_a_goodbye_closes_at_once(
    connection: Any, mariadb: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    conn = connection(mariadb.port, tls=trusting)
    await conn._connect()
    conn.close()
    await leaks.check()


async def test_dropped_unclosed_it_warns(mariadb: Any, leaks: Any, trusting: ssl.SSLContext) -> None:
    async def dial(conn: Connection) -> None:
        await conn.log_in(login(mariadb.port, tls=trusting))

    conn = Connection(dial=dial)
    await conn._connect()
    with pytest.warns(ResourceWarning, match="Unclosed connection"):
        del conn
    await leaks.check()


async def test_wrong_password_is_the_servers_own_error(connection: Any, mariadb: Any, leaks: Any) -> None:
    conn = connection(mariadb.port, "wrong")
    with pytest.raises(aiomysql.OperationalError) as caught:
        await conn._connect()
    assert caught.value.args[0] == 1045
    await leaks.check()


async def test_untrusted_certificate_is_named(connection: Any, mariadb: Any, leaks: Any) -> None:
    conn = connection(mariadb.port, tls=ssl.create_default_context())
    with pytest.raises(aiomysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        await conn._connect()
    assert caught.value.args[0] == 2003
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    await leaks.check()


async def test_certificate_for_another_host_is_refused(
    connection: Any, mariadb: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    conn = connection(mariadb.port, tls=trusting, host="127.0.0.2")
    with pytest.raises(aiomysql.OperationalError, match=r"127\.0\.0\.2"):
        await conn._connect()
    await leaks.check()


async def test_init_command_that_fails_closes_the_session(
    connection: Any, mariadb: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    conn = connection(mariadb.port, tls=trusting, keywords={"init_command": "no such statement"})
    with pytest.raises(aiomysql.ProgrammingError):
        await conn._connect()
    await leaks.check()


async def test_keywords_that_cannot_be_understood_are_one_error_only(connection: Any, mariadb: Any) -> None:
    with pytest.raises((AttributeError, KeyError)):  # PyMySQL 1.2, 1.1
        connection(mariadb.port, keywords={"charset": "klingon"})


async def test_failed_login_is_not_left_to_the_garbage_collector(mariadb: Any) -> None:
    async def dial(conn: Connection) -> None:
        await conn.log_in(login(mariadb.port, "wrong"))

    gc.disable()
    try:
        conn = Connection(dial=dial)
        with contextlib.suppress(aiomysql.OperationalError):
            await conn._connect()
        left = weakref.ref(conn)
        del conn
        assert left() is None
    finally:
        gc.enable()
