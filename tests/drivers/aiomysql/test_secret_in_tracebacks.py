"""Reporters print local variables: none of a failed login holds the secret."""

import asyncio
import ssl
import traceback
from collections.abc import Callable
from typing import Any

import pytest

SECRET = "not-to-be-seen-anywhere"


def clear(wire: Any) -> None:
    wire.ask_for("mysql_clear_password")
    wire.receive()


def denied(wire: Any) -> None:
    clear(wire)
    wire.send(b"\xff\x15\x04#28000Access denied")


def hung_up(wire: Any) -> None:
    clear(wire)
    raise ConnectionAbortedError


def full_sha2(wire: Any) -> None:
    wire.ask_for("caching_sha2_password")
    wire.receive()
    wire.send(b"\x01\x04")
    wire.receive()
    wire.send(b"\xff\x15\x04#28000Access denied")


def sha256(wire: Any) -> None:
    wire.ask_for("sha256_password")
    wire.receive()
    wire.send(b"\xff\x15\x04#28000Access denied")


def out_of_step(wire: Any) -> None:
    clear(wire)
    wire.number = 99
    wire.send(b"\0\0\0\2\0\0\0")


@pytest.mark.parametrize("is_token", [True, False])
@pytest.mark.parametrize("default", ["mysql_native_password", "sha256_password", "mysql_clear_password"])
@pytest.mark.parametrize("script", [denied, hung_up, full_sha2, sha256, out_of_step])
async def test_failed_login(
    connection: Any,
    scripted: Any,
    trusting: ssl.SSLContext,
    script: Callable[[Any], None],
    default: str,
    *,
    is_token: bool,
) -> None:
    def whole(wire: Any) -> None:
        wire.greet(default)
        wire.start_tls()
        wire.receive()
        script(wire)

    server = scripted(whole)
    conn = connection(server.port, SECRET, tls=trusting, is_token=is_token)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any, none of them may tell
        await conn._connect()
    report = list(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert any("log_in" in line for line in report)
    # The test's own frames know the secret of course.
    told = [
        line for line in report if SECRET in line and __name__.rpartition(".")[2] not in line and "conftest" not in line
    ]
    assert told == []


async def test_cancelled_login(connection: Any, scripted: Any, trusting: ssl.SSLContext) -> None:
    loop = asyncio.get_running_loop()
    sent = asyncio.Event()

    def script(wire: Any) -> None:
        wire.greet()
        wire.start_tls()
        wire.receive()
        clear(wire)
        loop.call_soon_threadsafe(sent.set)

    server = scripted(script)
    conn = connection(server.port, SECRET, tls=trusting)
    login = asyncio.create_task(conn._connect())
    await sent.wait()
    login.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await login
    report = list(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert any("log_in" in line for line in report)
    assert [line for line in report if SECRET in line and "conftest" not in line and "test_" not in line] == []
