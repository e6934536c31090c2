"""A plugin may say which connections are outdated. Its faults never hide the driver's exception."""

import asyncio
import logging
from typing import Any

import aiomysql
import psycopg
import pytest
import sqlalchemy

from aws_iam_async import ConnectRequest, PluginManager
from aws_iam_async.plugins import retirement
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.sqlalchemy import create_async_engine
from tests.failover.conftest import SCHEMES, Place, physical, until

BAD_SQL = "SELECT * FROM missing"


class Examiner:
    """Suspects a connection after each failed statement.

    Attributes:
        outdated: What ``must_retire`` answers, raises, or waits for if it is ``None``.
        seen: The exceptions of the statements.
        examined: The connections.
    """

    def __init__(self, *, outdated: bool | Exception | None = True, failure: Exception | None = None) -> None:
        self.outdated = outdated
        self.failure = failure
        self.seen: list[BaseException] = []
        self.examined: list[Any] = []

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        return await call_next(request)

    def statement_failed(self, request: ConnectRequest, error: BaseException) -> bool:
        assert request.user == "app"
        self.seen.append(error)
        if self.failure:
            raise self.failure
        return True

    async def must_retire(self, request: ConnectRequest, connection: Any) -> bool:
        assert request.user == "app"
        self.examined.append(connection)
        if isinstance(self.outdated, Exception):
            raise self.outdated
        if self.outdated is None:
            await asyncio.Event().wait()
        return bool(self.outdated)


def examined_by(place: Place, examiner: Examiner, *, least: int = 2) -> Any:
    manager = PluginManager([examiner, "iam"])
    other = Place(place.driver, place.endpoints, manager)
    options: dict[str, Any] = other._options(other.writer)
    names = ("minsize", "maxsize") if place.driver == "aiomysql" else ("min_size", "max_size")
    options |= dict(zip(names, (least, 2), strict=True))
    return manager.create_pool(other.writer.dsn("app", "shop"), **options)


async def fail(place: Place, pool: Any) -> tuple[Any, BaseException]:
    """Run a statement that fails, and return the driver's connection and exception."""
    async with place.acquire(pool) as connection:
        with pytest.raises(Exception, match="missing") as caught:
            await place.execute(connection, BAD_SQL)
        return physical(connection), caught.value


async def test_it_sees_the_exception_and_the_idle_connection(place: Place) -> None:
    examiner = Examiner(outdated=False)
    async with examined_by(place, examiner) as pool:
        before = await place.held(pool, 2)
        connection, error = await fail(place, pool)
        await until(lambda: examiner.examined)
        assert (examiner.seen, examiner.examined) == ([error], [connection])
        assert set(map(id, await place.held(pool, 2))) == set(map(id, before))


@pytest.mark.parametrize("outdated", [True, RuntimeError("no answer"), None], ids=["outdated", "raises", "hangs"])
async def test_all_connections_are_replaced(
    place: Place, outdated: bool | Exception | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retirement, "EXAMINATION_TIMEOUT", 0.1)
    async with examined_by(place, Examiner(outdated=outdated)) as pool:
        before = await place.held(pool, 2)
        await fail(place, pool)
        await until(lambda: all(map(place.is_closed, before)))
        after = await place.held(pool, 2)
        assert set(map(id, after)).isdisjoint(map(id, before))
    logged = [record for record in caplog.records if record.name == retirement.__name__]
    assert [record.levelno for record in logged] == ([] if outdated is True else [logging.ERROR])


async def test_a_plugin_that_fails_hides_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    examiner = Examiner(failure=RuntimeError("a fault of the plugin"))
    async with examined_by(place, examiner) as pool:
        before = await place.held(pool, 2)
        _, error = await fail(place, pool)
        assert examiner.seen == [error]
        assert set(map(id, await place.held(pool, 2))) == set(map(id, before))
    assert examiner.examined == []
    (record,) = (record for record in caplog.records if record.name == retirement.__name__)
    assert record.getMessage() == "Examiner.statement_failed() failed"
    assert record.exc_info is not None
    assert record.exc_info[1] is examiner.failure


async def test_a_suspect_that_the_caller_closed_is_replaced(place: Place) -> None:
    async with examined_by(place, Examiner(outdated=False)) as pool:
        async with place.acquire(pool) as connection:
            with pytest.raises(Exception, match="missing"):
                await place.execute(connection, BAD_SQL)
            await place.close(connection)
        async with place.acquire(pool) as connection:
            assert await place.execute(connection, "SELECT 1") == [(1,)]


