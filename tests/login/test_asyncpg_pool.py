"""asyncpg's pool keeps its own meaning."""

import asyncio
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from aws_iam_async import ConfigurationError, ConnectRequest
from aws_iam_async.testing import Emulator
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds, give_environment, settle


@pytest.fixture
def database(postgresql: Rds, aws_home: AwsHome) -> Rds:
    give_environment(aws_home, postgresql.emulator.account.create_access_key())
    return postgresql


async def test_init_setup_and_reset_are_called(database: Rds) -> None:
    called: list[str] = []

    def note(what: str) -> Any:
        async def hook(connection: Any) -> None:
            called.append(what)
            await connection.execute("SELECT 1")

        return hook

    async with database.create_pool(1, 1, init=note("init"), setup=note("setup"), reset=note("reset")) as pool:
        for _ in range(2):
            async with pool.acquire():
                pass
    assert called == ["init", "setup", "reset", "setup", "reset"]


async def test_classes(database: Rds) -> None:
    class Mine(asyncpg.Connection):
        pass

    class Record(asyncpg.Record):
        pass

    async with database.create_pool(1, 1, connection_class=Mine, record_class=Record) as pool, pool.acquire() as held:
        assert type(held._con) is Mine
        assert type(await held.fetchrow("SELECT 1")) is Record


async def test_a_tracer_that_wraps_what_is_not_for_a_pool(database: Rds, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ddtrace 4.16 patches asyncpg: it knows the dials of a pool by the ``connection_class`` that a pool passes."""
    dial = asyncpg.connect

    async def traced(*args: Any, **keywords: Any) -> Any:
        connection = await dial(*args, **keywords)
        return connection if "connection_class" in keywords else SimpleNamespace(connection=connection)

    monkeypatch.setattr(asyncpg, "connect", traced)
    async with database.create_pool(1, 2) as pool:
        assert await pool.fetchval("SELECT 1") == 1


async def test_expired_connections_are_replaced_through_the_plugins(database: Rds) -> None:
    async with database.create_pool(1, 1) as pool:
        await pool.expire_connections()
        assert await pool.fetchval("SELECT 1") == 1
    assert [login.accepted for login in database.emulator.logins] == [True, True]


async def test_lost_connections_are_refilled_through_the_plugins(database: Rds) -> None:
    async with database.create_pool(3, 3) as pool:
        database.emulator.cut_connections()
        async with asyncio.timeout(20):
            while len(database.emulator.logins) < 6 or pool.get_size() < 3:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        assert await pool.fetchval("SELECT 1") == 1
    assert all(login.accepted for login in database.emulator.logins)


async def test_set_connect_args_goes_through_the_plugins(database: Rds, rds_postgres: Emulator) -> None:
    async with database.create_pool(1, 1) as pool:
        pool.set_connect_args(
            host=rds_postgres.dial_host,
            port=rds_postgres.port,
            user="app",
            database="postgres",
            iam_host=rds_postgres.host,
            sslrootcert=rds_postgres.ca_file,
        )
        await pool.expire_connections()
        assert await pool.fetchval("SELECT current_database()") == "postgres"
        pool.set_connect_args(host=rds_postgres.dial_host, iamHost="x")
        await pool.expire_connections()
        with pytest.raises(ConfigurationError, match="did you mean iam_host"):
            await pool.fetchval("SELECT 1")


async def test_set_connect_args_takes_a_dsn(database: Rds, rds_postgres: Emulator) -> None:
    async with database.create_pool(1, 1) as pool:
        pool.set_connect_args(rds_postgres.dsn("app", "postgres"), **database.options)
        await pool.expire_connections()
        assert await pool.fetchval("SELECT current_database()") == "postgres"
    assert [(login.database, login.accepted) for login in rds_postgres.logins] == [("shop", True), ("postgres", True)]


async def test_expired_while_it_is_refilled(database: Rds) -> None:
    """What was on its way when the old connections were said to be outdated is outdated, too."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Gate:
        async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
            connection = await call_next(request)
            begun.set()
            await go_on.wait()
            return connection

    async with database.create_pool(0, 1, plugins=[Gate(), "iam"]) as pool:
        acquiring = asyncio.ensure_future(pool.fetchval("SELECT pg_backend_pid()"))
        await begun.wait()
        await pool.expire_connections()
        go_on.set()
        assert await acquiring != await pool.fetchval("SELECT pg_backend_pid()")
    assert [login.accepted for login in database.emulator.logins] == [True, True]


async def test_wrong_sizes_are_the_drivers_errors(database: Rds) -> None:
    with pytest.raises(ValueError, match="min_size is greater than max_size"):
        await database.create_pool(3, 2)


async def test_time_out_bounds_the_wait_for_the_token(database: Rds) -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    tasks = asyncio.all_tasks()
    with pytest.raises(TimeoutError):
        await database.connect(credentials=never, timeout=0.05)
    await settle()
    assert asyncio.all_tasks() == tasks
    assert database.emulator.connections == 0
