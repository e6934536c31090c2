"""A refused write is seen however the caller sends it, and the caller gets the driver's own exception."""

import io
from collections.abc import Awaitable, Callable
from typing import Any

import aiomysql
import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.failover.conftest import INSERT, REFUSED_WRITE, Place, until

Write = Callable[[Any], Awaitable[object]]
WRITING_QUERY = "INSERT INTO t VALUES (1) RETURNING a"


async def asyncpg_cursor(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        await (await connection.cursor(WRITING_QUERY)).fetch(1)


async def asyncpg_cursor_with_portal(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        async for _ in connection.cursor(WRITING_QUERY, prefetch=1):
            pass


async def asyncpg_prepared(connection: asyncpg.Connection) -> None:
    await (await connection.prepare("INSERT INTO t VALUES ($1)")).fetch(1)


async def asyncpg_prepared_many(connection: asyncpg.Connection) -> None:
    await (await connection.prepare("INSERT INTO t VALUES ($1)")).executemany([(1,), (2,)])


async def asyncpg_commit(connection: asyncpg.Connection) -> None:
    async with connection.transaction(isolation="serializable"):
        await connection.execute(INSERT)


ASYNCPG: dict[str, Write] = {
    "execute": lambda connection: connection.execute(INSERT),
    "execute with arguments": lambda connection: connection.execute("INSERT INTO t VALUES ($1)", 1),
    "execute of a script": lambda connection: connection.execute(f"SELECT 1; {INSERT}"),
    "executemany": lambda connection: connection.executemany("INSERT INTO t VALUES ($1)", [(1,), (2,)]),
    "fetch": lambda connection: connection.fetch(WRITING_QUERY),
    "fetchrow": lambda connection: connection.fetchrow(WRITING_QUERY),
    "fetchval": lambda connection: connection.fetchval(WRITING_QUERY),
    "fetchmany": lambda connection: connection.fetchmany("INSERT INTO t VALUES ($1) RETURNING a", [(1,), (2,)]),
    "cursor": asyncpg_cursor,
    "cursor with a portal": asyncpg_cursor_with_portal,
    "prepared statement": asyncpg_prepared,
    "prepared statement, executemany": asyncpg_prepared_many,
    "transaction": asyncpg_commit,
    "COPY of records": lambda connection: connection.copy_records_to_table("t", records=[(1,)]),
    "COPY FROM": lambda connection: connection.copy_to_table("t", source=io.BytesIO(b"1\n")),
    "COPY TO": lambda connection: connection.copy_from_query(WRITING_QUERY, output=io.BytesIO()),
}


async def psycopg_executemany(connection: Any) -> None:
    await connection.cursor().executemany("INSERT INTO t VALUES (%s)", [(1,), (2,)])


async def psycopg_pipeline(connection: Any) -> None:
    async with connection.pipeline():
        await connection.execute(INSERT)
        await connection.execute("SELECT 1")


async def psycopg_fetch_in_pipeline(connection: Any) -> None:
    async with connection.pipeline():
        cursor = await connection.execute(WRITING_QUERY)
        await cursor.fetchone()


async def psycopg_copy(connection: Any) -> None:
    async with connection.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
        await copy.write_row((1,))


async def psycopg_server_cursor(connection: Any) -> None:
    async with connection.transaction(), connection.cursor("named") as cursor:
        await cursor.execute("SELECT nextval('numbers')")
        await cursor.fetchone()


async def psycopg_stream(connection: Any) -> None:
    async for _ in connection.cursor().stream(WRITING_QUERY):
        pass


async def psycopg_transaction(connection: Any) -> None:
    async with connection.transaction():
        await connection.execute(INSERT)


async def psycopg_raw_cursor(connection: Any) -> None:
    await psycopg.AsyncRawCursor(connection).execute("INSERT INTO t VALUES ($1)", [1])


PSYCOPG: dict[str, Write] = {
    "execute": lambda connection: connection.execute(INSERT),
    "execute with arguments": lambda connection: connection.execute("INSERT INTO t VALUES (%s)", [1]),
    "execute, prepared": lambda connection: connection.execute("INSERT INTO t VALUES (%s)", [1], prepare=True),
    "execute, binary": lambda connection: connection.execute(WRITING_QUERY, binary=True),
    "executemany": psycopg_executemany,
    "pipeline": psycopg_pipeline,
    "fetch in a pipeline": psycopg_fetch_in_pipeline,
    "COPY": psycopg_copy,
    "server cursor": psycopg_server_cursor,
    "stream": psycopg_stream,
    "transaction": psycopg_transaction,
    "raw cursor": psycopg_raw_cursor,
}


async def aiomysql_execute(connection: Any, *arguments: Any, cursor_class: type = aiomysql.Cursor) -> None:
    async with connection.cursor(cursor_class) as cursor:
        await cursor.execute(*arguments)


async def aiomysql_executemany(connection: Any) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO t VALUES (%s)", [(1,), (2,)])


AIOMYSQL: dict[str, Write] = {
    "execute": lambda connection: aiomysql_execute(connection, INSERT),
    "execute with arguments": lambda connection: aiomysql_execute(connection, "INSERT INTO t VALUES (%s)", (1,)),
    "executemany": aiomysql_executemany,
    "SSCursor": lambda connection: aiomysql_execute(connection, WRITING_QUERY, cursor_class=aiomysql.SSCursor),
    "DictCursor": lambda connection: aiomysql_execute(connection, INSERT, cursor_class=aiomysql.DictCursor),
    "query": lambda connection: connection.query(INSERT),
}

CASES = [
    pytest.param(driver, write, id=f"{driver}-{name}")
    for driver, writes in {"asyncpg": ASYNCPG, "psycopg": PSYCOPG, "aiomysql": AIOMYSQL}.items()
    for name, write in writes.items()
]


@pytest.mark.parametrize(("driver", "write"), CASES)
async def test_the_pool_is_replaced(place: Place, write: Write) -> None:
    async with place.create_pool(1, 1) as pool:
        connection = await place.take(pool)
        await place.demote()
        with pytest.raises(REFUSED_WRITE[place.driver]):
            await write(connection)
        await place.give(pool, connection)
        await until(lambda: place.manager.statistics().retirements == 1)
        await place.promote()


@pytest.mark.parametrize("driver", ["aiomysql"])
async def test_the_commit_of_a_transaction_that_began_before(place: Place) -> None:
    async with place.create_pool(1, 1, **place.limit(60)) as pool:
        connection = await place.take(pool)
        await connection.begin()
        await place.write(connection)
        await place.demote()
        with pytest.raises(aiomysql.OperationalError, match="1290"):
            await connection.commit()
        await place.give(pool, connection)
        await until(lambda: place.manager.statistics().retirements)


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "t"
    a: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


async def test_a_flush_of_the_orm(place: Place) -> None:
    engine = place.create_engine(connect_args=place.limit(60))
    async with AsyncSession(engine) as session:
        await session.execute(sqlalchemy.text("SELECT 1"))
        await session.rollback()
        await place.demote()
        session.add(Row(a=2))
        with pytest.raises(sqlalchemy.exc.DBAPIError):
            await session.flush()
    assert place.manager.statistics().retirements == 1
    await place.promote()
    async with AsyncSession(engine) as session:
        session.add(Row(a=3))
        await session.commit()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_streamed_query_of_an_engine(place: Place) -> None:
    engine = place.create_engine(connect_args=place.limit(60))
    async with engine.connect() as connection:
        await place.demote()
        # SQLAlchemy 2.1 does not translate what asyncpg raises here.
        with pytest.raises((sqlalchemy.exc.DBAPIError, asyncpg.ReadOnlySQLTransactionError)):
            async with connection.stream(sqlalchemy.text("SELECT nextval('numbers')")) as result:
                await result.all()
    assert place.manager.statistics().retirements == 1
