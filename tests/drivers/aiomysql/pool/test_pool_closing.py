"""Closing a pool ends: waiting tasks get a connection or an error, and no connection stays open."""

import asyncio
from typing import Any

import pytest


async def test_no_more_connections_after_close(make_pool: Any) -> None:
    pool = make_pool()
    pool.close()
    with pytest.raises(RuntimeError, match="after closing pool"):
        await pool.acquire()


async def test_waiting_without_closing_is_an_error(make_pool: Any) -> None:
    with pytest.raises(RuntimeError, match=r"after \.close\(\)"):
        await make_pool().wait_closed()


async def test_waits_for_what_is_in_use(make_pool: Any, connects: Any, acquiring: Any, turn: Any) -> None:
    pool = make_pool()
    holders = [await acquiring(pool) for _ in range(3)]
    await connects.succeed(3)
    used, also_used, free = (task.result() for task in holders)
    pool.release(free)
    pool.close()
    closing = asyncio.create_task(pool.wait_closed())
    await turn()
    assert (free.closed, free.farewells) == (True, 1)
    pool.release(used)
    assert used.closed
    await turn()
    assert not closing.done()
    pool.release(also_used)
    await closing
    assert pool.closed
    await pool.wait_closed()
    pool.close()


async def test_who_stood_in_line_is_served_by_a_release(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool(maxsize=1)
    holder = await acquiring(pool)
    await connects.succeed()
    waiting = await acquiring(pool)
    pool.close()
    closing = asyncio.create_task(pool.wait_closed())
    pool.release(holder.result())
    assert await waiting is holder.result()
    assert not closing.done()
    pool.release(await waiting)
    await closing
    assert holder.result().closed


async def test_who_stood_in_line_is_served_by_a_connect(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    pool = make_pool()
    waiting = await acquiring(pool)
    pool.close()
    closing = asyncio.create_task(pool.wait_closed())
    await turn()
    assert not closing.done()
    await connects.succeed()
    pool.release(await waiting)
    await closing
    assert connects.open == 0


async def test_who_stood_in_line_hears_of_a_failure(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    waiting = await acquiring(pool)
    pool.close()
    closing = asyncio.create_task(pool.wait_closed())
    await connects.fail(OSError("down"))
    with pytest.raises(OSError, match="down"):
        await waiting
    await closing


async def test_connect_that_nobody_waits_for_is_cancelled(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    pool = make_pool(minsize=3)
    waiting = await acquiring(pool)
    assert len(connects.pending) == 3
    await connects.succeed()
    pool.release(await waiting)
    pool.close()
    await turn()
    assert connects.pending == []
    await pool.wait_closed()


async def test_connect_that_ends_as_the_pool_closes_is_closed(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    pool = make_pool(minsize=2)
    waiting = await acquiring(pool)
    await connects.succeed()
    connects.end(1)
    pool.close()
    await turn()
    pool.release(await waiting)
    await pool.wait_closed()
    assert connects.open == 0


async def test_terminate_closes_what_is_in_use(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    holders = [await acquiring(pool) for _ in range(2)]
    await connects.succeed(2)
    pool.terminate()
    assert connects.open == 0
    await pool.wait_closed()
    for task in holders:
        await pool.release(task.result())


async def test_terminate_sends_away_who_stands_in_line(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool(maxsize=1)
    holder = await acquiring(pool)
    await connects.succeed()
    line = [await acquiring(pool) for _ in range(2)]
    pool.terminate()
    for task in line:
        with pytest.raises(RuntimeError, match="terminated"):
            await task
    assert holder.result().closed
    await pool.wait_closed()


async def test_terminate_cancels_connects(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    waiting = await acquiring(pool)
    pool.terminate()
    await pool.wait_closed()
    assert connects.pending == []
    with pytest.raises(RuntimeError, match="terminated"):
        await waiting


@pytest.mark.parametrize("begun", [False, True])
async def test_closing_waits_for_who_is_told_goodbye(
    make_pool: Any, connects: Any, acquiring: Any, *, begun: bool
) -> None:
    pool = make_pool(maxsize=1)
    holder = await acquiring(pool)
    await connects.succeed()
    pool.release(holder.result())
    clearing = asyncio.create_task(pool.clear())
    if begun:
        await asyncio.sleep(0)
        assert (pool.freesize, pool.size) == (0, 1)
    pool.close()
    await asyncio.create_task(pool.wait_closed())
    assert connects.open == 0
    await clearing


async def test_closing_waits_for_cancelled_connects(make_pool: Any, connects: Any, acquiring: Any, turn: Any) -> None:
    connects.cancelling = asyncio.Event()
    pool = make_pool()
    waiting = await acquiring(pool)
    pool.terminate()
    closing = asyncio.create_task(pool.wait_closed())
    await turn()
    assert not closing.done()
    connects.cancelling.set()
    await closing
    with pytest.raises(RuntimeError, match="terminated"):
        await waiting


async def test_terminate_after_close(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    holder = await acquiring(pool)
    await connects.succeed()
    pool.close()
    closing = asyncio.create_task(pool.wait_closed())
    await asyncio.sleep(0)
    pool.terminate()
    await closing
    assert holder.result().closed


async def test_as_context_manager(make_pool: Any, connects: Any, turn: Any) -> None:
    async with make_pool() as pool:

        async def use() -> None:
            async with pool.acquire() as conn:
                assert not conn.closed

        using = asyncio.create_task(use())
        await turn()
        await connects.succeed()
        await using
        assert pool.freesize == 1
    assert pool.closed
    assert connects.open == 0


async def test_wait_closed_that_is_cancelled_can_be_repeated(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    holder = await acquiring(pool)
    await connects.succeed()
    pool.close()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await pool.wait_closed()
    assert not pool.closed
    pool.release(holder.result())
    await pool.wait_closed()
    assert pool.closed
