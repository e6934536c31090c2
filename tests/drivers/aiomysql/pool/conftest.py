"""A pool with connection attempts that the test ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import aiomysql
import pytest
from aiomysql.connection import _StreamReader

from aws_iam_async.drivers.aiomysql.pool import Pool

SECONDS = 5


class FakeConnection:
    """What the pool sees of a connection."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._reader: Any = _StreamReader(loop=self.loop)
        self.last_usage = self.loop.time()
        self.closed = False
        self.farewells = 0
        self.in_transaction = False

    def get_transaction_status(self) -> bool:
        return self.in_transaction

    def hang_up(self) -> None:
        """As the server does."""
        self._reader.feed_eof()

    def close(self) -> None:
        self.closed = True
        self._reader = None

    async def ensure_closed(self) -> None:
        if not self.closed:
            await asyncio.sleep(0)
            self.farewells += 1
            self.close()


class Connects:
    """Stands for connecting: ``pending`` are under way, oldest first; ``opened`` is all that ever came of them."""

    def __init__(self) -> None:
        self.pending: list[asyncio.Future[FakeConnection]] = []
        self.opened: list[FakeConnection] = []
        self.started = 0
        self.cancelling: asyncio.Event | None = None  # if given: a cancelled connect ends when this is set

    async def __call__(self) -> FakeConnection:
        self.started += 1
        future: asyncio.Future[FakeConnection] = asyncio.get_running_loop().create_future()
        self.pending.append(future)
        try:
            conn = await future
        except asyncio.CancelledError:
            if self.cancelling:
                await self.cancelling.wait()
            raise
        finally:
            self.pending.remove(future)
        self.opened.append(conn)
        return conn

    async def succeed(self, count: int = 1) -> None:
        self.end(count)
        await ticks()

    def end(self, count: int) -> None:
        """Let the oldest attempts succeed. No waiting task has run yet when this returns."""
        for future in self.pending[:count]:
            future.set_result(FakeConnection())

    async def fail(self, error: BaseException) -> None:
        self.pending[0].set_exception(error)
        await ticks()

    @property
    def open(self) -> int:
        return sum(not conn.closed for conn in self.opened)


async def ticks(count: int = 6) -> None:
    """Let the loop turn: what takes longer than this is no hand-over."""
    for _ in range(count):
        await asyncio.sleep(0)


MakePool: TypeAlias = Callable[..., Pool]


@pytest.fixture(scope="session")
def new_connects() -> type[Connects]:
    return Connects


@pytest.fixture
def connects() -> Connects:
    return Connects()


@pytest.fixture
async def make_pool(connects: Connects) -> Any:
    pools: list[Pool] = []

    def make(**keywords: Any) -> Pool:
        pools.append(Pool(connects, **{"minsize": 0, "maxsize": 3, **keywords}))
        return pools[-1]

    yield make
    for pool in pools:
        pool.terminate()
        async with asyncio.timeout(SECONDS):
            await pool.wait_closed()
    assert connects.open == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def acquiring() -> Iterator[Callable[[aiomysql.Pool], Awaitable["asyncio.Task[Any]"]]]:
    """Begin to acquire, in a task of its own."""
    tasks: list[asyncio.Task[Any]] = []

    async def begin(pool: aiomysql.Pool) -> "asyncio.Task[Any]":
        async def acquire() -> Any:
            return await pool.acquire()

        tasks.append(asyncio.create_task(acquire()))
        await ticks()
        return tasks[-1]

    yield begin
    assert all(task.done() for task in tasks)


@pytest.fixture
def turn() -> Callable[..., Awaitable[None]]:
    return ticks
