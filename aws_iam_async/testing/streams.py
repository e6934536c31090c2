"""Byte streams of the emulator: bare client sockets, TLS channels, and the relay between client and server."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

from aws_iam_async.drivers.protocol import abort_transport

BUFFER_SIZE = 1 << 18
"""The limit of a StreamReader in bytes."""
_CHUNK_SIZE = 1 << 16
_HANDSHAKE_TIMEOUT = 30.0


class MalformedMessageError(Exception):
    """A peer violated the protocol. The message never quotes received bytes."""


class Channel:
    """A connected pair of a reader and a writer.

    Attributes:
        reader: Reads from the peer.
        writer: Writes to the peer.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Write ``data`` and wait until the write buffer has space again."""
        self.writer.write(data)
        await self.writer.drain()

    async def close(self) -> None:
        """Flush the write buffer and close the connection."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.contextmanager
def aborted_at_exit(channel: Channel) -> Iterator[Channel]:
    """Abort the channel's transport at exit, on every path. After a clean close this does nothing."""
    try:
        yield channel
    finally:
        abort_transport(channel.writer.transport)


async def open_channel(connected: socket.socket, tls: ssl.SSLContext) -> Channel:
    """Do the server's part of a TLS handshake on a bare socket.

    All earlier reads from the socket must have stopped at the end of a message. Bytes that an attacker injects before
    the handshake then become part of it and break it.

    The transport gets a duplicate of the file descriptor. If this coroutine is cancelled just as the handshake
    succeeds, asyncio of Python 3.11 still sends a TLS shutdown in the background. The original descriptor may belong to
    another connection by then.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=BUFFER_SIZE, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, connected.dup(), ssl=tls, ssl_handshake_timeout=_HANDSHAKE_TIMEOUT
    )
    return Channel(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


def hang_up(connected: socket.socket) -> None:
    """Shut down and close a bare socket. This also ends the connection for duplicates of its descriptor."""
    with contextlib.suppress(OSError):  # the peer has already disconnected
        connected.shutdown(socket.SHUT_RDWR)
    connected.close()


async def receive_exactly(connected: socket.socket, size: int) -> bytes:
    """Read exactly ``size`` bytes from a bare socket.

    Raises:
        EOFError: The peer closed the connection before.
    """
    loop = asyncio.get_running_loop()
    data = bytearray()
    while len(data) < size:
        chunk = await loop.sock_recv(connected, size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


async def send(connected: socket.socket, data: bytes) -> None:
    """Send all of ``data`` on a bare socket."""
    await asyncio.get_running_loop().sock_sendall(connected, data)


async def peek(connected: socket.socket) -> bytes:
    """Wait for the first byte on a bare socket and return it without consuming it. Empty if the peer closed."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def set_readable() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(connected, set_readable)
    try:
        await readable
    finally:
        loop.remove_reader(connected)
    return connected.recv(1, socket.MSG_PEEK)


async def relay(client: Channel, server: Channel) -> None:
    """Copy bytes in both directions until one side closes, deliver what it sent, then close both.

    If one side does not read, the other side is slowed down. asyncio has no half-closed TLS connections, so neither has
    the relay.

    Raises:
        OSError: One side aborted the connection.
    """
    copies = {
        asyncio.ensure_future(_copy(client.reader, server.writer)),
        asyncio.ensure_future(_copy(server.reader, client.writer)),
    }
    try:
        finished, _ = await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        for copy in finished:
            copy.result()
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
    await server.close()
    await client.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK_SIZE):
        sink.write(data)
        await sink.drain()
