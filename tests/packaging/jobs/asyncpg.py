"""PostgreSQL: one connection and a pool, and the name of the extra for MySQL."""

import asyncio
import os

import aws_iam_async


async def main() -> None:
    async with aws_iam_async.connect(os.environ["POSTGRES"]) as connection:
        assert await connection.fetchval("SELECT current_user") == "app"
    async with aws_iam_async.create_pool(os.environ["POSTGRES"], min_size=2) as pool:
        assert await pool.fetchval("SELECT current_database()") == "shop"
    answers = await asyncio.gather(aws_iam_async.connect(os.environ["MYSQL"]), return_exceptions=True)
    assert isinstance(answers[0], ImportError)
    assert "aws-iam-async[aiomysql]" in str(answers[0])


asyncio.run(main())
