"""Bytes both ways between a client and the server behind the emulator, untouched."""

import asyncio

from aws_iam_async.testing.streams import Channel

_CHUNK = 1 << 16


async def relay(client: Channel, server: Channel) -> None:
    """Pass bytes on until one side has no more to say; what it said is delivered before the other is closed too.

    A side that does not take its bytes slows the other down. There is no half-open state, as TLS has none in asyncio.

    Raises:
        OSError: One side broke the connection off.
    """
    ways = {
        asyncio.ensure_future(_pump(client.reader, server.writer)),
        asyncio.ensure_future(_pump(server.reader, client.writer)),
    }
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in done:
            way.result()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    await server.close()
    await client.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        sink.write(data)
        await sink.drain()
