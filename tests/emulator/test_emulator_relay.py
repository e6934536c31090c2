import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from aws_iam_async.testing import Emulator
from tests.emulator.conftest import Front, sign, trust


async def _connect(emulator: Emulator) -> Any:
    token = sign(emulator.account.create_access_key(), emulator)
    return await asyncpg.connect(emulator.dsn("app", "shop"), password=token, ssl=trust(emulator))


@pytest.fixture
async def connection(rds_postgres: Emulator) -> AsyncIterator[Any]:
    connection = await _connect(rds_postgres)
    yield connection
    await connection.close()


async def test_big_answers_and_big_questions_arrive_whole(front: Front) -> None:
    session = await front.connect()
    text = "xyz" * 4_000_000
    assert await session.query(f"SELECT repeat('xyz', {len(text) // 3})") == [(text,)]
    assert await session.query(f"SELECT length('{text}')") == [(len(text),)]
    await session.close()


async def test_a_client_that_does_not_read_holds_the_server_up(rds_postgres: Emulator) -> None:
    observer, reader = await _connect(rds_postgres), await _connect(rds_postgres)
    reader._transport.pause_reading()
    rows = "SELECT repeat('x', 1000) FROM generate_series(1, 200000)"
    reading = asyncio.ensure_future(reader.fetch(rows))
    waits_for = "SELECT wait_event FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query = $1"
    async with asyncio.timeout(10):
        while await observer.fetchval(waits_for, rows) != "ClientWrite":
            await asyncio.sleep(0.01)
    # Not for a moment only: two hundred megabytes would have passed through a relay that takes all it can get.
    for _ in range(50):
        assert await observer.fetchval(waits_for, rows) == "ClientWrite"
        await asyncio.sleep(0.01)
    reader._transport.resume_reading()
    assert len(await reading) == 200_000
    await reader.close()
    await observer.close()


async def test_copy_works_both_ways(connection: Any) -> None:
    await connection.execute("CREATE TEMPORARY TABLE goods (id int, name text)")
    rows = [(number, f"item {number}" * 20) for number in range(20_000)]
    await connection.copy_records_to_table("goods", records=rows)
    out = io.BytesIO()
    await connection.copy_from_query("SELECT * FROM goods ORDER BY id", output=out, format="csv")
    assert out.getvalue().decode().splitlines() == [f"{number},{name}" for number, name in rows]


async def test_notifications_reach_an_idle_client(rds_postgres: Emulator, connection: Any) -> None:
    heard: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
    await connection.add_listener("orders", lambda _c, _p, channel, payload: heard.set_result((channel, payload)))
    other = await _connect(rds_postgres)
    await other.execute("NOTIFY orders, 'a new one'")
    assert await asyncio.wait_for(heard, 10) == ("orders", "a new one")
    await other.close()
    await connection.reset()


async def test_a_running_query_is_cancelled_when_its_client_gives_up(rds_postgres: Emulator, connection: Any) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await connection.execute("SELECT pg_sleep(600)", timeout=0.2)
    # The connection can only be used again because the server has stopped the query.
    assert await asyncio.wait_for(connection.fetchval("SELECT 1"), 10) == 1
    assert rds_postgres.connections <= 2


async def test_a_cancel_request_without_tls_is_passed_on(rds_postgres: Emulator, connection: Any) -> None:
    pid, secret = connection._protocol.backend_pid, connection._protocol.backend_secret
    sleeping = asyncio.ensure_future(connection.execute("SELECT pg_sleep(600)"))
    observer = await _connect(rds_postgres)
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)'"
    async with asyncio.timeout(10):
        while not await observer.fetchval(active):
            await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(rds_postgres.dial_host, rds_postgres.port)
    # A CancelRequest: length, code, process, secret key.
    writer.write((16).to_bytes(4, "big") + (80877102).to_bytes(4, "big") + pid.to_bytes(4, "big"))
    writer.write(secret if isinstance(secret, bytes) else secret.to_bytes(4, "big", signed=True))
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await writer.wait_closed()
    with pytest.raises(asyncpg.QueryCanceledError):
        await asyncio.wait_for(sleeping, 10)
    await observer.close()


async def test_kill_hits_the_connection_that_the_client_knows(rds_mysql: Emulator, front: Front) -> None:
    if front.emulator is not rds_mysql:
        return
    victim, killer = await front.connect(), await front.connect()
    await killer.query(f"KILL {victim.connection.thread_id()}")
    with pytest.raises(Exception, match=r"Lost connection|gone away|was killed"):
        await victim.query("SELECT 1")
    assert await killer.query("SELECT 1") == [(1,)]
    await killer.close()
    victim.connection.close()


async def test_a_client_that_vanishes_is_gone_on_both_sides(front: Front) -> None:
    session = await front.connect()
    transport = (
        session.connection._transport
        if front.emulator.upstream.protocol == "postgresql"
        else session.connection._writer.transport
    )
    transport.abort()
    await asyncio.to_thread(front.emulator.wait_for_connections, 0)
    session.connection.terminate() if front.emulator.upstream.protocol == "postgresql" else session.connection.close()
    other = await front.connect()
    count = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"
        if front.emulator.upstream.protocol == "postgresql"
        else "SELECT count(*) FROM information_schema.processlist WHERE user = 'app'"
    )
    async with asyncio.timeout(10):
        while await other.query(count) != [(1,)]:
            await asyncio.sleep(0.01)
    await other.close()
