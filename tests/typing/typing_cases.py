"""Never run: what mypy, pyright and ty have to see."""

from typing import TYPE_CHECKING, Any, Literal, assert_type

import aiomysql
import asyncpg
import psycopg
from psycopg.rows import DictRow, TupleRow, dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine

import aws_iam_async
from aws_iam_async import Opening
from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.drivers.aiomysql.pool import Pool
from aws_iam_async.sqlalchemy import arm, create_async_engine

if TYPE_CHECKING:
    from typing import Unpack

    from aws_iam_async.options.typed import AsyncpgPoolOptions


class Order(asyncpg.Record):
    pass


async def connections(driver: Literal["asyncpg", "aiomysql"], options: dict[str, Any]) -> None:
    assert_type(await aws_iam_async.connect(driver="asyncpg", host="db"), asyncpg.Connection[asyncpg.Record])
    assert_type(await aws_iam_async.connect(driver="asyncpg", record_class=Order), asyncpg.Connection[Order])
    assert_type(await aws_iam_async.connect(driver="aiomysql", host="db", connect_timeout=5), Connection)
    assert_type(await aws_iam_async.connect(driver="aiomysql", **options), Connection)
    async with aws_iam_async.connect(driver="asyncpg", iam_region="us-east-1") as connection:
        assert_type(connection, asyncpg.Connection[asyncpg.Record])
        assert_type(await connection.fetchrow("SELECT 1"), asyncpg.Record | None)
    assert_type(await aws_iam_async.connect(driver="psycopg", host="db"), psycopg.AsyncConnection[TupleRow])
    assert_type(
        await aws_iam_async.connect(driver="psycopg", row_factory=dict_row, autocommit=True),
        psycopg.AsyncConnection[DictRow],
    )
    assert_type(await aws_iam_async.connect("postgresql://db"), Any)
    assert_type(await aws_iam_async.connect(driver=asyncpg, host="db"), Any)
    assert_type(await aws_iam_async.connect(driver=driver), asyncpg.Connection[asyncpg.Record] | Connection)


async def pools(manager: aws_iam_async.PluginManager, options: dict[str, Any]) -> None:
    assert_type(await aws_iam_async.create_pool(driver="asyncpg", min_size=4), asyncpg.Pool[asyncpg.Record])
    assert_type(manager.create_pool(driver="asyncpg"), Opening[asyncpg.Pool[asyncpg.Record]])
    assert_type(manager.create_pool(driver="asyncpg", record_class=Order), Opening[asyncpg.Pool[Order]])
    assert_type(manager.create_pool(driver="aiomysql", maxsize=4, **options), Opening[Pool])
    assert_type(
        await manager.create_pool(driver="psycopg", row_factory=dict_row, max_lifetime=600),
        AsyncConnectionPool[psycopg.AsyncConnection[DictRow]],
    )
    async with manager.create_pool("postgresql://db", driver="asyncpg") as pool:
        assert_type(pool, asyncpg.Pool[asyncpg.Record])


async def objects_of_aiomysql() -> None:
    async with aws_iam_async.create_pool(driver="aiomysql") as pool:
        assert_type(pool.freesize, int)
        async with pool.acquire() as connection, connection.cursor() as cursor:
            assert_type(await cursor.execute("SELECT %s", (1,)), int)
            assert_type(await cursor.fetchall(), list[Any])
            assert_type(connection.user, str)
        borrowed = await pool.acquire()
        assert_type(await borrowed.commit(), None)
        pool.release(borrowed)
        own: aiomysql.Connection = borrowed
        takes_what_is_aiomysqls(own, pool)


def takes_what_is_aiomysqls(connection: aiomysql.Connection, pool: aiomysql.Pool) -> None: ...


async def hands_options_on(**options: "Unpack[AsyncpgPoolOptions]") -> asyncpg.Pool[asyncpg.Record]:
    return await aws_iam_async.create_pool(driver="asyncpg", **options)


def engines(manager: aws_iam_async.PluginManager) -> None:
    assert_type(create_async_engine("postgresql+asyncpg://db", iam_region="us-east-1", pool_size=4), AsyncEngine)
    engine = create_async_engine("mysql+aiomysql://db", manager=manager)
    assert_type(arm(engine, plugins=["iam"], profile="prod"), None)


async def tokens() -> None:
    token = await aws_iam_async.RdsTokenProvider(profile="prod").get_token(host="db", port=5432, user="app")
    assert_type(token, aws_iam_async.Token)


class Timing:
    async def connect(self, request: aws_iam_async.ConnectRequest, call_next: aws_iam_async.ConnectNext) -> Any:
        return await call_next(request)


async def plugins() -> None:
    plugin: aws_iam_async.Plugin = Timing()
    await aws_iam_async.connect("postgresql://db", plugins=[plugin, "iam"])
    # The types do not contain the options of other plugins. A manager accepts them, and so does a dict[str, Any].
    aws_iam_async.PluginManager(plugins="tenant,iam", profile="prod", tenant="acme")
    tenant: dict[str, Any] = {"tenant": "acme"}
    assert_type(await aws_iam_async.connect(driver="aiomysql", plugins="tenant,iam", **tenant), Connection)


class OwnCredentials(aws_iam_async.Credentials):
    pass


class OwnRequest(aws_iam_async.ConnectRequest):
    pass


def values() -> None:
    assert_type(OwnCredentials("AKIAEXAMPLE", "secret").session_token, str | None)
    assert_type(OwnRequest(driver="asyncpg").replace(host="db"), OwnRequest)
