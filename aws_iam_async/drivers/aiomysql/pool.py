"""An ``aiomysql.Pool`` that holds no lock while it connects."""

import asyncio
import collections
import logging
from collections.abc import Awaitable, Callable
from operator import methodcaller

import aiomysql

from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.drivers.aiomysql.stubs import TypedPool
from aws_iam_async.drivers.protocol import Lifetimes, Watch, open_together

_logger = logging.getLogger(__name__)

GRACE = 1.0  # seconds
ROLLBACK_TIMEOUT = 5.0  # seconds


class Pool(TypedPool):
    """An ``aiomysql.Pool`` that opens connections concurrently, up to ``maxsize``.

    - A caller gets a free connection at once, even while other connections are being opened.
    - If no connection is free, callers queue. The first in the queue gets the next released or new connection.
    - Each queued caller starts one *dial*, a task that opens a connection. A failed dial fails only the first in the
      queue, with the driver's own error.
    - A caller that is cancelled cancels one unneeded dial. If a release served the caller, the dial goes on, because
      MySQL counts interrupted logins as errors of the client (``max_connect_errors``).
    - A connection that is older than ``lifetime`` is replaced when it is released.
    - If a plugin finds the server changed, all are replaced: idle ones at once, and those in use when released.
    - `close` still serves the callers in the queue. `terminate` fails them.
    """

    def __init__(
        self,
        open_connection: Callable[[], Awaitable[aiomysql.Connection]],
        watch: Watch | None = None,
        lifetime: float | None = None,
        /,
        *,
        minsize: int = 1,
        maxsize: int = 10,
        echo: bool = False,
        pool_recycle: int = -1,
    ) -> None:
        super().__init__(minsize, maxsize, echo, pool_recycle, asyncio.get_running_loop())
        self._open_connection = open_connection
        self._watch = watch
        self._lifetimes = Lifetimes(lifetime, watch)
        # Both are ordered sets, oldest first.
        self._waiters: collections.OrderedDict[asyncio.Future[aiomysql.Connection], None] = collections.OrderedDict()
        self._dials: dict[asyncio.Task[aiomysql.Connection], None] = {}
        self._ending: set[object] = set()  # cancelled dials, and connections that clear() is closing
        self._drained = asyncio.Event()

    @property
    def size(self) -> int:
        """Connections that are free, in use, being opened or being closed. Never over ``maxsize``."""
        return len(self._free) + len(self._used) + len(self._dials) + len(self._ending)

    async def fill(self) -> None:
        """Open the first ``minsize`` connections, before the pool is used.

        MySQL blocks a client that interrupts too many logins (``max_connect_errors``), so they get `GRACE`.
        """
        self._free += await open_together(self._dial, self.minsize, methodcaller("close"), grace=GRACE)

    async def _acquire(self) -> aiomysql.Connection:
        """Implement ``acquire()``, which wraps this coroutine in aiomysql's context manager."""
        if self._closing:
            raise RuntimeError("Cannot acquire connection after closing pool")
        self._close_stale()
        if self._free and self.size >= self.minsize:
            conn = self._free.popleft()
            self._used.add(conn)
            return conn
        waiter: asyncio.Future[aiomysql.Connection] = self._loop.create_future()
        self._waiters[waiter] = None
        self._adjust_dials(refill=True)
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())  # the caller was served and cancelled in the same tick of the loop
            else:
                self._waiters.pop(waiter, None)
                self._adjust_dials(caller_left=True)
            raise

    def release(self, conn: aiomysql.Connection) -> asyncio.Future[None]:
        """Hand a connection to the first in the queue, or keep it. If it is stale or in a transaction, close it."""
        done: asyncio.Future[None] = self._loop.create_future()  # for callers that await it, as aiomysql allows
        done.set_result(None)
        if conn in self._terminated:
            self._terminated.remove(conn)
            return done
        assert conn in self._used, (conn, self._used)  # noqa: S101 - aiomysql's own check
        self._used.remove(conn)
        if self._is_stale(conn):
            conn.close()
        elif self._lifetimes.is_suspect(conn):
            self._ending.add(self._loop.create_task(self._examine(conn)))
        elif conn.get_transaction_status():
            conn.close()
        else:
            self._take_back(conn)
        self._adjust_dials()
        return done

    async def _examine(self, conn: aiomysql.Connection) -> None:
        """Take a connection back that a plugin suspects, and replace all connections if it is right."""
        try:
            async with asyncio.timeout(ROLLBACK_TIMEOUT):
                await conn.rollback()
            if await self._lifetimes.end_all_if_changed(conn):
                for idle in self._free:
                    idle.close()
                self._free.clear()
        except (aiomysql.MySQLError, TimeoutError):
            conn.close()
        except BaseException:
            conn.close()
            raise
        finally:
            self._ending.discard(asyncio.current_task())
            self._take_back(conn)
            self._adjust_dials()

    def _take_back(self, conn: aiomysql.Connection) -> None:
        """Keep a connection that is usable. Replace one that is old."""
        if self._lifetimes.is_over(conn):
            conn.close()
            self._adjust_dials(refill=True)
        elif conn.closed:
            conn.close()
        else:
            self._add_to_pool(conn)

    async def clear(self) -> None:
        """Close all free connections."""
        conns = list(self._free)
        self._free.clear()
        self._ending.update(conns)
        try:
            await asyncio.gather(*(conn.ensure_closed() for conn in conns))
        finally:
            for conn in conns:
                conn.close()
            self._ending.difference_update(conns)
            self._adjust_dials()

    def close(self) -> None:
        """Refuse new callers, serve those in the queue, and close each connection when it is released."""
        super().close()
        self._adjust_dials()

    def terminate(self) -> None:
        """Close the pool and the connections in use at once, and fail the callers in the queue."""
        super().terminate()
        for task in self._ending:
            if isinstance(task, asyncio.Task):
                task.cancel()
        while waiter := self._next_waiter():
            waiter.set_exception(RuntimeError("The pool was terminated before a connection was free"))
        self._adjust_dials()

    async def wait_closed(self) -> None:
        """Wait until all connections are released and closed, and all dials have ended."""
        if not self._closing:
            raise RuntimeError(".wait_closed() should be called after .close()")
        await self.clear()
        await self._drained.wait()
        self._closed = True

    def _is_stale(self, conn: aiomysql.Connection) -> bool:
        # MySQL 8 sends an error packet before it closes an idle connection, so at_eof() can be false.
        if conn.closed or conn._reader.eof_received or conn._reader.exception() is not None:  # noqa: SLF001 - pinned by tests
            return True
        return bool(-1 < self._recycle < self._loop.time() - conn.last_usage)

    def _close_stale(self) -> None:
        for conn in [conn for conn in self._free if self._is_stale(conn)]:
            self._free.remove(conn)
            conn.close()

    def _next_waiter(self) -> asyncio.Future[aiomysql.Connection] | None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():  # it is done if it was cancelled in this tick
                return waiter
        return None

    def _add_to_pool(self, conn: aiomysql.Connection) -> None:
        if waiter := self._next_waiter():
            self._used.add(conn)
            waiter.set_result(conn)
        elif self._closing:
            conn.close()
        else:
            self._free.append(conn)

    def _adjust_dials(self, *, refill: bool = False, caller_left: bool = False) -> None:
        """Start the dials that the queue needs, within ``maxsize``. Every change of the pool calls this.

        A closing pool cancels the unneeded dials. `caller_left` cancels at most one. `refill` also starts those
        missing to ``minsize``, which aiomysql 0.3.2 does on acquire only.
        """
        missing = 0 if self._closing else self.minsize - len(self._free) - len(self._used)
        needed = max(len(self._waiters), missing)
        while len(self._dials) > needed and (self._closing or caller_left):
            caller_left = False
            dial, _ = self._dials.popitem()
            self._ending.add(dial)
            dial.cancel()
        wanted = needed if refill else len(self._waiters)
        while len(self._dials) < wanted and (not self.maxsize or self.size < self.maxsize):
            dial = self._loop.create_task(self._dial(), name="aws_iam_async pool connect")
            self._dials[dial] = None
            dial.add_done_callback(self._on_dial_done)
        if self._closing and not self.size:  # the queue is empty too, or a dial would run
            self._drained.set()

    async def _dial(self) -> aiomysql.Connection:
        conn = await self._open_connection()
        self._lifetimes.start(conn)
        if isinstance(conn, Connection):
            conn.watch = self._watch
        return conn

    def _on_dial_done(self, dial: asyncio.Task[aiomysql.Connection]) -> None:
        cancelled_by_pool = dial in self._ending
        self._ending.discard(dial)
        self._dials.pop(dial, None)
        if not dial.cancelled() and dial.exception() is None:
            self._add_to_pool(dial.result())  # also if the pool's cancellation came too late
        elif not cancelled_by_pool:
            self._on_dial_failed(None if dial.cancelled() else dial.exception())
        self._adjust_dials()

    def _on_dial_failed(self, error: BaseException | None) -> None:
        """Fail the first in the queue, or log. ``None`` is a cancellation from outside, such as by ``asyncio.run``."""
        self._close_stale()
        waiter = None if self._free else self._next_waiter()
        if waiter and error is not None:
            waiter.set_exception(error)
        elif waiter:
            waiter.cancel()
        elif error is not None:
            _logger.warning("Opening a spare connection for the pool failed: %s: %s", type(error).__name__, error)
        if self._free and self._waiters:  # the first in the queue waited only because of minsize
            self._add_to_pool(self._free.popleft())
