"""A closed connection has no socket, whatever the server does about it."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aws_iam_async.drivers.aiomysql import connection as connection_module

OK = b"\0\0\0\2\0\0\0"


def log_in(wire: Any) -> None:
    wire.greet()
    wire.start_tls()
    wire.receive()
    wire.send(OK)
    wire.number = 0
    wire.receive()  # SET AUTOCOMMIT
    wire.send(OK)
    wire.number = 0


@pytest.fixture
def stuck() -> Iterator[Callable[[Any], None]]:
    """A server that reads no more after the login."""
    over = threading.Event()

    def script(wire: Any) -> None:
        log_in(wire)
        over.wait()

    yield script
    over.set()


async def test_server_hears_the_goodbye(connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any) -> None:
    heard: list[bytes] = []

    def script(wire: Any) -> None:
        log_in(wire)
        heard.append(wire.receive())

    server = scripted(script)
    conn = connection(server.port, tls=trusting)
    await conn._connect()
    await conn.ensure_closed()
    await server.ended()
    assert heard == [b"\x01"]
    await leaks.check()


async def test_goodbye_to_a_lost_server_is_no_error(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    def script(wire: Any) -> None:
        log_in(wire)
        raise ConnectionAbortedError

    server = scripted(script)
    conn = connection(server.port, tls=trusting)
    await conn._connect()
    await server.ended()
    await conn.ensure_closed()
    await conn.ensure_closed()
    await leaks.check()


async def test_server_that_is_stuck_is_not_waited_for(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any, stuck: Callable[[Any], None]
) -> None:
    server = scripted(stuck)
    conn = connection(server.port, tls=trusting)
    await conn._connect()
    leaks.count()
    conn.close()
    await leaks.check(fewer=1)


async def test_goodbye_to_a_server_that_is_stuck_has_an_end(
    connection: Any,
    scripted: Any,
    trusting: ssl.SSLContext,
    leaks: Any,
    stuck: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "CLOSE_TIMEOUT", 0.01)
    server = scripted(stuck)
    conn = connection(server.port, tls=trusting)
    await conn._connect()
    leaks.count()
    await conn.ensure_closed()
    await leaks.check(fewer=1)


async def test_goodbye_that_is_cancelled_closes_at_once(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any, stuck: Callable[[Any], None]
) -> None:
    server = scripted(stuck)
    conn = connection(server.port, tls=trusting)
    await conn._connect()
    leaks.count()
    closing = asyncio.create_task(conn.ensure_closed())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await leaks.check(fewer=1)


async def test_reconnect_closes_the_socket_of_a_session_that_went_wrong(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    over = threading.Event()
    answers = [b"\xff\x15\x04#08S01no", OK]

    def script(wire: Any) -> None:
        log_in(wire)
        wire.receive()  # the ping
        wire.send(answers.pop(0))
        over.wait()  # and is stuck

    server = scripted(script)
    conn = connection(server.port, tls=trusting)
    await conn._connect()
    leaks.count()
    await conn.ping()
    await leaks.check(fewer=-1)  # the server's end of either session, and one of ours
    over.set()
    conn.close()
    await server.ended()