async def test_a_suspect_whose_server_has_gone_is_replaced_with_all_others(place: Place) -> None:
    class Asking(Examiner):
        async def must_retire(self, request: ConnectRequest, connection: Any) -> bool:  # noqa: ARG002 - the signature
            await place.execute(connection, "SELECT 1")
            return False

    async with examined_by(place, Asking(), least=0) as pool:
        await place.held(pool, 2)
        async with place.acquire(pool) as connection:
            with pytest.raises(Exception, match="missing"):
                await place.execute(connection, BAD_SQL)
            place.writer.cut_connections()
            await place.left(place.writer, 0)
        async with place.acquire(pool) as connection:
            assert await place.execute(connection, "SELECT 1") == [(1,)]


async def test_a_suspect_in_a_transaction_is_rolled_back(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    examiner = Examiner(outdated=False)
    async with examined_by(place, examiner) as pool:
        before = await place.held(pool, 2)
        connection = await place.take(pool)
        await place.execute(connection, "BEGIN")
        with pytest.raises(Exception, match="missing"):
            await place.execute(connection, BAD_SQL)
        await place.give(pool, connection)
        await until(lambda: examiner.examined)
        assert set(map(id, await place.held(pool, 2))) == set(map(id, before))
    caplog.clear()  # asyncpg 0.32 complains of the caller


async def test_cancelling_the_caller_does_not_stop_the_examination(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "EXAMINATION_TIMEOUT", 0.3)
    examiner = Examiner(outdated=None)
    async with examined_by(place, examiner) as pool:
        connection = await place.take(pool)
        with pytest.raises(Exception, match="missing"):
            await place.execute(connection, BAD_SQL)
        giving = asyncio.create_task(place.give(pool, connection))
        await until(lambda: examiner.examined)
        giving.cancel()
        await asyncio.gather(giving, return_exceptions=True)
        retirement_ends = asyncio.create_task(place.take(pool))
        await place.give(pool, await retirement_ends)
        await until(lambda: pool_is_whole(place, pool), 15)


def pool_is_whole(place: Place, pool: Any) -> bool:
    """Whether both connections are idle again."""
    if place.driver == "asyncpg":
        return bool(pool.get_idle_size() == 2)
    return bool((pool.freesize if place.driver == "aiomysql" else pool.get_stats()["pool_available"]) == 2)


@pytest.mark.parametrize("method", ["close", "terminate"])
async def test_closing_the_pool_during_an_examination(
    place: Place, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "EXAMINATION_TIMEOUT", 0.3)
    if method == "terminate" and place.driver == "psycopg":
        method = "close"
    examiner = Examiner(outdated=None)
    pool = await examined_by(place, examiner)
    connection = await place.take(pool)
    with pytest.raises(Exception, match="missing"):
        await place.execute(connection, BAD_SQL)
    giving = asyncio.create_task(place.give(pool, connection))
    await until(lambda: examiner.examined)
    closing = getattr(pool, method)()
    if asyncio.iscoroutine(closing):
        await closing
    if place.driver == "aiomysql":
        await pool.wait_closed()
    await asyncio.gather(giving, return_exceptions=True)
    await place.left(place.writer, 0)


async def test_an_engine_shows_the_exception_of_the_driver(place: Place) -> None:
    """aiomysql's own exceptions have a cause, which is not what the driver raised."""
    examiner = Examiner(outdated=False)
    async with PluginManager([examiner, "iam"]) as manager:
        other = Place(place.driver, place.endpoints, manager, place.engines)
        emulator = place.writer
        engine = create_async_engine(
            emulator.iam_dsn("app", "shop", scheme=SCHEMES[place.driver]),
            manager=manager,
            credentials=emulator.account.credentials,
        )
        other.engines.append(engine)
        async with engine.connect() as connection:
            await connection.execute(sqlalchemy.text("SELECT 1"))
            emulator.cut_connections()
            with pytest.raises((sqlalchemy.exc.DBAPIError, OSError)):
                await connection.execute(sqlalchemy.text("SELECT 1"))
    expected = {"asyncpg": Exception, "psycopg": psycopg.Error, "aiomysql": aiomysql.MySQLError}
    assert all(isinstance(error, expected[place.driver]) for error in examiner.seen)
    assert examiner.seen or place.driver == "asyncpg"
