"""Whatever the server does, nothing of the secret leaves before TLS, and the error names the cause."""

import ssl
from typing import Any

import aiomysql
import pytest
from pymysql.constants import CLIENT, CR

import aws_iam_async
from aws_iam_async import ConnectRequest, InsecureTransportError
from aws_iam_async.drivers.aiomysql import AiomysqlDriver

SECRET = "not-to-be-seen-anywhere"


@pytest.mark.parametrize("is_token", [True, False])
async def test_server_without_tls_is_sent_nothing(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any, *, is_token: bool
) -> None:
    server = scripted(lambda wire: wire.greet(without=CLIENT.SSL))
    conn = connection(server.port, tls=trusting, is_token=is_token)
    with pytest.raises(InsecureTransportError, match="offers no TLS"):
        await conn._connect()
    await server.ended()
    assert server.wires[0].plaintext == b""
    await leaks.check()


async def test_secret_for_tls_only_is_not_sent_to_a_unix_socket(mariadb: Any) -> None:
    class Store:
        """A plugin that brings a secret."""

        async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
            return await call_next(request.replace(password=SECRET, tls=request.tls.secured()))

    with pytest.raises(InsecureTransportError, match="not sent over a Unix socket"):
        await aws_iam_async.connect(
            driver="aiomysql", user="app", unix_socket=mariadb.unix_socket, plugins=[Store()], connect_timeout=10
        )


async def test_answer_injected_before_tls_is_refused(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    def script(wire: Any) -> None:
        greeting = wire.greeting()
        wire.number = 3
        wire.sock.sendall(greeting + wire.packet(b"\0\0\0\2\0\0\0"))  # "you are in", for after TLS
        wire.number = 1
        wire.start_tls()

    server = scripted(script)
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(InsecureTransportError, match="more than its greeting"):
        await conn._connect()
    await server.ended()
    await leaks.check()


async def test_answer_injected_with_the_tls_handshake_is_never_read(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    def script(wire: Any) -> None:
        wire.greet()
        wire.receive()
        wire.number = 3
        wire.sock.sendall(wire.packet(b"\0\0\0\2\0\0\0"))
        wire.wait_for_end()

    server = scripted(script)
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match="Can't connect") as caught:
        await conn._connect()
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    await server.ended()
    assert SECRET.encode() not in server.wires[0].plaintext
    await leaks.check()


async def test_password_request_before_tls_is_not_answered(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    def script(wire: Any) -> None:
        wire.greet()
        wire.receive()
        wire.ask_for("mysql_clear_password")
        wire.wait_for_end()

    server = scripted(script)
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match="Can't connect"):
        await conn._connect()
    await server.ended()
    assert SECRET.encode() not in server.wires[0].plaintext
    await leaks.check()


ACCESS_DENIED = b"\xff\x15\x04#28000Access denied for user 'app'@'10.0.0.1'"
UNVERIFIED = "unverified"


async def test_refusal_before_tls_is_no_refused_login(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    """It would make the plugin throw a good token away."""
    server = scripted(lambda wire: wire.send(ACCESS_DENIED))
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match="Access denied") as caught:
        await conn._connect()
    assert not AiomysqlDriver().login_rejected(caught.value)
    assert UNVERIFIED in caught.value.__notes__[0]
    await server.ended()
    assert server.wires[0].plaintext == b""
    await leaks.check()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (b"\xff\x1d\x04#08S01Server shutdown in progress", "1053, 'Server shutdown in progress'"),
        (b"\xff\x87\x04#08S01Got timeout reading communication packets", "1159, 'Got timeout reading"),
        (b"\xff\xbf\x0f#HY000The client was disconnected", "4031, 'The client was disconnected"),
        (b"\xff\x10\x04Too many connections", "1040, 'Too many connections'"),
        (ACCESS_DENIED, '1045, "Access denied'),
    ],
)
@pytest.mark.parametrize("number", [0, 1])
async def test_error_after_the_greeting_is_said(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any, error: bytes, said: str, number: int
) -> None:
    def script(wire: Any) -> None:
        greeting = wire.greeting()
        wire.number = number
        wire.sock.sendall(greeting + wire.packet(error))

    server = scripted(script)
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match=UNVERIFIED) as caught:
        await conn._connect()
    assert caught.value.args[0] == CR.CR_SERVER_LOST
    assert said in str(caught.value)
    assert not AiomysqlDriver().login_rejected(caught.value)
    await server.ended()
    assert SECRET.encode() not in server.wires[0].plaintext
    await leaks.check()


async def test_error_after_the_greeting_that_is_broken(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    server = scripted(lambda wire: wire.sock.sendall(wire.greeting() + wire.packet(b"\xff\x15")))
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match="Malformed packet"):
        await conn._connect()
    await server.ended()
    await leaks.check()


async def test_other_errors_before_tls_are_the_servers_own(
    connection: Any, scripted: Any, trusting: ssl.SSLContext
) -> None:
    server = scripted(lambda wire: wire.send(b"\xff\x10\x04#08004Too many connections"))
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match="Too many connections") as caught:
        await conn._connect()
    assert caught.value.args[0] == 1040


async def test_endless_greeting_is_not_read(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    server = scripted(lambda wire: wire.sock.sendall(b"\xff\xff\xff\0" + bytes(1000)))
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError, match="16777215 bytes are announced"):
        await conn._connect()
    await server.ended()
    await leaks.check()


@pytest.mark.parametrize("stage", ["greeting", "request"])
async def test_server_that_hangs_up_before_tls(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any, stage: str
) -> None:
    def script(wire: Any) -> None:
        wire.greet()
        if stage == "request":
            wire.receive()
        raise ConnectionAbortedError

    server = scripted(script)
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.OperationalError) as caught:
        await conn._connect()
    assert caught.value.args[0] in {2003, 2013}
    await server.ended()
    assert SECRET.encode() not in server.wires[0].plaintext
    await leaks.check()


@pytest.mark.parametrize(
    "noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.9\r\n", bytes(64), b"\x05\0\0\0\x0a"]
)
async def test_server_of_another_kind(
    connection: Any, scripted: Any, trusting: ssl.SSLContext, leaks: Any, noise: bytes
) -> None:
    def script(wire: Any) -> None:
        wire.sock.sendall(noise)
        raise ConnectionAbortedError

    server = scripted(script)
    conn = connection(server.port, tls=trusting, is_token=True)
    with pytest.raises(aiomysql.Error):
        await conn._connect()
    await server.ended()
    assert server.wires[0].plaintext == b""
    await leaks.check()
