"""Without the plugin and the option, drivers' own classes are used. With them, nothing runs while nothing fails."""

import asyncio
import threading
import traceback
from typing import Any

import aiomysql
import asyncpg
import asyncpg.protocol
import psycopg
import psycopg_pool
import pytest

import aws_iam_async
from aws_iam_async import PluginManager
from aws_iam_async.sqlalchemy import create_async_engine
from tests.failover.conftest import SCHEMES, Place

POOLS: dict[str, Any] = {
    "asyncpg": asyncpg.Pool,
    "psycopg": psycopg_pool.AsyncConnectionPool,
    "aiomysql": aiomysql.Pool,
}
CONNECTIONS: dict[str, Any] = {
    "asyncpg": asyncpg.Connection,
    "psycopg": psycopg.AsyncConnection,
    "aiomysql": aiomysql.Connection,
}


def protocol_of(connection: Any) -> Any:
    return connection._protocol


async def test_without_the_plugin(place: Place) -> None:
    async with PluginManager("iam") as manager:
        options = place._options(place.writer)
        async with manager.create_pool(place.writer.dsn("app", "shop"), **options) as pool:
            (connection,) = await place.held(pool, 1)
            if place.driver == "asyncpg":
                assert type(pool) is asyncpg.Pool
                assert type(connection) is asyncpg.Connection
                assert type(protocol_of(connection)) is asyncpg.protocol.Protocol
            elif place.driver == "psycopg":
                assert type(connection).wait is psycopg.AsyncConnection.wait
                assert type(connection) is psycopg.AsyncConnection
            else:
                assert connection.watch is None


async def test_with_the_plugin(place: Place) -> None:
    async with place.create_pool(1, 1) as pool:
        assert isinstance(pool, POOLS[place.driver])
        (connection,) = await place.held(pool, 1)
        assert isinstance(connection, CONNECTIONS[place.driver])
        if place.driver == "asyncpg":
            assert type(connection) is asyncpg.Connection
            assert isinstance(protocol_of(connection), asyncpg.protocol.Protocol)
        elif place.driver == "psycopg":
            assert (type(connection).__name__, type(connection).__module__) == ("AsyncConnection", "psycopg")


async def test_single_connections_are_not_watched(place: Place) -> None:
    async with place.connect() as connection:
        if place.driver == "asyncpg":
            assert type(protocol_of(connection)) is asyncpg.protocol.Protocol
        elif place.driver == "psycopg":
            assert type(connection) is psycopg.AsyncConnection
        else:
            assert connection.watch is None


async def test_nothing_runs_while_nothing_fails(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with PluginManager("iam") as manager:
        options = place._options(place.writer)
        async with manager.create_pool(place.writer.dsn("app", "shop"), **options) as pool:
            await place.held(pool, 1)
            without = len(asyncio.all_tasks())
    least = 10 if place.driver == "asyncpg" else 1
    async with place.create_pool(least, 10) as pool:
        await place.held(pool, 1)
        loop = asyncio.get_running_loop()
        timers: list[str] = []
        call_at = loop.call_at

        def spy(when: float, callback: Any, *args: Any, **keywords: Any) -> asyncio.TimerHandle:
            timers.append("".join(traceback.format_stack()))
            return call_at(when, callback, *args, **keywords)

        monkeypatch.setattr(loop, "call_at", spy)
        threads = threading.active_count()
        async with place.acquire(pool) as connection:
            await place.execute(connection, "SELECT 1")
        monkeypatch.undo()
        assert len(asyncio.all_tasks()) <= without
        assert threading.active_count() == threads
    assert [stack for stack in timers if "retirement.py" in stack or "search.py" in stack] == []


@pytest.mark.parametrize("driver", ["asyncpg"])
async def test_the_setting_of_postgresql_stays_one_without_the_plugin(place: Place) -> None:
    create = "DROP ROLE IF EXISTS app_owner; CREATE ROLE app_owner; GRANT app_owner TO app"
    await asyncio.to_thread(place.cluster.execute, create)
    dsn = f"{place.writer.dsn('app', 'shop')}?role=app_owner"
    async with aws_iam_async.connect(dsn, **place.writer.options) as connection:
        assert await connection.fetchval("SELECT current_user") == "app_owner"


async def test_an_engine_without_the_plugin_has_no_listeners(place: Place) -> None:
    url = place.writer.iam_dsn("app", "shop", scheme=SCHEMES[place.driver])
    engine = create_async_engine(url, credentials=place.writer.account.credentials)
    assert not engine.sync_engine.pool.dispatch.checkout
    assert not engine.sync_engine.pool.dispatch.reset
    armed = place.create_engine()
    assert armed.sync_engine.pool.dispatch.checkout
