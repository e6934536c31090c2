"""An ``aiomysql.Pool`` that holds no lock while it connects.

The private names of aiomysql used here are pinned by ``tests/drivers/test_private_names.py``.
"""

import asyncio
import collections
import logging
from collections.abc import Awaitable, Callable

import aiomysql

from aws_iam_async.drivers.aiomysql.typed import TypedPool

_logger = logging.getLogger(__name__)

GRACE = 1.0  # seconds


class Pool(TypedPool):
    """Connections for many tasks, opened concurrently up to ``maxsize``.

    Same methods, properties and meaning as ``aiomysql.Pool``; what differs is who waits for what:

    - Who acquires takes a free connection at once, whoever else is connecting.
    - Who finds none free stands in line, and the first in line gets the next connection, be it released or new.
    - As many *dials* (connects in progress, each a task) run as stand in line, within ``maxsize``. One that fails
      fails exactly one, the longest in line, with the driver's own error.
    - Who gives up standing in line takes the latest dial along, if nobody else needs it. But a dial goes on when who
      started it was served by a release meanwhile: a busy pool grows, instead of beginning connects over and over,
      which servers count as errors of this client (MySQL: ``max_connect_errors``).
    - Whoever stood in line when the pool was closed is still served; ``terminate()`` sends them away with an error.

    Args:
        open_connection: Opens one physical connection.
        minsize: Connections to open first, and to come back to: whoever acquires when there are fewer stands in line
            for a new one, as in aiomysql, while the others go on with the free ones.
        maxsize: Connections at most; 0 for no limit.
        echo: Only to be asked for; echoing is the connections' own business.
        pool_recycle: Seconds after its last use from which a connection is replaced; -1 for never.
        loop: The event loop; default: the running one.

    Raises:
        ValueError: ``minsize`` is negative, or over ``maxsize``.
    """

    def __init__(
        self,
        open_connection: Callable[[], Awaitable[aiomysql.Connection]],
        /,
        *,
        minsize: int = 1,
        maxsize: int = 10,
        echo: bool = False,
        pool_recycle: int = -1,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(
            minsize=minsize,
            maxsize=maxsize,
            echo=echo,
            pool_recycle=pool_recycle,
            loop=loop or asyncio.get_running_loop(),
        )
        self._open = open_connection
        # Each in the order of arrival; the keys are all that counts.
        self._line: collections.OrderedDict[asyncio.Future[aiomysql.Connection], None] = collections.OrderedDict()
        self._dials: dict[asyncio.Task[aiomysql.Connection], None] = {}
        self._cancelled_dials: set[asyncio.Task[aiomysql.Connection]] = set()
        self._leaving: set[aiomysql.Connection] = set()
        self._drained = asyncio.Event()

    @property
    def size(self) -> int:
        """Connections that are free, in use, being opened or being closed: never over ``maxsize``."""
        return len(self._free) + len(self._used) + len(self._dials) + len(self._cancelled_dials) + len(self._leaving)

    async def fill(self) -> None:
        """Open the first ``minsize`` connections, all at once.

        To be awaited before anybody else has the pool. If it fails or is cancelled, nothing stays open. When one fails,
        the others have `GRACE` seconds to end by themselves: a server takes a login that is broken off for an error of
        this client, and soon refuses all of its connects (MySQL: ``max_connect_errors``).

        Raises:
            Exception: What the first to fail has failed with.
        """
        failures: list[BaseException] = []
        dials: list[asyncio.Task[None]] = []
        try:
            async with asyncio.TaskGroup() as group:
                dials += [group.create_task(self._open_free(failures, dials)) for _ in range(self.minsize)]
        except BaseExceptionGroup as errors:
            failures += errors.exceptions
        except BaseException:
            self._close_free()
            raise
        if len(self._free) < self.minsize:  # out here, because a handler would put the group into the error's context
            self._close_free()
            raise failures[0] if failures else asyncio.CancelledError  # by a stranger, or from within

    async def _open_free(self, failures: list[BaseException], dials: "list[asyncio.Task[None]]") -> None:
        try:
            self._free.append(await self._open())
        except Exception as error:  # noqa: BLE001 - fill() raises it
            if not failures:
                self._loop.call_later(GRACE, _cancel, dials)
            failures.append(error)

    def _close_free(self) -> None:
        while self._free:
            self._free.popleft().close()

    async def _acquire(self) -> aiomysql.Connection:
        """What ``acquire()`` of aiomysql wraps."""
        if self._closing:
            raise RuntimeError("Cannot acquire connection after closing pool")
        self._drop_stale()
        if self._free and self.size >= self.minsize:
            return self._lend(self._free.popleft())
        place: asyncio.Future[aiomysql.Connection] = self._loop.create_future()
        self._line[place] = None
        self._settle(refill=True)
        try:
            return await place
        except BaseException:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.release(place.result())  # handed over and cancelled in the same tick of the loop
            else:
                self._line.pop(place, None)
                self._settle(given_up=1)
            raise

    def release(self, conn: aiomysql.Connection) -> "asyncio.Future[None]":
        """Give a connection back: to the first in line, else to the free ones. Not a coroutine.

        A connection that is closed, stale or in a transaction is closed, and its place in the pool is free.

        Returns:
            A future that is done already, as aiomysql's callers may await it.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        done.set_result(None)
        if conn in self._terminated:
            self._terminated.remove(conn)
            return done
        assert conn in self._used, (conn, self._used)  # noqa: S101 - aiomysql's own check
        self._used.remove(conn)
        if self._is_stale(conn) or conn.get_transaction_status():
            conn.close()
        else:
            self._admit(conn)
        self._settle()
        return done

    async def clear(self) -> None:
        """Close all connections that are free now."""
        leaving = list(self._free)
        self._free.clear()
        self._leaving.update(leaving)
        try:
            await asyncio.gather(*(conn.ensure_closed() for conn in leaving))
        finally:
            for conn in leaving:
                conn.close()
            self._leaving.difference_update(leaving)
            self._settle()

    def close(self) -> None:
        """Lend no more connections, and close each as it comes back. Those who stand in line are served first."""
        super().close()
        self._settle()

    def terminate(self) -> None:
        """Close the pool and its connections in use at once, and send away those who stand in line."""
        super().terminate()
        while place := self._first_in_line():
            place.set_exception(RuntimeError("The pool was terminated before a connection was free"))
        self._settle()

    async def wait_closed(self) -> None:
        """Wait until all connections have come back and are closed, and no dial is left.

        Raises:
            RuntimeError: The pool has not been closed.
        """
        if not self._closing:
            raise RuntimeError(".wait_closed() should be called after .close()")
        await self.clear()
        await self._drained.wait()
        self._closed = True

    def _is_stale(self, conn: aiomysql.Connection) -> bool:
        """Whether it must not be lent: closed, unused for too long, or the server hung up.

        MySQL 8 writes an error before it hangs up on an idle connection, so the reader need not be at its end.
        """
        if conn.closed or conn._reader.eof_received or conn._reader.exception() is not None:  # noqa: SLF001 - pinned
            return True
        return bool(-1 < self._recycle < self._loop.time() - conn.last_usage)

    def _drop_stale(self) -> None:
        for conn in [conn for conn in self._free if self._is_stale(conn)]:
            self._free.remove(conn)
            conn.close()

    def _lend(self, conn: aiomysql.Connection) -> aiomysql.Connection:
        self._used.add(conn)
        return conn

    def _first_in_line(self) -> "asyncio.Future[aiomysql.Connection] | None":
        """Take the longest in line out of it; ``None`` if nobody is left."""
        while self._line:
            place, _ = self._line.popitem(last=False)
            if not place.done():  # else cancelled in this tick, its task is still to learn of it
                return place
        return None

    def _admit(self, conn: aiomysql.Connection) -> None:
        """Hand a good connection to the first in line, else keep it."""
        if place := self._first_in_line():
            place.set_result(self._lend(conn))
        elif self._closing:
            conn.close()
        else:
            self._free.append(conn)

    def _settle(self, *, refill: bool = False, given_up: int = 0) -> None:
        """Start the dials that are needed, within ``maxsize``: after every change. A closing pool keeps no others.

        Args:
            refill: Also start those that are missing to ``minsize``: aiomysql does so when somebody acquires.
            given_up: How many have left the line without a connection.
        """
        for_line = len(self._line)
        for_minsize = 0 if self._closing else self.minsize - len(self._free) - len(self._used)
        needless = len(self._dials) - max(for_line, for_minsize)
        for _ in range(needless if self._closing else min(needless, given_up)):
            dial, _ = self._dials.popitem()
            self._cancelled_dials.add(dial)
            dial.cancel()
        wanted = max(for_line, for_minsize) if refill else for_line
        while len(self._dials) < wanted and (not self.maxsize or self.size < self.maxsize):
            dial = self._loop.create_task(self._dial(), name="aws_iam_async pool connect")
            self._dials[dial] = None
            dial.add_done_callback(self._dialled)
        if self._closing and not self.size:  # nor does anybody stand in line, or a dial would run
            self._drained.set()

    async def _dial(self) -> aiomysql.Connection:
        return await self._open()

    def _dialled(self, dial: "asyncio.Task[aiomysql.Connection]") -> None:
        """A dial has ended, in whatever way."""
        wanted = dial in self._dials
        self._dials.pop(dial, None)
        self._cancelled_dials.discard(dial)
        error = None if dial.cancelled() else dial.exception()
        if not dial.cancelled() and error is None:
            self._admit(dial.result())  # even if it was cancelled, too late: it is good
        elif wanted:
            self._fail(error)
        self._settle()

    def _fail(self, error: BaseException | None) -> None:
        """Tell of a dial that has failed, or was cancelled by a stranger, as asyncio.run does with all tasks."""
        self._drop_stale()
        if self._free and self._line:
            # Somebody stood in line only to bring the pool back to minsize.
            self._warn(error)
            self._admit(self._free.popleft())
        elif place := self._first_in_line():
            if error is None:
                place.cancel()
            else:
                place.set_exception(error)
        else:
            self._warn(error)

    def _warn(self, error: BaseException | None) -> None:
        if error is not None:
            _logger.warning("Opening a spare connection for the pool failed: %s: %s", type(error).__name__, error)


def _cancel(dials: "list[asyncio.Task[None]]") -> None:
    for dial in dials:
        dial.cancel()
