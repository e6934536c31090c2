"""aiomysql's pool and reconnects go through the plugins."""

import asyncio
from typing import Any

import aiomysql
import pytest

from aws_iam_async import PluginManager
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds, give_environment, settle


@pytest.fixture
def database(mysql: Rds, aws_home: AwsHome) -> Rds:
    give_environment(aws_home, mysql.emulator.account.create_access_key())
    return mysql


async def test_a_reconnect_gets_a_fresh_token(database: Rds, aws_home: AwsHome) -> None:
    emulator = database.emulator
    async with PluginManager() as manager:
        connection = await manager.connect(database.dsn, **database.options)
        connection.close()
        emulator.account.revoke(str(emulator.logins[0].access_key_id))
        give_environment(aws_home, emulator.account.create_access_key())
        await connection.ping(reconnect=True)
        assert await database.value(connection, "SELECT database()") == "shop"
        assert (manager.statistics().generations, manager.statistics().connects) == (2, 2)
        await connection.ensure_closed()
    assert [login.accepted for login in emulator.logins] == [True, False, True]


async def test_connect_timeout_bounds_the_wait_for_the_token(database: Rds) -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    tasks = asyncio.all_tasks()
    with pytest.raises(aiomysql.OperationalError) as caught:
        await database.connect(credentials=never, connect_timeout=0.05)
    assert caught.value.args[0] == 2003
    assert isinstance(caught.value.__cause__, TimeoutError)
    await settle()
    assert asyncio.all_tasks() == tasks


async def test_wrong_sizes_are_the_drivers_errors(database: Rds) -> None:
    with pytest.raises(ValueError, match="maxsize should be not less than minsize"):
        await database.create_pool(3, 2)


async def test_pool_options_in_the_dsn(database: Rds) -> None:
    async with PluginManager() as manager:
        dsn = f"{database.dsn}?minsize=2&maxsize=3&pool_recycle=60&connect_timeout=10&autocommit=true"
        async with manager.create_pool(dsn, **database.options) as pool:
            assert (pool.minsize, pool.maxsize, pool.size) == (2, 3, 2)
            async with pool.acquire() as connection:
                assert connection.get_autocommit() is True


async def test_a_reconnect_sets_the_session_up_as_it_was_meant(database: Rds) -> None:
    async with database.connect(charset="latin1", init_command="SET @greeting = 'hello'", db="shop") as connection:
        await connection.autocommit(True)  # noqa: FBT003 - aiomysql's own signature
        await connection.set_charset("utf8mb4")
        database.emulator.cut_connections()
        await asyncio.to_thread(database.emulator.wait_for_connections, 0)
        await connection.ping()
        assert await database.value(connection, "SELECT @greeting") == "hello"
        assert await database.value(connection, "SELECT @@autocommit") == 1
        assert await database.value(connection, "SELECT @@character_set_client") == "utf8mb4"
        assert await database.value(connection, "SELECT database()") == "shop"


async def test_pings_at_the_same_time_leave_one_socket(database: Rds) -> None:
    """aiomysql's connections are for one task at a time: some of the pings fail, and no socket is lost to that."""
    async with database.connect() as connection:
        connection.close()
        async with asyncio.timeout(20):
            await asyncio.gather(*(connection.ping() for _ in range(5)), return_exceptions=True)
            await connection.ping()
        await asyncio.to_thread(database.emulator.wait_for_connections, 1)
        assert await database.value(connection, "SELECT 1") == 1


async def test_echo_is_asked_of_the_pool_and_said_of_its_connections(database: Rds) -> None:
    async with database.create_pool(1, 1, echo=True) as pool, pool.acquire() as connection:
        assert (pool.echo, connection.echo) == (True, True)


async def test_cleared_while_it_grows(database: Rds) -> None:
    async with database.create_pool(1, 3) as pool:
        growing = [asyncio.ensure_future(pool.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        await pool.clear()
        connections = await asyncio.gather(*growing)
        for connection in connections:
            assert await database.value(connection, "SELECT 1") == 1
            pool.release(connection)
        await pool.clear()
        assert (pool.size, pool.freesize) == (0, 0)
