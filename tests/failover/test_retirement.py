"""A write that the server refuses, because it is no writer any more, replaces the connections of its pool."""

import asyncio
import functools
from collections.abc import Iterable
from typing import Any

import aiomysql
import pytest
import sqlalchemy

from aws_iam_async.drivers.aiomysql import AiomysqlDriver
from tests.failover.conftest import REFUSED_WRITE, Place, insert, physical, until

READ_ONLY_TRANSACTIONS = {
    "asyncpg": ["BEGIN READ ONLY", "SET default_transaction_read_only = on"],
    "psycopg": ["BEGIN READ ONLY", "SET default_transaction_read_only = on"],
    "aiomysql": ["START TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ ONLY"],
}


def same(found: Iterable[Any], before: Iterable[Any]) -> bool:
    return set(map(id, found)) == set(map(id, before))


def disjoint(found: Iterable[Any], before: Iterable[Any]) -> bool:
    return set(map(id, found)).isdisjoint(map(id, before))


async def test_idle_connections_go_at_once_and_borrowed_ones_when_they_return(place: Place) -> None:
    async with place.create_pool(3, 3, **place.limit(60)) as pool:
        before = await place.held(pool, 3)
        writing, reading = await place.take(pool), await place.take(pool)
        (idle,) = (each for each in before if each not in {physical(writing), physical(reading)})
        await place.demote()
        await place.refuse_write(writing)
        assert not place.is_closed(idle)
        await place.give(pool, writing)
        await until(lambda: place.manager.statistics().retirements)
        await until(lambda: place.is_closed(idle))
        assert await place.execute(reading, "SELECT 1") == [(1,)]
        borrowed = physical(reading)
        await place.give(pool, reading)
        await until(lambda: place.is_closed(borrowed))
        await place.promote()
        assert disjoint(await place.held(pool, 3), before)
        statistics = place.manager.statistics()
        assert statistics.retirements == 1
        assert statistics.as_dict()["retirements"] == 1


async def test_waiting_callers_get_new_connections(place: Place) -> None:
    async with place.create_pool(1, 1, **place.limit(60)) as pool:
        connection = await place.take(pool)
        before = physical(connection)
        waiting = [asyncio.create_task(place.take(pool)) for _ in range(2)]
        await place.demote()
        await place.refuse_write(connection)
        await place.give(pool, connection)
        await until(lambda: place.manager.statistics().wrong_servers)
        await place.promote()
        for task in waiting:
            fresh = await task
            assert physical(fresh) is not before
            await place.write(fresh)
            await place.give(pool, fresh)


async def test_all_connections_of_a_full_pool_fail_and_are_replaced(place: Place) -> None:
    async with place.create_pool(3, 3, **place.limit(60)) as pool:
        taken = [await place.take(pool) for _ in range(3)]
        before = list(map(physical, taken))
        await place.demote()
        for connection in taken:
            await place.refuse_write(connection)
        await asyncio.gather(*(place.give(pool, connection) for connection in taken))
        await place.promote()
        fresh = await place.held(pool, 3)
        assert disjoint(fresh, before)
        assert same(await place.held(pool, 3), fresh)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_transaction_that_the_caller_made_read_only_replaces_nothing(place: Place, number: int) -> None:
    async with place.create_pool(2, 2) as pool:
        before = await place.held(pool, 2)
        async with place.acquire(pool) as connection:
            await place.execute(connection, READ_ONLY_TRANSACTIONS[place.driver][number])
            await place.refuse_write(connection)
            await place.execute(connection, "ROLLBACK")
        assert same(await place.held(pool, 2), before)
        assert place.manager.statistics().retirements == 0


