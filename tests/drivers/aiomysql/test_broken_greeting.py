"""What is no MySQL server, or a broken one, is aiomysql's own error with the reason, not one of the reading's."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable

import aiomysql
import pytest
from pymysql.constants import CR

import aws_iam_async

GREETING = (
    b"\x0a8.0.40\0\7\0\0\0abcdefgh\0\xff\xf7\x2d\2\0\xff\xdf\x15" + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0"
)


class Greeter:
    """A server that sends one packet to each client, and disconnects after the answer."""

    def __init__(self) -> None:
        self.payload = GREETING
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(struct.pack("<I", len(self.payload)) + self.payload)
        await reader.read(1)
        writer.transport.abort()


@pytest.fixture
async def greeter() -> AsyncIterator[Greeter]:
    greeter = Greeter()
    server = await asyncio.start_server(greeter.serve, "127.0.0.1", 0)
    greeter.port = server.sockets[0].getsockname()[1]
    async with server:
        yield greeter


async def refusal(greeter: Greeter) -> aiomysql.OperationalError:
    with pytest.raises(aiomysql.OperationalError) as caught:
        await aws_iam_async.connect(
            driver="aiomysql", host="127.0.0.1", port=greeter.port, user="app", plugins="", connect_timeout=10
        )
    return caught.value


@pytest.mark.parametrize(
    "change",
    [
        lambda greeting: b"\x0a" + b"eight" + greeting[7:],  # a version without a number
        lambda greeting: greeting[:20],
        lambda _: b"HTTP/1.1 400 Bad Request",
        lambda _: b"\xff\x10\x04#\xff\xfe\xfd\xfc\xfb",  # an error with a state that is not valid UTF-8
    ],
    ids=["version", "cut", "HTTP", "error"],
)
async def test_the_reason_is_said(greeter: Greeter, change: Callable[[bytes], bytes]) -> None:
    greeter.payload = change(GREETING)
    error = await refusal(greeter)
    assert error.args == (
        CR.CR_MALFORMED_PACKET,
        "Malformed packet from '127.0.0.1' (the server does not speak MySQL's protocol)",
    )
    assert error.__cause__ is not None


async def test_wherever_it_is_cut_off(greeter: Greeter) -> None:
    numbers = set()
    for length in range(len(GREETING) + 1):
        greeter.payload = GREETING[:length]
        numbers.add((await refusal(greeter)).args[0])
    assert numbers <= {CR.CR_MALFORMED_PACKET, CR.CR_SERVER_LOST}
