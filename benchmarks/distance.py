"""Servers of this machine as if they were far away: what is said arrives 20 ms later, in either direction.

The relay runs in a process of its own, so that it steals no loop time. Pieces follow each other as closely as they were
sent: many can be under way at once.
"""

import asyncio
import collections
import contextlib
import multiprocessing
import socket
from collections.abc import Iterator
from typing import Any, TypeAlias

ONE_WAY = 0.02
"""Seconds."""

Target: TypeAlias = int | str
"""A port on 127.0.0.1, or the path of a unix socket."""


@contextlib.contextmanager
def between(*targets: Target) -> Iterator[list[int]]:
    """Yield for each target the port on 127.0.0.1 through which it is far away."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_relay, args=(there, targets), daemon=True)
    process.start()
    there.close()  # or nobody would learn that the other end is gone
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def _relay(there: Any, targets: tuple[Target, ...]) -> None:
    asyncio.run(_serve(there, targets))


async def _serve(there: Any, targets: tuple[Target, ...]) -> None:
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda target=target: _Client(target), "127.0.0.1", 0, backlog=1024)  # type: ignore[misc]  # mypy does not infer it
        for target in targets
    ]
    there.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.Event().wait()


class _Side(asyncio.Protocol):
    """One end of a connection through the relay: what it hears, the other end says a while later.

    Attributes:
        other: The other end, once there is one.
        transport: Where this end speaks.
    """

    other: "_Side"
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._under_way: collections.deque[bytes] = collections.deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Get ready to speak."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        own: socket.socket = transport.get_extra_info("socket")
        if own.family == socket.AF_INET:  # asyncio of Python 3.11 leaves it out for accepted sockets
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Send it on its way."""
        self._under_way.append(data)
        self._loop.call_later(ONE_WAY, self._arrive)

    def connection_lost(self, _error: Exception | None) -> None:
        """Let that arrive as well."""
        self.data_received(b"")

    def _arrive(self) -> None:
        data = self._under_way.popleft()  # the oldest: of two timers the later one may fire first
        if not data:
            self.other.transport.close()
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)


class _Client(_Side):
    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have the server hear of it when it would: SYN, SYN-ACK and ACK are on the way before it can say anything.

        Who connects believes himself connected before that, which helps no one: in MySQL's protocol the server speaks
        first.
        """
        super().connection_made(transport)
        self.transport.pause_reading()
        self._loop.call_later(3 * ONE_WAY, self._dial)

    def _dial(self) -> None:
        self._dialling = self._loop.create_task(self._connect())

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
