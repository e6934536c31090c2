"""A query over the connection."""

import asyncio
from typing import Any

from aws_iam_async.cli.doctor.advice.login import query_failed
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError

__all__ = ["run"]

QUERIES = {
    "asyncpg": "SELECT 1, current_user, version()",
    "aiomysql": "SELECT 1, CURRENT_USER(), VERSION()",
}


async def run(found: Findings) -> Passed:
    """Ask the server who it is, and who we are there."""
    try:
        async with asyncio.timeout(found.target.timeout):
            _, user, version = await _row(found)
    except Exception as error:
        detail = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise StepFailedError(detail, query_failed()) from error
    # PostgreSQL's is "PostgreSQL 18.1 on x86_64..., compiled by ..."; MySQL's is the number alone.
    server = " ".join(version.split()[:2]) if found.driver == "asyncpg" else f"server version {version}"
    return Passed(f"{user} on {server}")


async def _row(found: Findings) -> Any:
    query = QUERIES[found.driver]
    if found.driver == "asyncpg":
        return await found.connection.fetchrow(query)
    async with found.connection.cursor() as cursor:
        await cursor.execute(query)
        return await cursor.fetchone()
