"""Two servers switch their roles, as clients see it through the names of the cluster."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import aiomysql
import asyncpg
import pytest

import aws_iam_async
from aws_iam_async.testing import Emulator, MariadbCluster, PostgresCluster
from tests.emulator.clusters import Endpoints, started
from tests.emulator.conftest import BROKEN, processes_in

pytestmark = pytest.mark.timeout(60)

LONG = 3600.0  # seconds, as a delay that no test waits for


@pytest.fixture(scope="module")
def postgres() -> Iterator[Endpoints]:
    with started(PostgresCluster()) as endpoints:
        yield endpoints


@pytest.fixture(scope="module")
def mariadb() -> Iterator[Endpoints]:
    with started(MariadbCluster()) as endpoints:
        endpoints.cluster.execute("CREATE TABLE shop.orders (id int)")
        yield endpoints


async def fetchval(emulator: Emulator, sql: str) -> object:
    """Log in to PostgreSQL for one statement."""
    async with aws_iam_async.connect(emulator.dsn("app", "shop"), **emulator.options) as connection:
        return await connection.fetchval(sql)


async def is_standby(emulator: Emulator) -> object:
    return await fetchval(emulator, "SELECT pg_is_in_recovery()")


@contextlib.asynccontextmanager
async def mysql_cursor(emulator: Emulator) -> Any:
    options = {"autocommit": True, **emulator.options}
    async with (
        aws_iam_async.connect(emulator.dsn("app", "shop"), **options) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


async def insert_error(cursor: Any) -> int | None:
    """Write a row, and return the number of MariaDB's error, if any."""
    try:
        await cursor.execute("INSERT INTO orders VALUES (1)")
    except aiomysql.Error as error:
        return int(error.args[0])
    return None


async def test_what_the_writer_commits_is_at_the_reader_at_once(postgres: Endpoints) -> None:
    assert await is_standby(postgres.writer) is False
    assert await is_standby(postgres.reader) is True
    await fetchval(postgres.writer, "CREATE TABLE letters AS SELECT 'a' AS letter")
    assert await fetchval(postgres.reader, "SELECT letter FROM letters") == "a"
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await fetchval(postgres.reader, "DELETE FROM letters")


async def test_a_switch_ends_the_writers_sessions_and_the_readers_become_writable(postgres: Endpoints) -> None:
    options = [postgres.writer.options, postgres.reader.options]
    async with (
        aws_iam_async.connect(postgres.writer.dsn("app", "shop"), **options[0]) as of_writer,
        aws_iam_async.connect(postgres.reader.dsn("app", "shop"), **options[1]) as of_reader,
    ):
        former = postgres.cluster.primary
        await asyncio.to_thread(postgres.cluster.switch_over)
        assert postgres.cluster.standby is former
        with pytest.raises(BROKEN):
            await of_writer.fetchval("SELECT 1")
        assert await of_reader.fetchval("SELECT pg_is_in_recovery()") is False
        await of_reader.execute("CREATE TABLE after_the_switch ()")
    assert await is_standby(postgres.writer) is False
    assert await is_standby(postgres.reader) is True


async def test_stale_names_lead_to_the_former_roles(postgres: Endpoints) -> None:
    await asyncio.to_thread(postgres.cluster.switch_over, dns_delay=LONG)
    assert await is_standby(postgres.writer) is True
    assert await is_standby(postgres.reader) is False
    await asyncio.to_thread(postgres.cluster.switch_over, dns_delay=LONG)  # and back, which the names do not show
    assert await is_standby(postgres.writer) is False
    await asyncio.to_thread(postgres.cluster.switch_over, dns_delay=0)
    assert await is_standby(postgres.writer) is False
    await asyncio.to_thread(postgres.cluster.switch_over, dns_delay=LONG)
    postgres.cluster.update_names()
    assert await is_standby(postgres.writer) is False
    assert await is_standby(postgres.reader) is True


async def test_names_follow_after_the_delay(postgres: Endpoints) -> None:
    began = time.monotonic()
    await asyncio.to_thread(postgres.cluster.switch_over, dns_delay=1)
    while await is_standby(postgres.writer):
        assert time.monotonic() < began + 30
    assert time.monotonic() > began + 1


async def test_five_switches_in_a_row_keep_every_row(postgres: Endpoints) -> None:
    await fetchval(postgres.writer, "CREATE TABLE counted (number int)")
    for number in range(5):
        await fetchval(postgres.writer, f"INSERT INTO counted VALUES ({number})")
        await asyncio.to_thread(postgres.cluster.switch_over)
    numbers = "SELECT array_agg(number ORDER BY number) FROM counted"
    assert await fetchval(postgres.writer, numbers) == list(range(5))
    assert await fetchval(postgres.reader, numbers) == list(range(5))


async def test_stopped_servers_take_their_roles_again(postgres: Endpoints) -> None:
    for server in (postgres.cluster.primary, postgres.cluster.standby):
        await asyncio.to_thread(server.restart, crash=True)
    await asyncio.to_thread(postgres.cluster.switch_over)
    assert await is_standby(postgres.writer) is False
    assert await is_standby(postgres.reader) is True


async def test_open_sessions_of_mariadb_survive_and_can_write_no_longer(mariadb: Endpoints) -> None:
    async with mysql_cursor(mariadb.writer) as of_writer, mysql_cursor(mariadb.reader) as of_reader:
        assert await insert_error(of_writer) is None
        assert await insert_error(of_reader) == 1290
        await asyncio.to_thread(mariadb.cluster.switch_over, dns_delay=LONG)
        assert await insert_error(of_writer) == 1290
        assert await insert_error(of_reader) is None
    async with mysql_cursor(mariadb.writer) as stale:
        assert await insert_error(stale) == 1290
    mariadb.cluster.update_names()
    async with mysql_cursor(mariadb.writer) as fresh:
        assert await insert_error(fresh) is None


async def test_an_open_transaction_cannot_be_committed_after_the_switch(mariadb: Endpoints) -> None:
    async with mysql_cursor(mariadb.writer) as cursor:
        await cursor.execute("BEGIN")
        assert await insert_error(cursor) is None
        await asyncio.to_thread(mariadb.cluster.switch_over)
        with pytest.raises(aiomysql.OperationalError, match="1290"):
            await cursor.execute("COMMIT")


async def test_a_restart_keeps_the_roles_of_mariadb(mariadb: Endpoints) -> None:
    await asyncio.to_thread(mariadb.cluster.switch_over)
    for server in (mariadb.cluster.primary, mariadb.cluster.standby):
        await asyncio.to_thread(server.restart)
    async with mysql_cursor(mariadb.writer) as of_writer, mysql_cursor(mariadb.reader) as of_reader:
        assert await insert_error(of_writer) is None
        assert await insert_error(of_reader) == 1290


@pytest.mark.parametrize("kind", [PostgresCluster, MariadbCluster])
def test_nothing_is_left_of_a_cluster(kind: type[PostgresCluster | MariadbCluster]) -> None:
    with kind() as cluster:
        cluster.switch_over()
        directories = [cluster.primary.directory, cluster.standby.directory]
        assert all(processes_in(directory) for directory in directories)
    for directory in directories:
        assert not directory.exists()
        assert not processes_in(directory)
