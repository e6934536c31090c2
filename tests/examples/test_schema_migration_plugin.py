"""The example of a plugin that has a pool's connections replaced: after a migration, one statement fails."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import psycopg
import pytest

import aws_iam_async
from aws_iam_async import PluginManager
from aws_iam_async.testing import Emulator
from examples.schema_migration_plugin import SchemaMigrationPlugin
from tests.examples.conftest import Run, credentials, dsn

READ = "SELECT * FROM basket"


@pytest.fixture
async def emulator(rds_postgres: Emulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Emulator]:
    """A server with a table, and an access key in the environment."""
    for name, value in credentials(rds_postgres).items():
        monkeypatch.setenv(name, value)
    async with aws_iam_async.connect(dsn(rds_postgres)) as connection:
        await connection.execute("CREATE TABLE basket AS SELECT 1 AS id")
    yield rds_postgres
    async with aws_iam_async.connect(dsn(rds_postgres)) as connection:
        await connection.execute("DROP TABLE basket")


async def migrate(emulator: Emulator) -> None:
    async with aws_iam_async.connect(dsn(emulator)) as connection:
        await connection.execute("ALTER TABLE basket ADD item text")


async def test_one_statement_of_psycopg_fails(emulator: Emulator) -> None:
    async def read(pool: Any) -> None:
        async with pool.connection() as connection:
            await connection.execute(READ)

    size: dict[str, Any] = {"min_size": 2, "max_size": 2, "prepare_threshold": 0}
    async with (
        PluginManager([SchemaMigrationPlugin(), "iam"]) as manager,
        manager.create_pool(dsn(emulator), driver="psycopg", **size) as pool,
    ):
        async with pool.connection() as first, pool.connection() as second:
            for connection in (first, second):
                await connection.execute(READ)
        await migrate(emulator)
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
            await read(pool)
        for _ in range(4):
            await read(pool)
        assert manager.statistics().retirements == 1


async def test_several_that_fail_replace_the_connections_once(emulator: Emulator) -> None:
    size: dict[str, Any] = {"min_size": 2, "max_size": 2, "prepare_threshold": 0}
    async with (
        PluginManager([SchemaMigrationPlugin(), "iam"]) as manager,
        manager.create_pool(dsn(emulator), driver="psycopg", **size) as pool,
    ):
        async with pool.connection() as first, pool.connection() as second:
            for connection in (first, second):
                await connection.execute(READ)
                await connection.commit()
            await migrate(emulator)
            for connection in (first, second):
                with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
                    await connection.execute(READ)
                await connection.rollback()
        async with pool.connection() as third, pool.connection() as fourth:
            assert {third, fourth}.isdisjoint({first, second})
        assert manager.statistics().retirements == 1


async def test_connections_of_asyncpg_are_replaced(emulator: Emulator) -> None:
    """Outside a transaction, asyncpg 0.32 repeats such a statement by itself."""
    async with (
        PluginManager([SchemaMigrationPlugin(), "iam"]) as manager,
        manager.create_pool(dsn(emulator), min_size=2, max_size=2) as pool,
    ):
        async with pool.acquire() as first, pool.acquire() as second:
            before = {first.get_server_pid(), second.get_server_pid()}
            for connection in (first, second):
                await connection.fetch(READ)
        await migrate(emulator)
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            async with pool.acquire() as connection, connection.transaction():
                await connection.fetch(READ)
        async with pool.acquire() as first, pool.acquire() as second:
            assert before.isdisjoint({first.get_server_pid(), second.get_server_pid()})
        assert manager.statistics().retirements == 1


async def test_other_errors_replace_nothing(emulator: Emulator) -> None:
    async with (
        PluginManager([SchemaMigrationPlugin(), "iam"]) as manager,
        manager.create_pool(dsn(emulator), min_size=1, max_size=1) as pool,
    ):
        pid = await pool.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.execute("SELECT * FROM no_table")
        assert await pool.fetchval("SELECT pg_backend_pid()") == pid
        assert manager.statistics().retirements == 0


async def test_the_example_runs(rds_postgres: Emulator, run: Run) -> None:
    ran = await run("schema_migration_plugin.py", dsn(rds_postgres), environment=credentials(rds_postgres))
    assert ran.err == ""
    assert ran.status == 0
    assert ran.out == "cached plan must not change result type\nconnections were replaced 1 time\n"
