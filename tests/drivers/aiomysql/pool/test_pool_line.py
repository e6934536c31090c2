"""Waiting tasks get connections in order, as soon as one is available."""

import asyncio
from typing import Any

import aiomysql
import pytest


async def test_it_is_an_aiomysql_pool(make_pool: Any) -> None:
    pool = make_pool(minsize=1, maxsize=5, echo=True)
    assert isinstance(pool, aiomysql.Pool)
    assert (pool.minsize, pool.maxsize, pool.size, pool.freesize, pool.echo, pool.closed) == (1, 5, 0, 0, True, False)


@pytest.mark.parametrize(("minsize", "maxsize"), [(-1, 1), (2, 1)])
async def test_sizes_that_cannot_be(make_pool: Any, minsize: int, maxsize: int) -> None:
    with pytest.raises(ValueError, match="minsize"):
        make_pool(minsize=minsize, maxsize=maxsize)


async def test_connects_run_together_up_to_maxsize(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool(maxsize=3)
    waiting = [await acquiring(pool) for _ in range(5)]
    assert len(connects.pending) == 3
    assert pool.size == 3
    await connects.succeed(3)
    assert [task.done() for task in waiting] == [True, True, True, False, False]
    for task in waiting[:2]:
        pool.release(task.result())
    await asyncio.gather(*waiting)
    assert connects.started == 3


async def test_no_limit(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool(maxsize=0)
    waiting = [await acquiring(pool) for _ in range(50)]
    assert pool.maxsize is None
    assert len(connects.pending) == 50
    await connects.succeed(50)
    assert len(set(await asyncio.gather(*waiting))) == 50


async def test_release_serves_the_first_in_line(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool(maxsize=1)
    holder = await acquiring(pool)
    await connects.succeed()
    line = [await acquiring(pool) for _ in range(3)]
    for task in line:
        pool.release(holder.result())
        latecomer = await acquiring(pool)
        assert task.result() is holder.result()
        assert not latecomer.done()
        latecomer.cancel()


async def test_new_connection_serves_the_first_in_line(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    line = [await acquiring(pool) for _ in range(2)]
    connects.pending.reverse()  # the connect that began last ends first
    await connects.succeed()
    assert [task.done() for task in line] == [True, False]
    await connects.succeed()
    await line[1]


async def test_connect_nobody_waits_for_is_cancelled(make_pool: Any, connects: Any, acquiring: Any, turn: Any) -> None:
    pool = make_pool()
    line = [await acquiring(pool) for _ in range(2)]
    oldest = connects.pending[0]
    line[0].cancel()
    await turn()
    assert connects.pending == [oldest]  # the one that is further on serves the one that is left
    await connects.succeed()
    await line[1]
    assert pool.size == 1


async def test_connect_that_ends_as_who_wanted_it_gives_up_is_kept(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    pool = make_pool()
    waiting = await acquiring(pool)
    connects.end(1)
    waiting.cancel()
    await turn()
    assert waiting.cancelled()
    assert (pool.size, pool.freesize) == (1, 1)


async def test_cancelled_connect_keeps_its_place_until_it_has_ended(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    connects.cancelling = asyncio.Event()
    pool = make_pool(maxsize=1)
    (await acquiring(pool)).cancel()
    waiting = await acquiring(pool)
    assert (connects.started, pool.size) == (1, 1)
    connects.cancelling.set()
    await turn()
    await connects.succeed()
    await waiting
    assert connects.started == 2


async def test_connect_goes_on_though_a_release_came_first(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    holder = await acquiring(pool)
    await connects.succeed()
    waiting = await acquiring(pool)
    pool.release(holder.result())
    assert await waiting is holder.result()
    assert (pool.size, len(connects.pending)) == (2, 1)
    late = await acquiring(pool)
    assert connects.started == 2  # it is for the next task
    await connects.succeed()
    assert await late is connects.opened[1]


async def test_who_gives_up_takes_one_connect_along_and_no_more(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    pool = make_pool(maxsize=4)
    holder = await acquiring(pool)
    await connects.succeed()
    line = [await acquiring(pool) for _ in range(3)]
    assert len(connects.pending) == 3
    pool.release(holder.result())
    oldest, middle, _ = connects.pending
    line[1].cancel()
    await turn()
    assert connects.pending == [oldest, middle]  # one of them began for a task that was served
    line[2].cancel()
    await turn()
    assert connects.pending == [oldest]
    await connects.succeed()
    assert (pool.size, pool.freesize) == (2, 1)


async def test_handed_over_and_cancelled_in_the_same_tick_goes_to_the_next(
    make_pool: Any, connects: Any, acquiring: Any
) -> None:
    pool = make_pool(maxsize=1)
    holder = await acquiring(pool)
    await connects.succeed()
    unlucky, lucky = await acquiring(pool), await acquiring(pool)
    pool.release(holder.result())
    unlucky.cancel()
    assert await lucky is holder.result()
    assert unlucky.cancelled()


async def test_cancelled_before_the_hand_over_in_the_same_tick_is_passed_over(
    make_pool: Any, connects: Any, acquiring: Any
) -> None:
    pool = make_pool(maxsize=1)
    holder = await acquiring(pool)
    await connects.succeed()
    unlucky, lucky = await acquiring(pool), await acquiring(pool)
    unlucky.cancel()
    pool.release(holder.result())
    assert await lucky is holder.result()
    assert unlucky.cancelled()


async def test_handed_over_and_cancelled_with_nobody_next_is_free(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    pool = make_pool(maxsize=1)
    holder = await acquiring(pool)
    await connects.succeed()
    unlucky = await acquiring(pool)
    pool.release(holder.result())
    unlucky.cancel()
    await turn()
    assert (pool.size, pool.freesize) == (1, 1)


@pytest.mark.parametrize("how", ["close", "transaction", "hang up"])
async def test_unusable_connection_frees_its_place_for_who_waits(
    make_pool: Any, connects: Any, acquiring: Any, how: str
) -> None:
    pool = make_pool(maxsize=1)
    holder = await acquiring(pool)
    await connects.succeed()
    waiting = await acquiring(pool)
    conn = holder.result()
    if how == "close":
        conn.close()
    elif how == "transaction":
        conn.in_transaction = True
    else:
        conn.hang_up()
    pool.release(conn)
    assert conn.closed
    await connects.succeed(0)
    await connects.succeed()
    assert await waiting is not conn


async def test_release_returns_something_to_await(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    holder = await acquiring(pool)
    await connects.succeed()
    assert await pool.release(holder.result()) is None
    with pytest.raises(AssertionError):
        pool.release(holder.result())


@pytest.mark.parametrize("error", [None, OSError("reset")])
async def test_lost_while_free_is_replaced(
    make_pool: Any, connects: Any, acquiring: Any, error: OSError | None
) -> None:
    pool = make_pool()
    holder = await acquiring(pool)
    await connects.succeed()
    pool.release(holder.result())
    if error:
        holder.result()._reader.set_exception(error)
    else:
        holder.result().hang_up()
    waiting = await acquiring(pool)
    assert holder.result().closed
    await connects.succeed()
    assert await waiting is not holder.result()


@pytest.mark.parametrize(
    ("recycle", "idle", "kept"), [(10, 9, True), (10, 11, False), (0, 1, False), (-1, 10**9, True)]
)
async def test_unused_for_too_long_is_replaced(
    make_pool: Any, connects: Any, acquiring: Any, recycle: int, idle: int, *, kept: bool
) -> None:
    pool = make_pool(pool_recycle=recycle)
    holder = await acquiring(pool)
    await connects.succeed()
    pool.release(holder.result())
    holder.result().last_usage -= idle
    waiting = await acquiring(pool)
    await connects.succeed()
    assert (await waiting is holder.result()) is kept


async def test_recycled_at_once_does_not_connect_for_ever(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool(pool_recycle=0)
    waiting = await acquiring(pool)
    await connects.succeed()
    await waiting
    assert connects.started == 1


async def test_clear_closes_what_is_free_with_a_goodbye(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    holders = [await acquiring(pool) for _ in range(2)]
    await connects.succeed(2)
    used, free = (task.result() for task in holders)
    pool.release(free)
    await pool.clear()
    assert (free.closed, free.farewells, used.closed) == (True, 1, False)
    assert pool.size == 1


async def test_clear_that_is_cancelled_closes_them_all_the_same(make_pool: Any, connects: Any, acquiring: Any) -> None:
    pool = make_pool()
    holder = await acquiring(pool)
    await connects.succeed()
    pool.release(holder.result())
    clearing = asyncio.create_task(pool.clear())
    await asyncio.sleep(0)
    clearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await clearing
    assert (holder.result().closed, holder.result().farewells, pool.size) == (True, 0, 0)


async def test_first_connections_are_opened_at_once(make_pool: Any, connects: Any, turn: Any) -> None:
    pool = make_pool(minsize=3)
    filling = asyncio.create_task(pool.fill())
    await turn()
    assert len(connects.pending) == 3
    await connects.succeed(3)
    await filling
    assert (pool.size, pool.freesize) == (3, 3)


@pytest.mark.parametrize("opened", [0, 1, 2])
async def test_first_connections_fail_together_but_none_is_broken_off(
    make_pool: Any, connects: Any, turn: Any, opened: int
) -> None:
    pool = make_pool(minsize=3)
    error = aiomysql.OperationalError(1045, "Access denied")
    filling = asyncio.create_task(pool.fill())
    await turn()
    await connects.succeed(opened)
    await connects.fail(error)
    assert len(connects.pending) == 2 - opened
    while connects.pending:
        await connects.fail(aiomysql.OperationalError(1040, "Too many connections"))
    with pytest.raises(aiomysql.OperationalError) as caught:
        await filling
    assert caught.value is error
    assert caught.value.__context__ is None
    assert connects.pending == []
    assert (connects.open, pool.size) == (0, 0)


async def test_first_connections_that_hang_do_not_keep_a_failure_back(
    make_pool: Any, connects: Any, turn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aws_iam_async.drivers.aiomysql.pool.GRACE", 0.0)
    pool = make_pool(minsize=3)
    filling = asyncio.create_task(pool.fill())
    await turn()
    await connects.succeed()
    await connects.fail(aiomysql.OperationalError(1045, "Access denied"))
    with pytest.raises(aiomysql.OperationalError, match="Access denied"):
        await filling
    assert connects.pending == []
    assert (connects.open, pool.size) == (0, 0)


@pytest.mark.parametrize("opened", [0, 2])
async def test_a_first_connection_cancelled_from_within_leaves_no_pool(
    make_pool: Any, connects: Any, turn: Any, opened: int
) -> None:
    pool = make_pool(minsize=3)
    filling = asyncio.create_task(pool.fill())
    await turn()
    await connects.succeed(opened)
    while connects.pending:
        await connects.fail(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await filling
    assert (connects.open, pool.size) == (0, 0)


async def test_an_interrupt_in_a_first_connection_is_raised_as_it_is(make_pool: Any, connects: Any, turn: Any) -> None:
    class InterruptError(BaseException):
        pass

    pool = make_pool(minsize=3)
    filling = asyncio.create_task(pool.fill())
    await turn()
    await connects.fail(InterruptError())
    with pytest.raises(InterruptError) as caught:
        await filling
    assert caught.value.__context__ is None
    assert (connects.open, pool.size) == (0, 0)


@pytest.mark.parametrize("opened", [0, 1, 2])
async def test_first_connections_are_cancelled_together(make_pool: Any, connects: Any, turn: Any, opened: int) -> None:
    pool = make_pool(minsize=3)
    filling = asyncio.create_task(pool.fill())
    await turn()
    await connects.succeed(opened)
    filling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filling
    assert connects.pending == []
    assert (connects.open, pool.size) == (0, 0)


async def test_who_acquires_below_minsize_brings_it_back(
    make_pool: Any, connects: Any, acquiring: Any, turn: Any
) -> None:
    pool = make_pool(minsize=3, maxsize=3)
    filling = asyncio.create_task(pool.fill())
    await turn()
    await connects.succeed(3)
    await filling
    for conn in connects.opened[:2]:
        conn.hang_up()
    payer = await acquiring(pool)
    assert len(connects.pending) == 2
    other = await acquiring(pool)
    assert other.result() is connects.opened[2]  # at once, though two connect
    await connects.succeed(2)
    assert payer.done()
    assert (pool.size, pool.freesize) == (3, 1)
