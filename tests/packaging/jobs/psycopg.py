"""PostgreSQL with psycopg: one connection and a pool, and the name of the extra for asyncpg."""

import asyncio
import os

import aws_iam_async


async def main() -> None:
    dsn = os.environ["POSTGRES"].replace("postgresql://", "postgresql+psycopg://")
    async with aws_iam_async.connect(dsn) as connection:
        cursor = await connection.execute("SELECT current_user")
        assert await cursor.fetchone() == ("app",)
    async with aws_iam_async.create_pool(dsn, min_size=2) as pool, pool.connection() as connection:
        cursor = await connection.execute("SELECT current_database()")
        assert await cursor.fetchone() == ("shop",)
    answers = await asyncio.gather(aws_iam_async.connect(os.environ["POSTGRES"]), return_exceptions=True)
    assert isinstance(answers[0], ImportError)
    assert "aws-iam-async[asyncpg]" in str(answers[0])


asyncio.run(main())
