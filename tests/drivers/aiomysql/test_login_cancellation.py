"""A login that is cancelled, or that the server lets down, at any await leaves no socket and no task behind."""

import asyncio
import ssl
from collections.abc import Coroutine, Generator
from typing import Any

import aiomysql
import pytest


class CancelledAt:
    """Awaits a coroutine in a task that is cancelled at the coroutine's nth wait.

    Args:
        inner: The coroutine.
        nth: Which wait, from 1.
        late: Cancel only when what it waits for is done, and before it has learnt so.
    """

    def __init__(self, inner: Coroutine[Any, Any, None], nth: int, *, late: bool) -> None:
        self.inner = inner
        self.left = nth
        self.late = late

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        while True:
            try:
                waiting = self.inner.send(None)
            except StopIteration:
                return
            self.left -= 1
            if self.left == 0 and self.late and waiting is not None:
                waiting.add_done_callback(lambda _: task.cancel())
            elif self.left == 0:
                task.cancel()
            try:
                yield waiting
            except BaseException as error:  # noqa: BLE001 - handed on whole
                try:
                    self.inner.throw(error)
                except StopIteration:
                    return
                pytest.fail("it went on waiting after it was cancelled")


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize("where", ["tls", "plaintext", "unix socket"])
async def test_cancelled_at_every_await(
    connection: Any, mariadb: Any, trusting: ssl.SSLContext, leaks: Any, where: str, *, late: bool
) -> None:
    for nth in range(1, 100):
        keywords = {"init_command": "SET @greeting = 'hello'", "sql_mode": "'ANSI'", "autocommit": True}
        if where == "unix socket":
            keywords["unix_socket"] = mariadb.unix_socket
        conn = connection(mariadb.port, tls=trusting if where == "tls" else None, keywords=keywords)

        async def log_in(nth: int = nth, conn: Any = conn) -> int:
            login = CancelledAt(conn._connect(), nth, late=late)
            await login
            return login.left

        try:
            left = await asyncio.create_task(log_in())
        except asyncio.CancelledError:
            assert conn.closed
            await leaks.check()
        else:
            assert left > 0
            await conn.ensure_closed()
            await leaks.check()
            assert nth > 5
            return
    pytest.fail("the login never came to its end")


def before_greeting(_: Any) -> None:
    pass


def inside_greeting(wire: Any) -> None:
    wire.sock.sendall(wire.greeting()[:20])


def before_tls(wire: Any) -> None:
    wire.greet()
    wire.receive()


def inside_tls(wire: Any) -> None:
    wire.greet()
    wire.receive()
    wire._read(5)  # of the client's hello
    wire.sock.sendall(b"\x16\x03\x03\x00\x7a\x02")  # the beginning of the server's


def before_login(wire: Any) -> None:
    wire.greet()
    wire.start_tls()
    wire.receive()


def before_answer(wire: Any) -> None:
    before_login(wire)
    wire.ask_for("mysql_clear_password")
    wire.receive()


def before_session(wire: Any) -> None:
    before_answer(wire)
    wire.send(b"\0\0\0\2\0\0\0")
    wire.number = 0
    wire.receive()


STAGES = [before_greeting, inside_greeting, before_tls, inside_tls, before_login, before_answer, before_session]


@pytest.mark.parametrize("stage", STAGES)
async def test_cancelled_while_the_server_stalls(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any, stage: Any
) -> None:
    loop = asyncio.get_running_loop()
    reached = asyncio.Event()

    def script(wire: Any) -> None:
        stage(wire)
        loop.call_soon_threadsafe(reached.set)

    server = scripted(script)
    conn = connection(server.port, tls=trusting, is_token=True)
    login = asyncio.create_task(conn._connect())
    await reached.wait()
    login.cancel()
    with pytest.raises(asyncio.CancelledError):
        await login
    assert conn.closed
    await server.ended()
    await leaks.check()


@pytest.mark.parametrize("stage", STAGES)
async def test_connection_lost(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any, stage: Any
) -> None:
    def script(wire: Any) -> None:
        stage(wire)
        raise ConnectionAbortedError

    server = scripted(script)
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError) as caught:
        await conn._connect()
    assert caught.value.args[0] in {2003, 2013}
    assert conn.closed
    await server.ended()
    await leaks.check()


async def test_nobody_listens(connection: Any, trusting: ssl.SSLContext, leaks: Any) -> None:
    conn = connection(1, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match="Can't connect"):
        await conn._connect()
    await leaks.check()


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_connection_lost_without_an_error_in_the_tls_handshake(
    connection: Any, mariadb: Any, trusting: ssl.SSLContext, leaks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython 3.11 to 3.13 then have no transport to return: a race that no server can be made to win."""

    async def lost(transport: asyncio.Transport, *_: object, **__: object) -> None:
        transport.abort()

    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", lost)
    with pytest.raises(aiomysql.OperationalError, match="lost during the TLS handshake"):
        await connection(mariadb.port, tls=trusting)._connect()
    await leaks.check()
