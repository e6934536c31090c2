"""One line gives the driver's own connection or pool, logged in with IAM."""

import asyncio
from typing import Any

import aiomysql
import asyncpg
import psycopg
import pytest

import aws_iam_async
from aws_iam_async import PluginManager
from tests.login.conftest import CredentialsEndpoint, Rds


async def test_connect_awaited(rds: Rds) -> None:
    connection = await rds.connect()
    assert isinstance(connection, rds.connection_type)
    assert await rds.value(connection, "SELECT 1") == 1
    await rds.close(connection)
    assert [login.accepted for login in rds.emulator.logins] == [True]


async def test_connect_as_a_context_manager_closes(rds: Rds) -> None:
    async with rds.connect() as connection:
        assert await rds.value(connection, "SELECT 1") == 1
    assert connection.is_closed() if rds.driver == "asyncpg" else connection.closed


async def test_connect_as_a_task(rds: Rds) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(rds.connect())
    await rds.close(task.result())


async def test_the_types_are_the_drivers_own(postgresql: Rds, mysql: Rds, rds: Rds) -> None:
    del rds  # for its access key
    async with postgresql.connect() as connection, postgresql.create_pool(1, 2) as pool:
        assert type(connection) is asyncpg.Connection
        assert type(pool) is asyncpg.Pool
    async with mysql.connect() as connection, mysql.create_pool(1, 2) as pool:
        assert isinstance(connection, aiomysql.Connection)
        assert isinstance(pool, aiomysql.Pool)


async def test_keywords_instead_of_a_dsn(rds: Rds) -> None:
    connection = await aws_iam_async.connect(
        driver=rds.driver,
        host=rds.emulator.dial_host,
        port=rds.emulator.port,
        user="app",
        database="shop",
        **rds.options,
    )
    database = "SELECT database()" if rds.driver == "aiomysql" else "SELECT current_database()"
    assert await rds.value(connection, database) == "shop"
    await rds.close(connection)


async def test_the_driver_as_a_module(rds: Rds) -> None:
    module = {"asyncpg": asyncpg, "aiomysql": aiomysql, "psycopg": psycopg}[rds.driver]
    async with rds.connect(driver=module) as connection:
        assert await rds.value(connection, "SELECT 1") == 1


async def test_iam_options_in_the_dsn(rds: Rds) -> None:
    dsn = f"{rds.dsn}?iam_host={rds.emulator.host}&sslrootcert={rds.emulator.ca_file}&iam_token_expiration=60"
    async with aws_iam_async.connect(dsn) as connection:
        assert await rds.value(connection, "SELECT 1") == 1


async def test_driver_keywords_pass_through(postgresql: Rds, mysql: Rds, rds: Rds) -> None:
    del rds  # for its access key

    class Record(asyncpg.Record):
        pass

    class Mine(asyncpg.Connection):
        pass

    async with postgresql.connect(
        record_class=Record, connection_class=Mine, server_settings={"application_name": "mine"}, command_timeout=5
    ) as connection:
        assert type(connection) is Mine
        assert type(await connection.fetchrow("SELECT 1")) is Record
        assert await connection.fetchval("SHOW application_name") == "mine"
    async with mysql.connect(cursorclass=aiomysql.DictCursor, autocommit=True, charset="utf8mb4") as connection:
        assert connection.get_autocommit() is True
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT 1 AS one")
            assert await cursor.fetchone() == {"one": 1}


async def test_a_pool_grows_to_its_full_size_with_one_token(rds: Rds) -> None:
    async with PluginManager() as manager:
        pool = await manager.create_pool(rds.dsn, **rds.options, **rds.sizes(2, 12))
        async with rds.acquired(pool, 12) as connections:
            values = [await rds.value(connection, "SELECT 1") for connection in connections]
        assert values == [1] * 12
        assert manager.statistics().generations == 1
        assert manager.statistics().connects == 12
        await rds.close_pool(pool)


async def test_300_cold_connects_make_one_credentials_request_and_one_token(
    rds: Rds, credentials_endpoint: CredentialsEndpoint
) -> None:
    async with PluginManager() as manager:

        async def one() -> None:
            async with manager.connect(rds.dsn, **rds.options) as connection:
                assert await rds.value(connection, "SELECT 1") == 1

        async with asyncio.TaskGroup() as group:
            for _ in range(300):
                group.create_task(one())
        statistics = manager.statistics()
    assert credentials_endpoint.requests == 1
    assert (statistics.generations, statistics.connects, statistics.failures) == (1, 300, 0)
    assert [login.accepted for login in rds.emulator.logins] == [True] * 300


async def test_a_static_password_without_plugins(rds: Rds) -> None:
    with pytest.raises((asyncpg.PostgresError, aiomysql.OperationalError, psycopg.OperationalError)):
        await aws_iam_async.connect(rds.dsn, plugins="", ssl="require", password="s3cret")
    assert [login.accepted for login in rds.emulator.logins] == [False]


async def test_a_given_password_is_ignored_with_a_warning(rds: Rds) -> None:
    with pytest.warns(UserWarning, match="password is ignored") as warned:
        connection = await rds.connect(password="s3cret")
    await rds.close(connection)
    assert "s3cret" not in str([str(warning.message) for warning in warned])


async def test_the_warning_about_a_password_points_at_the_callers_line(rds: Rds) -> None:
    sizes: dict[str, Any] = {"minsize": 2} if rds.driver == "aiomysql" else {"min_size": 2}
    options: dict[str, Any] = {**rds.options, "password": "s3cret"}
    with pytest.warns(UserWarning, match="password is ignored") as warned:
        pool = await aws_iam_async.create_pool(rds.dsn, **sizes, **options)
    await rds.close_pool(pool)
    with pytest.warns(UserWarning, match="password is ignored") as again:
        async with aws_iam_async.connect(rds.dsn, **options):
            pass
    assert [warning.filename for warning in (*warned, *again)] == [__file__] * 2
    assert len(rds.emulator.logins) == 3


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_asyncpg_calls_a_password_without_plugins(postgresql: Rds, asynchronous: bool) -> None:
    calls: list[str] = []

    def password() -> Any:
        calls.append("called")
        return answer() if asynchronous else "s3cret"

    async def answer() -> str:
        return "s3cret"

    with pytest.raises(asyncpg.PostgresError):
        await aws_iam_async.connect(postgresql.dsn, plugins="", ssl="require", password=password)
    assert calls == ["called"]


async def test_two_managers_do_not_share_tokens(rds: Rds) -> None:
    async with PluginManager() as one, PluginManager() as other:
        for manager in (one, other):
            async with manager.connect(rds.dsn, **rds.options):
                pass
        assert one.statistics().generations == other.statistics().generations == 1
