"""A server that asks for a file of the client's, as MySQL's protocol lets it do at any query, does not get it."""

import asyncio
import struct
from pathlib import Path

import pytest

import aws_iam_async

GREETING = (
    b"\x0a8.0.40\0\7\0\0\0abcdefgh\0\xff\xf7\x2d\2\0\xff\xdf\x15" + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0"
)


async def test_the_first_query_is_answered_with_a_wish(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("not-to-be-seen")
    heard = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        for number, payload in ((0, GREETING), (2, b"\0\0\0\2\0\0\0"), (1, b"\xfb" + bytes(path))):
            writer.write(struct.pack("<I", len(payload) | number << 24) + payload)
            heard += await reader.read(1 << 16)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(RuntimeError, match="LOAD_LOCAL"):
            await aws_iam_async.connect(
                f"mysql://app@127.0.0.1:{port}", plugins="", connect_timeout=10, init_command="SELECT 'hello'"
            )
    assert b"SELECT 'hello'" in heard
    assert b"not-to-be-seen" not in heard
