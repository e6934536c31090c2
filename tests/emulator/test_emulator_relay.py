import asyncio
import io
import struct
from collections.abc import AsyncIterator
from typing import Any

import aiomysql
import asyncpg
import psycopg
import pytest

from aws_iam_async.testing import Emulator
from tests.emulator.conftest import Front, connect_mysql, sign, trust


async def _connect(emulator: Emulator) -> AsyncIterator[Any]:
    token = sign(emulator.account.create_access_key(), emulator)
    connection = await asyncpg.connect(emulator.dsn("app", "shop"), password=token, ssl=trust(emulator))
    yield connection
    connection.terminate()


@pytest.fixture
async def connection(rds_postgres: Emulator) -> AsyncIterator[Any]:
    async for connection in _connect(rds_postgres):
        yield connection


@pytest.fixture
async def observer(rds_postgres: Emulator) -> AsyncIterator[Any]:
    async for connection in _connect(rds_postgres):
        yield connection


async def _eventually(observer: Any, value: object, query: str, *arguments: object) -> None:
    async with asyncio.timeout(10):
        while await observer.fetchval(query, *arguments) != value:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_big_answers_and_big_questions_arrive_whole(front: Front) -> None:
    session = await front.connect()
    text = "xyz" * 4_000_000
    assert await session.query(f"SELECT repeat('xyz', {len(text) // 3})") == [(text,)]
    assert await session.query(f"SELECT length('{text}')") == [(len(text),)]
    await session.close()


async def test_a_client_that_does_not_read_holds_the_server_up(connection: Any, observer: Any) -> None:
    connection._transport.pause_reading()
    rows = "SELECT repeat('x', 1000) FROM generate_series(1, 200000)"
    reading = asyncio.ensure_future(connection.execute(rows))
    waits_for = "SELECT wait_event FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query = $1"
    # Not for a moment only: two hundred megabytes would pass through a relay that takes all it can get.
    held_up = 0
    async with asyncio.timeout(10):
        while held_up < 50:
            held_up = held_up + 1 if await observer.fetchval(waits_for, rows) == "ClientWrite" else 0
            await asyncio.sleep(0.01)
    connection._transport.resume_reading()
    assert await reading == "SELECT 200000"


async def test_copy_works_both_ways(connection: Any) -> None:
    await connection.execute("CREATE TEMPORARY TABLE goods (id int, name text)")
    rows = [(number, f"item {number}" * 20) for number in range(20_000)]
    await connection.copy_records_to_table("goods", records=rows)
    out = io.BytesIO()
    await connection.copy_from_query("SELECT * FROM goods ORDER BY id", output=out, format="csv")
    assert out.getvalue().decode().splitlines() == [f"{number},{name}" for number, name in rows]


async def test_notifications_reach_an_idle_client(connection: Any, observer: Any) -> None:
    heard: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
    await connection.add_listener("orders", lambda _c, _p, channel, payload: heard.set_result((channel, payload)))
    await observer.execute("NOTIFY orders, 'a new one'")
    assert await asyncio.wait_for(heard, 10) == ("orders", "a new one")
    await connection.reset()


async def test_a_running_query_is_cancelled_when_its_client_gives_up(rds_postgres: Emulator, connection: Any) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await connection.execute("SELECT pg_sleep(600)", timeout=0.2)
    # The connection can only be used again because the server has stopped the query.
    assert await asyncio.wait_for(connection.fetchval("SELECT 1"), 10) == 1
    assert rds_postgres.connections <= 2


async def test_libpq_takes_no_cancel_request_for_a_failure(
    rds_postgres: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    token = sign(rds_postgres.account.create_access_key(), rds_postgres)
    dsn, trusted = rds_postgres.dsn("app", "shop"), str(rds_postgres.ca_file)
    async with await psycopg.AsyncConnection.connect(
        dsn, password=token, sslmode="verify-ca", sslrootcert=trusted
    ) as connection:
        query = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.1)
        await connection.cancel_safe(timeout=10)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await query
    assert caplog.messages == []


async def test_a_cancel_request_without_tls_is_passed_on(
    rds_postgres: Emulator, connection: Any, observer: Any
) -> None:
    pid, secret = connection._protocol.backend_pid, connection._protocol.backend_secret
    sleeping = asyncio.ensure_future(connection.execute("SELECT pg_sleep(600)"))
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(600)'"
    await _eventually(observer, 1, active)
    reader, writer = await asyncio.open_connection(rds_postgres.dial_host, rds_postgres.port)
    # A CancelRequest: length, code, process, secret key.
    writer.write(struct.pack("!IIIi", 16, 80877102, pid, secret))
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await writer.wait_closed()
    with pytest.raises(asyncpg.QueryCanceledError):
        await asyncio.wait_for(sleeping, 10)


async def test_kill_hits_the_connection_that_the_client_knows(rds_mysql: Emulator) -> None:
    token = sign(rds_mysql.account.create_access_key(), rds_mysql)
    victim, killer = await connect_mysql(rds_mysql, token), await connect_mysql(rds_mysql, token)
    await killer.query(f"KILL {victim.connection.thread_id()}")
    with pytest.raises(aiomysql.OperationalError, match=r"Lost connection|was killed"):
        await victim.query("SELECT 1")
    assert await killer.query("SELECT 1") == [(1,)]
    await killer.close()
    victim.connection.close()


SESSIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE user = 'app'",
}


async def test_a_client_that_vanishes_is_gone_on_both_sides(front: Front) -> None:
    session = await front.connect()
    session.abort()
    await asyncio.to_thread(front.emulator.wait_for_connections, 0)
    other = await front.connect()
    sessions = SESSIONS[front.emulator.upstream.protocol]
    async with asyncio.timeout(10):
        while await other.query(sessions) != [(1,)]:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    await other.close()
