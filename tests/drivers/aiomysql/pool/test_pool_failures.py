"""A failed connection attempt fails one task, the one that waited longest. The other tasks are not stuck."""

import asyncio
import logging
from typing import Any

import aiomysql
import pytest

from aws_iam_async.drivers.aiomysql.pool import Pool

ERROR = aiomysql.OperationalError(1040, "Too many connections")


async def test_fails_the_longest_in_line_only(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool(maxsize=2)
    line = [await acquiring(pool) for _ in range(3)]
    await connects.fail(ERROR)
    with pytest.raises(aiomysql.OperationalError) as caught:
        await line[0]
    assert caught.value is ERROR
    assert len(connects.pending) == 2  # one new attempt, for the third task
    await connects.succeed(2)
    await asyncio.gather(*line[1:])


async def test_server_that_is_down_fails_each_once(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool(maxsize=2)
    line = [await acquiring(pool) for _ in range(10)]
    while connects.pending:
        await connects.fail(aiomysql.OperationalError(2003, "down"))
    assert all(isinstance(task.exception(), aiomysql.OperationalError) for task in line)
    assert connects.started == 10
    assert pool.size == 0


async def test_failed_and_cancelled_in_the_same_tick(make_pool: Any, connects: Any, acquiring: Any, turn: Any) -> None:
    pool = make_pool(maxsize=1)
    line = [await acquiring(pool) for _ in range(2)]
    connects.pending[0].set_exception(ERROR)
    line[0].cancel()
    await turn()
    assert line[0].cancelled()
    if not line[1].done():
        await connects.succeed()
    await asyncio.wait([line[1]])
    assert pool.size == len(pool._used)


async def test_who_only_brought_the_pool_back_to_minsize_gets_a_free_one(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make_pool(minsize=2)
    filling = asyncio.create_task(pool.fill())
    await turn()
    await connects.succeed()
    await connects.succeed()
    await filling
    connects.opened[0].hang_up()
    payer = await acquiring(pool)
    with caplog.at_level(logging.WARNING):
        await connects.fail(ERROR)
    assert payer.result() is connects.opened[1]
    assert "Too many connections" in caplog.text


async def test_who_only_brought_the_pool_back_to_minsize_gets_no_lost_one(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    pool = make_pool(minsize=2)
    filling = asyncio.create_task(pool.fill())
    await turn()
    await connects.succeed()
    await connects.succeed()
    await filling
    connects.opened[0].hang_up()
    payer = await acquiring(pool)
    connects.opened[1].hang_up()  # the server goes down, one connection after the other
    await connects.fail(ERROR)
    with pytest.raises(aiomysql.OperationalError, match="Too many connections"):
        await payer
    assert (connects.open, pool.size) == (0, 0)


async def test_spare_connect_that_fails_is_logged_and_no_more(
    make_pool: Any, connects: Any, acquiring: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make_pool(minsize=2)
    waiting = await acquiring(pool)
    await connects.succeed()
    await waiting
    with caplog.at_level(logging.WARNING):
        await connects.fail(ERROR)
    assert "Too many connections" in caplog.text
    assert caplog.records[0].exc_info is None  # a traceback with locals would show what connects
    assert pool.size == 1


async def test_cancelled_connect_cancels_who_waits_for_it(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    waiting = await acquiring(pool)
    await connects.fail(asyncio.CancelledError())
    assert waiting.cancelled()
    assert connects.started == 1


def test_loop_that_ends_while_many_wait_ends_quietly(connects: Any) -> None:
    async def main() -> None:
        pool = Pool(connects, minsize=2, maxsize=3)
        line.extend(asyncio.ensure_future(pool.acquire()) for _ in range(10))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    line: list[asyncio.Future[Any]] = []
    asyncio.run(main())
    assert connects.pending == []
    assert all(future.cancelled() for future in line)
