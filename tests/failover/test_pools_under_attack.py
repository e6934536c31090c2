"""Cancellations, closing and hooks of the pools, while they look for the writer or replace their connections."""

import asyncio
import logging
from typing import Any

import psycopg
import pytest

from aws_iam_async.drivers.aiomysql import pool as aiomysql_pool
from tests.failover.conftest import TIMED_OUT, Place, physical, until

STEPS = 60  # turns of the loop; a release takes fewer


async def is_whole(place: Place, pool: Any, count: int) -> None:
    """Check that so many connections can be had at once, and that each writes."""
    async with asyncio.timeout(30):
        taken = [await place.take(pool) for _ in range(count)]
        for connection in taken:
            await place.write(connection)
            await place.give(pool, connection)


async def test_cancelling_a_release_at_any_moment(place: Place) -> None:
    async with place.create_pool(2, 2, **place.limit(60)) as pool:
        for step in [*range(1, 6), *range(6, STEPS, 18)]:  # at 0 the release would never begin
            connection = await place.take(pool)
            await place.demote()
            await place.refuse_write(connection)
            giving = asyncio.ensure_future(place.give(pool, connection))
            for _ in range(step):
                await asyncio.sleep(0)
            giving.cancel()
            await asyncio.gather(giving, return_exceptions=True)
            await place.promote()
        await is_whole(place, pool, 2)


async def test_cancelling_a_block_with_a_failed_write(place: Place) -> None:
    async def write(pool: Any) -> None:
        async with place.acquire(pool) as connection:
            await place.refuse_write(connection)

    async with place.create_pool(2, 2, **place.limit(60)) as pool:
        await place.demote()
        for step in range(0, STEPS, 12):
            task = asyncio.create_task(write(pool))
            for _ in range(step):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await place.promote()
        await is_whole(place, pool, 2)


@pytest.mark.parametrize("method", ["close", "terminate"])
async def test_closing_a_pool_that_looks_for_the_writer(place: Place, method: str) -> None:
    pool = await place.create_pool(0, 2, of=place.reader, **place.limit(2))
    caller = asyncio.create_task(place.take(pool))
    await until(lambda: place.manager.statistics().wrong_servers)
    ended = getattr(pool, "close" if place.driver == "psycopg" else method)()
    if asyncio.iscoroutine(ended):
        await ended
    if place.driver == "aiomysql":
        await pool.wait_closed()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - drivers differ
        await caller
    assert not isinstance(caught.value, AssertionError)
    await place.left(place.reader, 0)


async def test_callers_get_the_drivers_time_out_if_no_writer_is_found(place: Place) -> None:
    expected = psycopg.OperationalError if place.driver == "psycopg" else TIMED_OUT[place.driver]
    options: dict[str, Any] = {"timeout": 2} if place.driver == "psycopg" else {}
    async with place.create_pool(0, 1, of=place.reader, **place.limit(1), **options) as pool:
        with pytest.raises(expected) as caught:
            await place.take(pool)
        error: BaseException | None = caught.value
        while error is not None and not hasattr(error, "__notes__"):
            error = error.__cause__
        assert error is not None
        assert "is a reader, not a writer" in error.__notes__[0]


async def test_the_server_crashes_during_the_examination(place: Place) -> None:
    async with place.create_pool(2, 2, **place.limit(60)) as pool:
        connection = await place.take(pool)
        await place.demote()
        await place.refuse_write(connection)
        place.writer.cut_connections()
        await place.give(pool, connection)
        await place.promote()
        for _ in range(2):  # a session that ended while it was idle
            try:
                await is_whole(place, pool, 2)
            except Exception:  # noqa: BLE001 - drivers differ
                continue
        await is_whole(place, pool, 2)


@pytest.mark.parametrize("driver", ["psycopg"])
@pytest.mark.parametrize("workers", [1, 3])
async def test_a_reset_function_and_few_workers(place: Place, workers: int) -> None:
    resets: list[Any] = []

    async def reset(connection: Any) -> None:
        resets.append(connection)

    async with place.create_pool(2, 2, num_workers=workers, reset=reset, **place.limit(60)) as pool:
        first, second = await place.take(pool), await place.take(pool)
        await place.demote()
        await place.refuse_write(first)
        await place.give(pool, first)
        await until(lambda: place.manager.statistics().wrong_servers)
        # All workers look for a writer now. What comes back is replaced as well.
        await asyncio.wait_for(place.give(pool, second), 5)
        await until(lambda: second.closed, 5)
        await place.promote()
        await is_whole(place, pool, 2)
    assert first in resets


