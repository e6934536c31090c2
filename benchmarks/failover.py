"""Measures how long a pool with the plugin ``role`` takes to write again after a failover.

The names of the cluster lead to the new writer immediately, or after 2 s as with DNS. The clock starts at that moment
and stops at the first successful write. Six tasks write all the time, through the RDS emulator.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import sqlalchemy

import aws_iam_async
from aws_iam_async.sqlalchemy import create_async_engine
from aws_iam_async.testing import Emulator, MariadbCluster, PostgresCluster
from benchmarks.line import Line, Spread, Target

SWITCHES = 5
WRITERS = 6
DNS_DELAY = 2.0  # seconds
GIVE_UP = 30.0  # seconds
WRITE = "INSERT INTO visits VALUES (1)"

Write: TypeAlias = Callable[[], Awaitable[None]]
Cluster: TypeAlias = PostgresCluster | MariadbCluster
OpenPool: TypeAlias = Callable[[Emulator], contextlib.AbstractAsyncContextManager[Write]]


def measure() -> list[Line]:
    """Run the benchmark."""
    late: dict[float, dict[str, list[float]]] = {0.0: {}, DNS_DELAY: {}}
    for kind, pools in ((PostgresCluster, POSTGRESQL), (MariadbCluster, MYSQL)):
        with kind() as cluster, Emulator(cluster.writer) as writer:
            cluster.create_user("app")
            cluster.create_database("shop", owner="app")
            _create_table(cluster, writer)
            for (name, open_pool), (delay, seconds) in itertools.product(pools.items(), late.items()):
                seconds[f"this package, {name}"] = asyncio.run(_switch(cluster, writer, open_pool, delay))
    names = {0.0: "failover", DNS_DELAY: "failover: late names"}
    return [_line(names[delay], seconds) for delay, seconds in late.items()]


def _line(name: str, seconds: dict[str, list[float]]) -> Line:
    targets = [Target(f"s at most, {subject}", max(several), 1) for subject, several in seconds.items()]
    spreads = {subject: Spread.of(several) for subject, several in seconds.items()}
    return Line(name, "s from the names' change until a pool writes", spreads, targets)


async def _switch(cluster: Cluster, writer: Emulator, open_pool: OpenPool, delay: float) -> list[float]:
    seconds: list[float] = []
    written = asyncio.Event()

    async def keep_writing(write: Write) -> None:
        while True:
            with contextlib.suppress(Exception):
                await write()
                written.set()
            await asyncio.sleep(0.02)

    async with open_pool(writer) as write:
        tasks = [asyncio.create_task(keep_writing(write)) for _ in range(WRITERS)]
        for _ in range(SWITCHES):
            await written.wait()
            await asyncio.to_thread(cluster.switch_over, dns_delay=delay)
            await asyncio.sleep(delay)
            start = time.perf_counter()
            written.clear()
            async with asyncio.timeout(GIVE_UP):
                await written.wait()
            seconds.append(time.perf_counter() - start)
            await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return seconds


def _create_table(cluster: Cluster, writer: Emulator) -> None:
    if isinstance(cluster, MariadbCluster):
        cluster.execute("CREATE TABLE shop.visits (id int)")  # on both servers
    else:
        asyncio.run(_create_as_owner(writer))


async def _create_as_owner(writer: Emulator) -> None:
    async with aws_iam_async.connect(writer.dsn("app", "shop"), driver="asyncpg", **writer.options) as connection:
        await connection.execute("CREATE TABLE visits (id int)")


def _pool(writer: Emulator, driver: Any, **options: Any) -> Any:
    options |= {"plugins": "role,iam", "role": "writer"} | writer.options
    return aws_iam_async.create_pool(writer.dsn("app", "shop"), driver=driver, **options)


@contextlib.asynccontextmanager
async def _asyncpg(writer: Emulator) -> AsyncIterator[Write]:
    async with _pool(writer, "asyncpg", min_size=4, max_size=4) as pool:

        async def write() -> None:
            async with pool.acquire() as connection:
                await connection.execute(WRITE)

        yield write


@contextlib.asynccontextmanager
async def _psycopg(writer: Emulator) -> AsyncIterator[Write]:
    async with _pool(writer, "psycopg", min_size=4, max_size=4) as pool:

        async def write() -> None:
            async with pool.connection() as connection:
                await connection.execute(WRITE)

        yield write


@contextlib.asynccontextmanager
async def _aiomysql(writer: Emulator) -> AsyncIterator[Write]:
    async with _pool(writer, "aiomysql", minsize=4, maxsize=4, connect_timeout=GIVE_UP) as pool:

        async def write() -> None:
            async with pool.acquire() as connection, connection.cursor() as cursor:
                await cursor.execute(WRITE)
                await connection.commit()

        yield write


@contextlib.asynccontextmanager
async def _sqlalchemy(writer: Emulator) -> AsyncIterator[Write]:
    options: dict[str, Any] = {"plugins": "role,iam", "role": "writer", "pool_size": 4, "max_overflow": 0}
    dsn = writer.iam_dsn("app", "shop", scheme="postgresql+asyncpg")
    engine = create_async_engine(dsn, credentials=writer.account.credentials, **options)

    async def write() -> None:
        async with engine.begin() as connection:
            await connection.execute(sqlalchemy.text(WRITE))

    yield write
    await engine.dispose()


POSTGRESQL: dict[str, OpenPool] = {"asyncpg": _asyncpg, "psycopg": _psycopg, "SQLAlchemy with asyncpg": _sqlalchemy}
MYSQL: dict[str, OpenPool] = {"aiomysql": _aiomysql}
