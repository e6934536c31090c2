"""MySQL: one connection and a pool, and the name of the extra for PostgreSQL."""

import asyncio
import os

import aws_iam_async


async def main() -> None:
    async with aws_iam_async.connect(os.environ["MYSQL"]) as connection, connection.cursor() as cursor:
        await cursor.execute("SELECT DATABASE()")
        assert await cursor.fetchone() == ("shop",)
    async with (
        aws_iam_async.create_pool(os.environ["MYSQL"], minsize=2) as pool,
        pool.acquire() as connection,
        connection.cursor() as cursor,
    ):
        assert await cursor.execute("SELECT 1") == 1
    answers = await asyncio.gather(aws_iam_async.connect(os.environ["POSTGRES"]), return_exceptions=True)
    assert isinstance(answers[0], ImportError)
    assert "aws-iam-async[asyncpg]" in str(answers[0])


asyncio.run(main())
