"""Clusters with changing roles, each with the drivers and SQLAlchemy engines that can connect to it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiomysql
import asyncpg
import psycopg
import pytest
import sqlalchemy

from aws_iam_async import PluginManager
from aws_iam_async.sqlalchemy import create_async_engine
from aws_iam_async.testing import Emulator, MariadbCluster, PostgresCluster
from tests.emulator.clusters import Endpoints, started
from tests.faults.conftest import asyncio_has_no_complaint

__all__ = ["asyncio_has_no_complaint"]

DRIVERS = ("asyncpg", "psycopg", "aiomysql")
SCHEMES = {"asyncpg": "postgresql+asyncpg", "psycopg": "postgresql+psycopg", "aiomysql": "mysql+aiomysql"}
REFUSED_WRITE = {
    "asyncpg": asyncpg.ReadOnlySQLTransactionError,
    "psycopg": psycopg.errors.ReadOnlySqlTransaction,
    "aiomysql": aiomysql.OperationalError,  # 1290
}
TIMED_OUT = {
    "asyncpg": TimeoutError,
    "psycopg": psycopg.errors.ConnectionTimeout,
    "aiomysql": aiomysql.OperationalError,
}
INSERT = "INSERT INTO t VALUES (1)"


@dataclass
class Place:
    """A cluster as a driver sees it.

    Attributes:
        driver: The name of the driver.
        endpoints: The cluster and its names.
        manager: Makes all connections, with the plugins ``role`` and ``iam``.
    """

    driver: str
    endpoints: Endpoints
    manager: PluginManager
    engines: list[Any] = field(default_factory=list)  # disposed of at the end

    @property
    def cluster(self) -> Any:
        return self.endpoints.cluster

    @property
    def writer(self) -> Emulator:
        return self.endpoints.writer

    @property
    def reader(self) -> Emulator:
        return self.endpoints.reader

    def connect(self, *, role: str = "writer", of: Emulator | None = None, **options: Any) -> Any:
        emulator = of or self.writer
        arguments = self._options(emulator) | options | {"role": role}
        return self.manager.connect(emulator.dsn("app", "shop"), **arguments)

    def create_pool(
        self, least: int, most: int, *, role: str = "writer", of: Emulator | None = None, **options: Any
    ) -> Any:
        emulator = of or self.writer
        names = ("minsize", "maxsize") if self.driver == "aiomysql" else ("min_size", "max_size")
        arguments = self._options(emulator) | options | dict(zip(names, (least, most), strict=True))
        arguments["role"] = role
        return self.manager.create_pool(emulator.dsn("app", "shop"), **arguments)

    def create_engine(self, *, role: str = "writer", of: Emulator | None = None, **options: Any) -> Any:
        emulator = of or self.writer
        url = emulator.iam_dsn("app", "shop", scheme=SCHEMES[self.driver])
        credentials = emulator.account.credentials
        engine = create_async_engine(url, manager=self.manager, role=role, credentials=credentials, **options)
        self.engines.append(engine)
        return engine

    def _options(self, emulator: Emulator) -> dict[str, Any]:
        autocommit = {} if self.driver == "asyncpg" else {"autocommit": True}
        return {**emulator.options, "driver": self.driver, **autocommit}

    def limit(self, seconds: float | None) -> dict[str, Any]:
        """The driver's option for the longest time of an attempt to connect."""
        return {"timeout" if self.driver == "asyncpg" else "connect_timeout": seconds}

    async def execute(self, connection: Any, sql: str) -> list[tuple[Any, ...]]:
        if self.driver == "asyncpg":
            return [tuple(row) for row in await connection.fetch(sql)]
        async with connection.cursor() as cursor:
            await cursor.execute(sql)
            return [] if cursor.description is None else list(await cursor.fetchall())

    async def write(self, connection: Any) -> None:
        await self.execute(connection, INSERT)

    async def refuse_write(self, connection: Any) -> None:
        """Write, and expect the server's refusal as the driver's own exception."""
        with pytest.raises(REFUSED_WRITE[self.driver]):
            await self.write(connection)

    def acquire(self, pool: Any) -> Any:
        """A connection of a pool, as an asynchronous context manager."""
        return pool.connection() if self.driver == "psycopg" else pool.acquire()

    async def take(self, pool: Any) -> Any:
        return await (pool.getconn() if self.driver == "psycopg" else pool.acquire())

    async def give(self, pool: Any, connection: Any) -> None:
        await (pool.putconn(connection) if self.driver == "psycopg" else pool.release(connection))

    async def close(self, connection: Any) -> None:
        await (connection.ensure_closed() if self.driver == "aiomysql" else connection.close())

    async def held(self, pool: Any, count: int) -> list[Any]:
        """The driver's connections that a pool gives to so many callers at once."""
        taken = await asyncio.gather(*(self.take(pool) for _ in range(count)))
        found = [physical(connection) for connection in taken]
        for connection in taken:
            await self.give(pool, connection)
        return found

    def is_closed(self, connection: Any) -> bool:
        return bool(connection.is_closed() if self.driver == "asyncpg" else connection.closed)

    async def demote(self) -> None:
        """Make the primary read-only, while its sessions live on."""
        await asyncio.to_thread(_set_read_only, self.cluster.primary, is_on=True)

    async def promote(self) -> None:
        await asyncio.to_thread(_set_read_only, self.cluster.primary, is_on=False)

    async def switch_over(self, **options: Any) -> None:
        await asyncio.to_thread(self.cluster.switch_over, **options)

    async def left(self, of: Emulator, count: int) -> None:
        """Wait until exactly ``count`` connections are open."""
        await asyncio.to_thread(of.wait_for_connections, count)


