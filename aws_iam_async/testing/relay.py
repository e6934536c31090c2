"""Bytes both ways between a client and the server behind the emulator, untouched."""

import asyncio

from aws_iam_async.testing.streams import Channel

_CHUNK = 1 << 16


async def relay(client: Channel, server: Channel) -> None:
    """Pass bytes on until both sides have finished.

    A side that does not take its bytes slows the other down. A side that has no more to say is reported to the other,
    which may go on talking if its transport allows that (TLS does not).

    Raises:
        OSError: One side broke the connection off.
    """
    up = asyncio.ensure_future(_pump(client.reader, server.writer))
    down = asyncio.ensure_future(_pump(server.reader, client.writer))
    try:
        await asyncio.gather(up, down)
    finally:
        up.cancel()
        down.cancel()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()
    else:
        sink.close()
