"""A steady load of statements on a pool and on single connections. The result of each statement is checked."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from aws_iam_async import PluginManager
from tests.faults.site import Site

SIZE = 12
WORKERS = 2 * SIZE
PAUSE = 0.02  # seconds between two statements of a worker
LONG_PAUSE = 0.1  # the same for tests that wait for seconds: so many statements would only use the processor
LONGEST = 30.0  # seconds; a statement without any answer after that is lost
RECOVERY = 15.0  # seconds
CONNECT_LIMIT = 3.0  # seconds

_numbers = itertools.count(1)


class Load:
    """Workers that insert unique keys, each in one statement and never twice.

    Args:
        site: The site to connect to.
        pool: The pool to share.
        table: A table for the keys.
        pause: The seconds between two statements of a worker.

    Attributes:
        sent: The number of statements, including those that still wait for a connection.
        answered: The keys of the answered statements.
        alone: How many of them used a connection of their own.
        errors: The errors of the other statements, counted by name.
        stuck: The number of statements without an answer or an error.
    """

    def __init__(self, site: Site, pool: Any, table: str, pause: float) -> None:
        self._site = site
        self._pool = pool
        self._table = table
        self._pause = pause
        self._keys = itertools.count()
        self._stopping = False
        self.sent = 0
        self.answered: set[int] = set()
        self.alone = 0
        self.errors: Counter[str] = Counter()
        self.stuck = 0

    async def work(self) -> None:
        """Insert keys over the pool until the load stops."""
        while not self._stopping:
            await self._insert(lambda: self._site.acquire(self._pool))
            await asyncio.sleep(self._pause)

    async def work_alone(self, connect: Callable[[], Any]) -> None:
        """Insert each key over a connection of its own until the load stops."""
        while not self._stopping:
            self.alone += await self._insert(connect)
            await asyncio.sleep(self._pause)

    async def _insert(self, opening: Callable[[], Any]) -> bool:
        key = next(self._keys)
        self.sent += 1
        try:
            async with asyncio.timeout(LONGEST) as limit, opening() as connection:
                await self._site.execute(connection, f"INSERT INTO {self._table} VALUES ({key})")
        except self._site.known_errors as error:
            if limit.expired():
                self.stuck += 1
            else:
                self.errors[type(error).__name__] += 1
        except TimeoutError:  # aiomysql's users know no other than ours
            self.stuck += 1
        else:
            self.answered.add(key)
            return True
        return False

    def stop(self) -> None:
        """Let the workers end what they have begun, and begin nothing new."""
        self._stopping = True

    async def progress(self, statements: int) -> None:
        """Wait until so many more are answered, and at least one of them over a connection of its own."""
        target, alone = len(self.answered) + statements, self.alone
        async with asyncio.timeout(RECOVERY):
            while len(self.answered) < target or self.alone == alone:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.005)

    async def at_full_size(self) -> None:
        """Wait until as many connections as the pool may have work at the same time, in the midst of the load.

        Raises:
            TimeoutError: It does not come to that within `RECOVERY` seconds.
        """
        async with asyncio.timeout(RECOVERY):
            while not await self._all_work():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)

    async def _all_work(self) -> bool:
        meeting = asyncio.Barrier(SIZE)
        waiting: set[asyncio.Task[Any] | None] = set()  # for a connection

        async def one() -> None:
            waiting.add(asyncio.current_task())
            async with self._site.acquire(self._pool) as connection:
                waiting.remove(asyncio.current_task())
                await self._site.execute(connection, "SELECT 1")
                await meeting.wait()

        tasks = [asyncio.create_task(one()) for _ in range(SIZE)]
        to_cancel = set(tasks)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            # Not those with a statement: if a connection is lost while asyncpg 0.32 asks the server to cancel one, it
            # leaves an exception to the loop.
            await meeting.abort()
            to_cancel &= waiting
        finally:
            for task in to_cancel:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        for error in errors:
            if not isinstance(error, (*self._site.known_errors, asyncio.BrokenBarrierError)):
                raise error
        return not errors

    async def account(self, opening: Any) -> None:
        """Check every statement against the table.

        Args:
            opening: Opens a connection to read it with.

        Raises:
            AssertionError: One ran twice, one that was answered did not run, or one got neither answer nor error.
        """
        async with opening as connection:
            rows = await self._site.execute(connection, f"SELECT k, count(*) FROM {self._table} GROUP BY k")
            await self._site.execute(connection, f"DROP TABLE {self._table}")
        assert [row for row in rows if row[1] != 1] == [], "ran twice"
        assert self.answered - {key for key, _ in rows} == set(), "answered, but not there"
        assert self.stuck == 0, "neither answered nor refused"
        assert self.sent == len(self.answered) + self.errors.total()


@contextlib.asynccontextmanager
async def loaded(site: Site, manager: PluginManager, *, pause: float = PAUSE, **options: Any) -> AsyncIterator[Load]:
    """A pool under load, and one who connects each time. In the end every statement is accounted for."""
    table = f"keys_{next(_numbers)}"
    async with site.connect(manager, **options) as connection:
        await site.execute(connection, f"CREATE TABLE {table} (k int)")
    limited = site.limit(CONNECT_LIMIT) | options
    async with site.create_pool(manager, SIZE // 2, SIZE, **limited) as pool:
        load = Load(site, pool, table, pause)
        workers = [asyncio.create_task(load.work(), name=f"worker {number}") for number in range(WORKERS)]
        workers.append(asyncio.create_task(load.work_alone(lambda: site.connect(manager, **limited)), name="alone"))
        try:
            yield load
        finally:
            load.stop()
            await asyncio.gather(*workers)
    await load.account(site.connect(manager, **options))
