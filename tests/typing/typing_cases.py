"""Never run: what a type checker has to see."""

from typing import Any, assert_type

import asyncpg

import aws_iam_async
from aws_iam_async import Opening


async def connections() -> None:
    assert_type(await aws_iam_async.connect(driver="asyncpg", host="db"), asyncpg.Connection[asyncpg.Record])
    assert_type(await aws_iam_async.connect("postgresql://db"), Any)
    async with aws_iam_async.connect(driver="asyncpg", iam_region="us-east-1") as connection:
        assert_type(connection, asyncpg.Connection[asyncpg.Record])


async def pools(manager: aws_iam_async.PluginManager) -> None:
    assert_type(await aws_iam_async.create_pool(driver="asyncpg", min_size=4), asyncpg.Pool[asyncpg.Record])
    assert_type(manager.create_pool(driver="asyncpg"), Opening[asyncpg.Pool[asyncpg.Record]])
    async with manager.create_pool("postgresql://db", driver="asyncpg") as pool:
        assert_type(pool, asyncpg.Pool[asyncpg.Record])


async def tokens() -> None:
    token = await aws_iam_async.RdsTokenProvider(profile="prod").get_token(host="db", port=5432, user="app")
    assert_type(token, aws_iam_async.Token)


class Timing:
    async def connect(self, request: aws_iam_async.ConnectRequest, call_next: aws_iam_async.ConnectNext) -> Any:
        return await call_next(request)


async def plugins() -> None:
    plugin: aws_iam_async.Plugin = Timing()
    await aws_iam_async.connect("postgresql://db", plugins=[plugin, "iam"])
