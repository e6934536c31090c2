"""A TCP proxy that breaks what passes through it: late, in single bytes, not at all, or cut off in the middle."""

import asyncio
import contextlib
import random
import socket
import threading
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16
_POLL = 0.005
_STOP_TIMEOUT = 10.0


class Way:
    """What happens to the bytes of one direction, on every connection. Set it at any time and from any thread.

    Attributes:
        delay: Seconds, at most, that a piece waits before it is passed on.
        largest: Bytes in a piece at most; their number is random.
        stalled: Nothing is passed on, and nothing is lost.
        cut_after: A connection is broken off once it has passed so many bytes on; ``None`` for never.
        stall_after: The same, but nothing more is passed on from then.
        passed: Pieces that were passed on.
    """

    def __init__(self) -> None:
        self.heal()
        self.passed = 0

    def heal(self) -> None:
        """Pass everything on at once, as it comes."""
        self.delay = 0.0
        self.largest = _CHUNK
        self.stalled = False
        self.cut_after: int | None = None
        self.stall_after: int | None = None

    def holds(self, passed: int) -> bool:
        """Whether a connection has to wait that has passed so many bytes on."""
        limit = self.stall_after
        return self.stalled or (limit is not None and passed >= limit)


class BreakingProxy:
    """Listens on 127.0.0.1, from a thread of its own, and relays to a port there. A context manager.

    Args:
        target: The port to relay to.
        seed: Of the random sizes and delays.

    Attributes:
        port: The port to connect to.
        to_client: What happens to what the server says.
        to_server: What happens to what the client says.
        refusing: New connections are broken off at once.
    """

    def __init__(self, target: int, *, seed: int = 0) -> None:
        self.target = target
        self.to_client = Way()
        self.to_server = Way()
        self.refusing = False
        self._random = random.Random(seed)
        self._sessions: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._serving = self._loop.create_task(self._serve())
        self._thread = threading.Thread(target=self._run, name=f"proxy to {self.target}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join(_STOP_TIMEOUT)
        if self._thread.is_alive():
            raise RuntimeError("the proxy's thread did not end")

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._sessions)

    def heal(self) -> None:
        """Break nothing any more."""
        self.refusing = False
        self.to_client.heal()
        self.to_server.heal()

    def cut(self) -> None:
        """Break off every connection at once."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def _cut_all(self) -> None:
        for session in self._sessions:
            session.cancel()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serving)
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._listener)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            self._cut_all()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        server: asyncio.StreamWriter | None = None
        try:
            if self.refusing:
                return
            answers, server = await asyncio.open_connection("127.0.0.1", self.target)
            ways = {
                asyncio.ensure_future(self._pump(reader, server, self.to_server)),
                asyncio.ensure_future(self._pump(answers, writer, self.to_client)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # broken off: the error has no caller in the streams' own task
        finally:
            for side in filter(None, (writer, server)):
                side.close()  # what was passed on arrives
                side.transport.abort() if side.transport.get_write_buffer_size() else None
            self._sessions.discard(session)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Way) -> None:
        total = 0
        while data := await source.read(_CHUNK):
            while data:
                while way.holds(total):  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(_POLL)
                if way.delay:
                    await asyncio.sleep(self._random.uniform(0, way.delay))
                size = _CHUNK if way.largest == _CHUNK else self._random.randint(1, way.largest)
                for limit in (way.stall_after, way.cut_after):
                    if limit is not None:
                        size = min(size, limit - total)
                if size <= 0:
                    return
                piece, data = data[:size], data[size:]
                sink.write(piece)
                await sink.drain()
                if size != _CHUNK:
                    await asyncio.sleep(0)  # a piece is to arrive alone
                total += len(piece)
                way.passed += 1
