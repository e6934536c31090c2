"""A query over the connection."""

import asyncio

from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed

__all__ = ["run"]

QUERIES = {
    "asyncpg": "SELECT 1, current_user, version()",
    "aiomysql": "SELECT 1, CURRENT_USER(), VERSION()",
}


async def run(found: Findings) -> Passed:
    """Ask the server who it is, and who we are there."""
    query = QUERIES[found.driver]
    async with asyncio.timeout(found.target.timeout):
        if found.driver == "asyncpg":
            _, user, version = await found.connection.fetchrow(query)
            server = " ".join(version.split()[:2])  # "PostgreSQL 18.1 on x86_64..., compiled by ..."
        else:
            async with found.connection.cursor() as cursor:
                await cursor.execute(query)
                _, user, version = await cursor.fetchone()
            server = f"server version {version}"
    return Passed(f"{user} on {server}")
