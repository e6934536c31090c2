"""Byte streams of the emulator: the client's, which begins as a bare socket, and the server's behind it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

from aws_iam_async.abort import abort

_BUFFER = 1 << 18
_HANDSHAKE_TIMEOUT = 30.0


class MalformedMessageError(Exception):
    """A peer does not keep to the protocol. The message says how, and never quotes what was received."""


class Channel:
    """A connected pair of a reader and a writer.

    Attributes:
        reader: What the peer sends.
        writer: What goes to the peer.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Write ``data`` and wait until the peer can take more."""
        self.writer.write(data)
        await self.writer.drain()

    async def close(self) -> None:
        """Send what is left and close."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.contextmanager
def aborted_at_exit(channel: Channel) -> Iterator[Channel]:
    """Leave no socket behind, whatever happens; harmless after a clean close."""
    try:
        yield channel
    finally:
        abort(channel.writer.transport)


async def open_channel(connected: socket.socket, tls: ssl.SSLContext) -> Channel:
    """Do the server's part of a TLS handshake on a socket from which only whole messages were read so far.

    Since nothing is read ahead before this, bytes that someone slips in before the handshake become part of it and
    break it.

    The transport has a file descriptor of its own: when this is cancelled as the handshake succeeds, asyncio of Python
    3.11 goes on to say goodbye in the background, and must not do so on what is another connection's by then.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_BUFFER, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, connected.dup(), ssl=tls, ssl_handshake_timeout=_HANDSHAKE_TIMEOUT
    )
    return Channel(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


def hang_up(connected: socket.socket) -> None:
    """Close a bare socket, and end the connection for whoever else has a descriptor of it."""
    with contextlib.suppress(OSError):  # the peer was faster
        connected.shutdown(socket.SHUT_RDWR)
    connected.close()


async def receive_exactly(connected: socket.socket, size: int) -> bytes:
    """Read ``size`` bytes from a bare socket, and not one more.

    Raises:
        EOFError: The peer closed the connection before.
    """
    loop = asyncio.get_running_loop()
    data = bytearray()
    while len(data) < size:
        piece = await loop.sock_recv(connected, size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


async def send(connected: socket.socket, data: bytes) -> None:
    """Send all of ``data`` on a bare socket."""
    await asyncio.get_running_loop().sock_sendall(connected, data)


async def peek(connected: socket.socket) -> bytes:
    """Wait for the first byte on a bare socket and return it without taking it; empty if the peer closed."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def notice() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(connected, notice)
    try:
        await readable
    finally:
        loop.remove_reader(connected)
    return connected.recv(1, socket.MSG_PEEK)
