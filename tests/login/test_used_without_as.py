"""What ``connect()`` and ``create_pool()`` return is used under its own name, as users of asyncpg write it."""

import asyncio

from tests.login.conftest import Rds


async def test_a_pool(rds: Rds) -> None:
    pool = rds.create_pool(1, 2)
    async with pool:
        assert isinstance(await pool, rds.pool_type)
        async with rds.acquired(pool, 2) as connections:
            assert [await rds.value(connection, "SELECT 1") for connection in connections] == [1, 1]
        if rds.driver == "asyncpg":
            assert await pool.fetchval("SELECT 2") == 2
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)
    assert [login.accepted for login in rds.emulator.logins] == [True, True]


async def test_a_connection(rds: Rds) -> None:
    connection = rds.connect()
    async with connection as opened:
        assert isinstance(opened, rds.connection_type)
        assert await connection is opened
        assert await rds.value(connection, "SELECT 1") == 1
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)
    assert [login.accepted for login in rds.emulator.logins] == [True]