@pytest.mark.parametrize("driver", ["psycopg"])
async def test_reads_go_on_while_the_workers_look_for_a_writer(place: Place) -> None:
    async def reset(connection: Any) -> None:
        pass

    async with place.create_pool(1, 2, num_workers=1, reset=reset, **place.limit(60)) as pool:
        connection = await place.take(pool)
        await place.demote()
        growing = asyncio.create_task(place.take(pool))
        await until(lambda: place.manager.statistics().wrong_servers)
        await place.give(pool, connection)
        assert await asyncio.wait_for(growing, 5) is connection
        await place.promote()
        await place.give(pool, connection)


@pytest.mark.parametrize("driver", ["psycopg"])
async def test_a_pool_that_is_opened_later(place: Place) -> None:
    pool = await place.create_pool(1, 1, open=False, **place.limit(60))
    await pool.open(wait=True)
    (before,) = await place.held(pool, 1)
    await place.demote()
    async with pool.connection() as connection:
        await place.refuse_write(connection)
    await place.promote()
    (after,) = await place.held(pool, 1)
    assert after is not before
    await pool.close()


@pytest.mark.parametrize("driver", ["asyncpg"])
async def test_a_connection_that_is_being_set_up_is_not_idle(place: Place) -> None:
    setting_up, may_go_on = asyncio.Event(), asyncio.Event()
    may_go_on.set()

    async def setup(connection: Any) -> None:
        setting_up.set()
        await may_go_on.wait()
        await connection.fetchval("SELECT 1")

    async with place.create_pool(2, 2, setup=setup, **place.limit(60)) as pool:
        connection = await place.take(pool)
        await place.demote()
        await place.refuse_write(connection)
        setting_up.clear()
        may_go_on.clear()
        other = asyncio.create_task(place.take(pool))
        await setting_up.wait()
        await place.give(pool, connection)
        assert place.manager.statistics().retirements == 1
        may_go_on.set()
        borrowed = await other
        assert await borrowed.fetchval("SELECT 1") == 1
        found = physical(borrowed)
        await place.give(pool, borrowed)
        assert found.is_closed()
        await place.promote()
        await is_whole(place, pool, 2)


@pytest.mark.parametrize("driver", ["asyncpg"])
async def test_other_arguments_for_asyncpgs_pool(place: Place) -> None:
    async with place.create_pool(1, 1, **place.limit(60)) as pool:
        pool.set_connect_args(place.writer.dsn("app", "postgres"), **place._options(place.writer), role="writer")
        await place.demote()
        async with pool.acquire() as connection:
            await place.refuse_write(connection)
        await place.promote()
        async with pool.acquire() as connection:
            assert await connection.fetchval("SELECT current_database()") == "postgres"
            await place.demote()
            with pytest.raises(Exception, match="read-only"):
                await connection.execute("CREATE TABLE never ()")
        assert place.manager.statistics().retirements == 2


@pytest.mark.parametrize("driver", ["asyncpg"])
async def test_a_query_that_was_cancelled_before_the_release(place: Place) -> None:
    async with place.create_pool(1, 1, **place.limit(60)) as pool:
        await place.demote()
        async with pool.acquire() as connection:
            await place.refuse_write(connection)
            with pytest.raises(TimeoutError):
                await connection.execute("SELECT pg_sleep(60)", timeout=0.05)
        await place.promote()
        await is_whole(place, pool, 1)
    assert place.manager.statistics().retirements == 1


@pytest.mark.parametrize("driver", ["aiomysql"])
async def test_a_server_that_does_not_answer_the_rollback(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiomysql_pool, "ROLLBACK_TIMEOUT", 0.1)
    async with place.create_pool(1, 1, **place.limit(60)) as pool:
        connection = await place.take(pool)
        await place.demote()
        await place.refuse_write(connection)
        monkeypatch.setattr(connection, "rollback", asyncio.Event().wait)
        await place.give(pool, connection)
        await place.promote()
        await is_whole(place, pool, 1)


async def test_logs_are_short_and_hold_no_token(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with place.create_pool(2, 2, **place.limit(60)) as pool:
        connection = await place.take(pool)
        await place.demote()
        await place.refuse_write(connection)
        await place.give(pool, connection)
        await until(lambda: place.manager.statistics().wrong_servers >= 2)
        await place.promote()
        await is_whole(place, pool, 2)
    records = [record.getMessage() for record in caplog.records]
    assert len(records) < 200
    assert not any("X-Amz" in record or "Signature" in record for record in records)
