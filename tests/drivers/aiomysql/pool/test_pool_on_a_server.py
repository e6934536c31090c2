"""The pool with real connections to a real server, over TLS."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiomysql
import pytest

from aws_iam_async.drivers.aiomysql.pool import Pool

Query = Callable[..., Awaitable[Any]]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for has no event to tell of it
        await asyncio.sleep(0)


@pytest.fixture
def open_connection(connection: Any, mariadb: Any, trusting: ssl.SSLContext) -> Callable[[], Awaitable[Any]]:
    async def open_connection() -> Any:
        conn = connection(mariadb.port, tls=trusting, db="shop")
        await conn._connect()
        return conn

    return open_connection


async def test_many_tasks_share_few_connections(open_connection: Any, query: Query, leaks: Any) -> None:
    async with Pool(open_connection, minsize=2, maxsize=5) as pool:
        await pool.fill()

        async def use(number: int) -> int:
            async with pool.acquire() as conn:
                assert await query(conn, f"SELECT {number}") == number
                answer: int = await query(conn, "SELECT CONNECTION_ID()")
                return answer

        async with asyncio.timeout(20):
            sessions = await asyncio.gather(*(use(number) for number in range(50)))
        assert len(set(sessions)) <= 5
        assert pool.size <= 5
    await leaks.check()


async def test_sessions_that_the_server_killed_are_replaced(open_connection: Any, query: Query, leaks: Any) -> None:
    async with Pool(open_connection, minsize=3, maxsize=3) as pool:
        await pool.fill()
        killer = await open_connection()
        lost = list(pool._free)
        for conn in lost:
            await killer.kill(await query(conn, "SELECT CONNECTION_ID()"))
        async with asyncio.timeout(20):
            await until(lambda: all(conn._reader.eof_received for conn in lost))
        async with pool.acquire() as conn:
            assert await query(conn, "SELECT 1") == 1
        assert all(conn.closed for conn in lost)
        await killer.ensure_closed()
    await leaks.check()


async def test_statement_cancelled_half_way_does_not_reach_the_next(
    open_connection: Any, query: Query, leaks: Any
) -> None:
    async with Pool(open_connection, minsize=0, maxsize=1) as pool:

        async def cancelled() -> None:
            async with pool.acquire() as conn:
                await query(conn, "SELECT SLEEP(10)")

        task = asyncio.create_task(cancelled())
        await until(lambda: bool(pool._used))
        waiting = asyncio.create_task(_one(pool, query))
        await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(20):
            assert await waiting == 2
        assert task.cancelled()
    await leaks.check()


async def _one(pool: Pool, query: Query) -> Any:
    async with pool.acquire() as conn:
        return await query(conn, "SELECT 2")


async def test_open_transaction_does_not_reach_the_next(open_connection: Any, query: Query, leaks: Any) -> None:
    async with Pool(open_connection, minsize=0, maxsize=1) as pool:
        async with pool.acquire() as first:
            await first.begin()
        async with asyncio.timeout(20):
            assert await _one(pool, query) == 2
        assert first.closed
    await leaks.check()


async def test_wrong_password_breaks_no_login_off(
    connection: Any, mariadb: Any, trusting: ssl.SSLContext, leaks: Any
) -> None:
    answers = []

    async def open_connection() -> Any:
        conn = connection(mariadb.port, "wrong", tls=trusting)
        try:
            await conn._connect()
        except BaseException as error:
            answers.append(error)
            raise

    pool = Pool(open_connection, minsize=5, maxsize=5)
    with pytest.raises(aiomysql.OperationalError, match="Access denied") as refused:
        await pool.fill()
    assert refused.value is answers[0]
    assert [answer.args[0] for answer in answers] == [1045] * 5
    await leaks.check()


async def test_terminated_under_load(open_connection: Any, query: Query, leaks: Any) -> None:
    pool = Pool(open_connection, minsize=0, maxsize=4)

    async def use() -> Any:
        async with pool.acquire() as conn:
            return await query(conn, "SELECT SLEEP(10)")

    tasks = [asyncio.create_task(use()) for _ in range(8)]
    async with asyncio.timeout(20):
        await until(lambda: len(pool._used) >= 2)
        pool.terminate()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await pool.wait_closed()
    assert all(isinstance(answer, aiomysql.Error | RuntimeError) for answer in answers), answers
    await leaks.check()
