"""A relay that delays all data between a client and a local server by 20 ms in each direction.

The relay runs in a process of its own, so that it does not take time from the event loop. It adds latency and does not
limit the bandwidth: data that was sent in quick succession arrives in quick succession.
"""

import asyncio
import collections
import contextlib
import multiprocessing
import socket
from collections.abc import Iterator
from typing import Any, TypeAlias

ONE_WAY = 0.02
"""The delay in each direction, in seconds."""

Target: TypeAlias = int | str
"""A port on 127.0.0.1, or the path of a unix socket."""


@contextlib.contextmanager
def between(*targets: Target) -> Iterator[list[int]]:
    """Run the relay, and yield a port on 127.0.0.1 for each target."""
    context = multiprocessing.get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_relay, args=(child_end, targets), daemon=True)
    process.start()
    child_end.close()  # so that the parent notices the end of the child
    try:
        yield parent_end.recv()
    finally:
        process.terminate()
        process.join()


def _relay(child_end: Any, targets: tuple[Target, ...]) -> None:
    asyncio.run(_serve(child_end, targets))


async def _serve(child_end: Any, targets: tuple[Target, ...]) -> None:
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda target=target: _Client(target), "127.0.0.1", 0, backlog=1024)  # type: ignore[misc]  # mypy does not infer it
        for target in targets
    ]
    child_end.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.Event().wait()


class _Side(asyncio.Protocol):
    """One end of a connection through the relay. The other end sends the received data after the delay.

    Attributes:
        other: The other end, once it is connected.
        transport: The transport of this end.
    """

    other: "_Side"
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._in_transit: collections.deque[bytes] = collections.deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport, and send without Nagle's algorithm."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        connected: socket.socket = transport.get_extra_info("socket")
        if connected.family == socket.AF_INET:  # asyncio of Python 3.11 does not set this for accepted sockets
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Deliver the data after the delay."""
        self._in_transit.append(data)
        self._loop.call_later(ONE_WAY, self._deliver)

    def connection_lost(self, _error: Exception | None) -> None:
        """Close the other end after the delay."""
        self.data_received(b"")

    def _deliver(self) -> None:
        data = self._in_transit.popleft()  # take the oldest data, because timers can fire out of order
        if not data:
            self.other.transport.close()
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)


class _Client(_Side):
    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server after the time of a TCP handshake: SYN, SYN-ACK and ACK.

        The client is connected earlier than over a real network. It gains nothing from that, because the relay reads
        none of its data before the server is connected. In MySQL's protocol, the server also sends the first message.
        """
        super().connection_made(transport)
        self.transport.pause_reading()
        self._loop.call_later(3 * ONE_WAY, self._start_connecting)

    def _start_connecting(self) -> None:
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        self.other = _Side()
        self.other.other = self
        try:
            if isinstance(self._target, str):
                await self._loop.create_unix_connection(lambda: self.other, self._target)
            else:
                await self._loop.create_connection(lambda: self.other, "127.0.0.1", self._target)
        except OSError:
            self.transport.abort()
        else:
            self.transport.resume_reading()
