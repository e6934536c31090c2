"""A transport may be lost and closed already when it is aborted."""

import asyncio
import ssl

import pytest

from aws_iam_async.drivers.protocol import abort_transport
from aws_iam_async.testing import Emulator


async def connected(emulator: Emulator) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(emulator.dial_host, emulator.port)
    writer.write(b"\0\0\0\x08\x04\xd2\x16\x2f")  # SSLRequest
    assert await reader.readexactly(1) == b"S"
    tls = await asyncio.to_thread(ssl.create_default_context, cafile=emulator.ca_file)
    await writer.start_tls(tls, server_hostname=emulator.host)
    return reader, writer


@pytest.mark.parametrize("closes", [0, 1, 2])
async def test_of_a_connection_that_is_lost(rds_postgres: Emulator, closes: int) -> None:
    reader, writer = await connected(rds_postgres)
    rds_postgres.cut_connections()
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    for _ in range(closes):
        writer.transport.close()
    abort_transport(writer.transport)
    assert writer.transport.is_closing()


@pytest.mark.parametrize("closes", [0, 1])
async def test_of_one_that_is_there(rds_postgres: Emulator, closes: int) -> None:
    reader, writer = await connected(rds_postgres)
    for _ in range(closes):
        writer.transport.close()
    abort_transport(writer.transport)
    async with asyncio.timeout(1):  # closing it politely would wait for the server
        await writer.wait_closed()
    assert await reader.read() == b""
