"""The roles of two servers are switched under load: pools follow, and nothing leaks.

``FAILOVER_SWITCHES=50`` makes the run longer.
"""

import asyncio
import contextlib
import gc
import logging
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiomysql
import asyncpg
import psycopg
import pytest
import sqlalchemy

from tests.failover.conftest import Place, insert, until
from tests.faults.leaks import sockets

pytestmark = pytest.mark.timeout(240)

SIZE = 4
WORKERS = 6
SWITCHES = int(os.environ.get("FAILOVER_SWITCHES", "10"))
LONG = 3600.0  # seconds
KNOWN_ERRORS = {
    # The last is asyncpg 0.32's error for a statement that crosses the server's farewell.
    "asyncpg": (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError),
    "psycopg": (psycopg.Error,),
    "aiomysql": (aiomysql.Error,),
}


@dataclass
class Load:
    """Workers that write, and what came of it."""

    write: Callable[[], Awaitable[None]]
    known_errors: tuple[type[Exception], ...]
    written: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    stopping: bool = False

    async def work(self) -> None:
        while not self.stopping:
            try:
                await self.write()
                self.written += 1
            except self.known_errors as error:
                self.errors[str(getattr(error, "args", [""])[0])] += 1
            await asyncio.sleep(0.01)

    async def writes_again(self) -> None:
        """Wait until every worker has written once more, or as many."""
        enough = self.written + 2 * WORKERS
        await until(lambda: self.written >= enough, 60)


@contextlib.asynccontextmanager
async def under_load(place: Place, write: Callable[[], Awaitable[None]]) -> AsyncIterator[Load]:
    load = Load(write, (*KNOWN_ERRORS[place.driver], sqlalchemy.exc.DBAPIError))
    workers = [asyncio.create_task(load.work()) for _ in range(WORKERS)]
    try:
        await load.writes_again()
        yield load
    finally:
        load.stopping = True
        await asyncio.gather(*workers)


def writing(place: Place, pool: Any) -> Callable[[], Awaitable[None]]:
    async def write() -> None:
        async with place.acquire(pool) as connection:
            await place.write(connection)

    return write


def pool_of(place: Place, **options: Any) -> Any:
    return place.create_pool(SIZE, SIZE, **place.limit(60), **options)


async def test_a_pool_writes_again(place: Place) -> None:
    async with pool_of(place) as pool, under_load(place, writing(place, pool)) as load:
        await place.switch_over()
        await load.writes_again()
        if place.driver == "aiomysql":  # its sessions survive
            assert 1 <= load.errors.total() <= SIZE + WORKERS
            assert set(load.errors) == {"1290"}


async def test_an_engine_writes_again(place: Place) -> None:
    engine = place.create_engine(pool_size=SIZE, max_overflow=0, connect_args=place.limit(60))
    async with under_load(place, lambda: insert(engine)) as load:
        await place.switch_over()
        await load.writes_again()
        if place.driver == "aiomysql":
            assert 1 <= load.errors.total() <= SIZE + WORKERS


async def test_reads_from_readers_go_on(place: Place) -> None:
    async with place.create_pool(1, 1, role="reader", of=place.reader, **place.limit(60)) as pool:

        async def read() -> None:
            async with place.acquire(pool) as connection:
                assert await place.execute(connection, "SELECT 1") == [(1,)]

        await read()
        for _ in range(2):
            await place.switch_over()
            with contextlib.suppress(*KNOWN_ERRORS[place.driver]):  # of a session that ended while it was idle
                await read()
            await read()


async def test_while_names_are_stale_callers_wait(place: Place) -> None:
    async with pool_of(place) as pool, under_load(place, writing(place, pool)) as load:
        await place.switch_over(dns_delay=LONG)
        # Where sessions end, the first logins may meet a server that is starting.
        await until(lambda: place.manager.statistics().wrong_servers >= SIZE)
        errors, written, logins = load.errors.total(), load.written, len(place.writer.logins)
        await asyncio.sleep(2)
        assert load.written == written
        assert load.errors.total() == errors
        assert len(place.writer.logins) - logins <= 5
        place.cluster.update_names()
        await load.writes_again()


async def test_a_crash_of_the_writer_is_survived(place: Place) -> None:
    async with pool_of(place) as pool, under_load(place, writing(place, pool)) as load:
        await asyncio.to_thread(place.cluster.primary.restart, crash=True)
        await load.writes_again()


@pytest.mark.long
async def test_many_switchovers_leak_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    for pool in ("asyncpg.pool", "psycopg.pool"):  # pytest keeps records, and they keep connections and exceptions
        caplog.set_level(logging.CRITICAL, logger=pool)
    tasks, threads = asyncio.all_tasks(), threading.active_count()
    counts: list[int] = []
    async with pool_of(place) as pool, under_load(place, writing(place, pool)) as load:
        for number in range(SWITCHES):
            await place.switch_over()
            await load.writes_again()
            if number == SWITCHES // 2 or number == SWITCHES - 1:
                await until(lambda: place.writer.connections <= SIZE)
                gc.collect()
                counts.append(len(gc.get_objects()))
    await place.left(place.writer, 0)
    await until(lambda: asyncio.all_tasks() == tasks)
    assert threading.active_count() <= threads + 2  # of the loop's executor
    assert counts[1] < counts[0] + 5000
    assert sockets() < 60
