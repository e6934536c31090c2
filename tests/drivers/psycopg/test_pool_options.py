"""psycopg's own options of a pool work as they do there, and each connection logs in through the plugins."""

import asyncio
from typing import Any

import psycopg
import psycopg_pool
import pytest
from psycopg.rows import DictRow, dict_row

from aws_iam_async import PluginManager
from tests.login.conftest import Rds

pytestmark = pytest.mark.usefixtures("nothing_left")


class OwnConnection(psycopg.AsyncConnection[DictRow]):
    @classmethod
    async def connect(cls, conninfo: str = "", **keywords: Any) -> Any:
        keywords["application_name"] = "own"
        return await super().connect(conninfo, **keywords)


async def test_an_own_class_and_row_factory(manager: PluginManager, rds: Rds) -> None:
    options = {**rds.options, "connection_class": OwnConnection, "row_factory": dict_row, "autocommit": True}
    async with manager.create_pool(rds.dsn, **options, min_size=1) as pool, pool.connection() as connection:
        assert isinstance(connection, OwnConnection)
        assert connection.autocommit
        cursor = await connection.execute("SHOW application_name")
        assert await cursor.fetchone() == {"application_name": "own"}
    async with manager.connect(rds.dsn, **options) as connection:
        assert type(connection) is OwnConnection


async def test_expired_connections_are_replaced_through_the_plugins(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=1, max_lifetime=0.01) as pool:
        for _ in range(3):
            async with pool.connection() as connection:
                assert await rds.value(connection, "SELECT 1") == 1
                await asyncio.sleep(0.02)
        async with asyncio.timeout(10):
            await pool.getconn()
    assert len(rds.emulator.logins) >= 4
    assert all(login.accepted for login in rds.emulator.logins)
    assert manager.statistics().generations == 1


async def test_lost_connections_are_replaced_on_check(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=2, check=check) as pool:
        rds.emulator.cut_connections()
        async with pool.connection() as connection:
            assert await rds.value(connection, "SELECT 1") == 1
    assert len(rds.emulator.logins) >= 3


async def check(connection: psycopg.AsyncConnection) -> None:
    await psycopg_pool.AsyncConnectionPool.check_connection(connection)


async def test_configure_and_reset(manager: PluginManager, rds: Rds) -> None:
    called: list[str] = []

    async def configure(connection: psycopg.AsyncConnection) -> None:
        await connection.set_autocommit(True)
        called.append("configure")

    async def reset(connection: psycopg.AsyncConnection) -> None:
        assert connection.autocommit
        called.append("reset")

    options: dict[str, Any] = {"configure": configure, "reset": reset, "min_size": 1}
    async with manager.create_pool(rds.dsn, **rds.options, **options) as pool:
        async with pool.connection():
            pass
        await pool.wait()
    assert called == ["configure", "reset"]


async def test_close_returns(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=1, max_size=1, close_returns=True) as pool:
        first = await pool.getconn()
        await first.close()
        assert await pool.getconn() is first
        await pool.putconn(first)
    assert len(rds.emulator.logins) == 1


@pytest.mark.parametrize("wait", [False, True])
async def test_opened_later(manager: PluginManager, rds: Rds, *, wait: bool) -> None:
    pool = await manager.create_pool(rds.dsn, **rds.options, min_size=2, open=False)
    assert pool.closed
    assert rds.emulator.connections == 0
    await pool.open(wait=wait)
    async with pool.connection() as connection:
        assert await rds.value(connection, "SELECT 1") == 1
    await pool.close()


async def test_never_opened(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=2, open=False) as pool:
        assert pool.closed


async def test_an_empty_pool_logs_in_when_it_is_used(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=0, max_size=2, name="lazy") as pool:
        assert isinstance(pool, psycopg_pool.AsyncConnectionPool)
        assert pool.name == "lazy"
        assert rds.emulator.connections == 0
        async with pool.connection() as connection:
            assert await rds.value(connection, "SELECT 1") == 1


async def test_a_pool_grows_and_is_resized(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=0, max_size=8) as pool:
        async with rds.acquired(pool, 8) as connections:
            assert [await rds.value(connection, "SELECT 1") for connection in connections] == [1] * 8
        await pool.resize(9, 9)
        await pool.wait()
        assert pool.get_stats()["pool_available"] >= 9


@pytest.mark.parametrize("wrong", [{"min_size": -1}, {"min_size": 3, "max_size": 2}])
async def test_psycopgs_own_errors(manager: PluginManager, rds: Rds, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"min_size|max_size"):
        await manager.create_pool(rds.dsn, **rds.options, **wrong)
    assert rds.emulator.connections == 0