async def test_a_read_only_transaction_that_the_caller_did_not_end_replaces_nothing(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """The question needs a session without a failed transaction."""
    async with place.create_pool(2, 2) as pool:
        before = await place.held(pool, 2)
        async with place.acquire(pool) as connection:
            await place.execute(connection, READ_ONLY_TRANSACTIONS[place.driver][0])
            await place.refuse_write(connection)
        assert same(await place.held(pool, 2), before)
        assert place.manager.statistics().retirements == 0
    caplog.clear()  # asyncpg 0.32 complains of the caller


async def test_connections_that_fail_one_after_the_other_are_replaced_once(place: Place) -> None:
    async with place.create_pool(2, 2, **place.limit(60)) as pool:
        taken = [await place.take(pool) for _ in range(2)]
        found = list(map(physical, taken))
        await place.demote()
        for connection in taken:
            await place.refuse_write(connection)
        for connection, each in zip(taken, found, strict=True):
            await place.give(pool, connection)
            await until(functools.partial(place.is_closed, each))
        await place.promote()
        assert place.manager.statistics().retirements == 1


@pytest.mark.parametrize(("number", "is_suspicious"), [(1290, True), (1792, True), (1836, True), (1062, False)])
def test_the_errors_of_mysql(number: int, *, is_suspicious: bool) -> None:
    assert AiomysqlDriver().refuses_write(aiomysql.OperationalError(number, "")) is is_suspicious


async def test_another_error_replaces_nothing_and_asks_nothing(place: Place) -> None:
    async with place.create_pool(1, 1) as pool:
        before = await place.held(pool, 1)
        await place.demote()
        async with place.acquire(pool) as connection:
            with pytest.raises(Exception, match="missing"):
                await place.execute(connection, "SELECT * FROM missing")
        assert same(await place.held(pool, 1), before)


async def test_a_reader_keeps_its_connections(place: Place) -> None:
    async with place.create_pool(2, 2, role="reader", of=place.reader) as pool:
        before = await place.held(pool, 2)
        async with place.acquire(pool) as connection:
            await place.refuse_write(connection)
        assert same(await place.held(pool, 2), before)
        assert place.manager.statistics().retirements == 0


async def test_nothing_is_repeated(place: Place) -> None:
    table = f"once_{place.driver}"
    engine = {"aiomysql": " ENGINE=Aria TRANSACTIONAL=0"}.get(place.driver, "")
    async with place.create_pool(1, 1, **place.limit(60)) as pool:
        async with place.acquire(pool) as connection:
            await place.execute(connection, f"CREATE TABLE {table} (a int){engine}")
            await place.demote()
            with pytest.raises(REFUSED_WRITE[place.driver]):
                await place.execute(connection, f"INSERT INTO {table} VALUES (1)")
        await place.promote()
        async with place.acquire(pool) as connection:
            assert await place.execute(connection, f"SELECT count(*) FROM {table}") == [(0,)]
            await place.execute(connection, f"DROP TABLE {table}")


async def test_an_engine_replaces_its_connections(place: Place) -> None:
    engine = place.create_engine(pool_size=2, max_overflow=0, connect_args=place.limit(60))

    async def driver_connections() -> list[Any]:
        async with engine.connect() as one, engine.connect() as two:
            return [(await each.get_raw_connection()).driver_connection for each in (one, two)]

    before = await driver_connections()
    assert same(await driver_connections(), before)
    await place.demote()
    with pytest.raises(sqlalchemy.exc.DBAPIError):
        await insert(engine)
    writing = asyncio.create_task(insert(engine))
    await until(lambda: place.manager.statistics().wrong_servers)
    await place.promote()
    await writing
    assert disjoint(await driver_connections(), before)
    assert place.manager.statistics().retirements == 1


async def test_an_engine_keeps_its_connections_after_a_read_only_transaction(place: Place) -> None:
    engine = place.create_engine(pool_size=1)
    async with engine.connect() as connection:
        before = (await connection.get_raw_connection()).driver_connection
        statement = "START TRANSACTION READ ONLY" if place.driver == "aiomysql" else "SET TRANSACTION READ ONLY"
        await connection.execute(sqlalchemy.text(statement))
        with pytest.raises(sqlalchemy.exc.DBAPIError):
            await connection.execute(sqlalchemy.text("INSERT INTO t VALUES (1)"))
    async with engine.connect() as connection:
        assert (await connection.get_raw_connection()).driver_connection is before
    assert place.manager.statistics().retirements == 0