def physical(connection: Any) -> Any:
    """The driver's connection behind the proxy of asyncpg's pool."""
    return getattr(connection, "_con", connection)


def _set_read_only(server: Any, *, is_on: bool) -> None:
    if server.upstream.protocol == "mysql":
        server.execute(f"SET GLOBAL read_only={int(is_on)}")
        return
    change = "SET default_transaction_read_only = on" if is_on else "RESET default_transaction_read_only"
    server.execute(f"ALTER SYSTEM {change}")
    server.execute("SELECT pg_reload_conf()")
    # The postmaster tells its sessions before it makes another one that sees the change.
    probe = (
        f"DO $$ BEGIN ASSERT current_setting('default_transaction_read_only') = '{'on' if is_on else 'off'}'; END $$"
    )
    deadline = time.monotonic() + 10
    while True:
        try:
            server.execute(probe)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
        else:
            return


async def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for what nothing tells."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def closing(place: Place, pool: Any) -> AsyncIterator[Any]:
    """Close what ``async with`` of the package would close."""
    try:
        yield pool
    finally:
        if place.driver == "aiomysql":
            pool.close()
            await pool.wait_closed()
        else:
            await pool.close()


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Endpoints]:
    with started(PostgresCluster()) as endpoints:
        asyncio.run(_create_table(endpoints.writer))
        yield endpoints


async def _create_table(writer: Emulator) -> None:
    async with PluginManager() as manager, manager.connect(writer.dsn("app", "shop"), **writer.options) as connection:
        await connection.execute("CREATE TABLE t (a int); CREATE SEQUENCE numbers")


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[Endpoints]:
    with started(MariadbCluster()) as endpoints:
        endpoints.cluster.execute("CREATE TABLE shop.t (a int)")
        yield endpoints


@pytest.fixture
async def manager() -> AsyncIterator[PluginManager]:
    async with PluginManager("role,iam") as manager:
        yield manager


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def endpoints(driver: str, request: pytest.FixtureRequest) -> Endpoints:
    found: Endpoints = request.getfixturevalue("_mariadb" if driver == "aiomysql" else "_postgres")
    return found


@pytest.fixture
async def place(driver: str, endpoints: Endpoints, manager: PluginManager) -> AsyncIterator[Place]:
    """The cluster of each driver in turn. In the end no connection is left, and the primary accepts writes."""
    place = Place(driver, endpoints, manager)
    place.cluster.update_names()
    place.writer.reset()
    place.reader.reset()
    # What a driver imports or looks up once is there before a test counts.
    async with place.connect():
        pass
    yield place
    for engine in place.engines:
        await engine.dispose()
    place.cluster.update_names()
    await place.promote()
    await place.left(place.writer, 0)
    await place.left(place.reader, 0)


async def insert(engine: Any) -> None:
    """Write a row through SQLAlchemy."""
    async with engine.begin() as connection:
        await connection.execute(sqlalchemy.text(INSERT))
