"""A pool of psycopg that logs in with IAM, with rows as objects and a setting for every connection.

    python examples/postgresql_psycopg_pool.py postgresql+psycopg://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop

The pool is psycopg's own. Every connection that it opens, also in the background, logs in with a valid token. AWS
credentials come from where the AWS SDK looks for them.
"""

import asyncio
import sys
from dataclasses import dataclass

import psycopg
import psycopg_pool
from psycopg.rows import class_row

import aws_iam_async

TASKS = 20


@dataclass
class Session:
    """What the server knows of a connection."""

    process: int
    user: str
    encrypted: bool


async def configure(connection: psycopg.AsyncConnection) -> None:
    """Set what every new connection needs. The pool calls it once for each of them."""
    await connection.execute("SET statement_timeout = '5s'")
    await connection.commit()


async def read_session(pool: psycopg_pool.AsyncConnectionPool) -> Session:
    """Take a connection from the pool for one query."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Session)) as cursor:
        await cursor.execute(
            "SELECT pid AS process, current_user AS user, ssl AS encrypted"
            " FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        session = await cursor.fetchone()
        assert session is not None  # noqa: S101 - a connection always has a process
        return session


async def work(dsn: str) -> None:
    """Run many tasks on few connections."""
    async with aws_iam_async.create_pool(
        dsn,
        driver="psycopg",
        min_size=4,  # psycopg's default; the pool has this size until you pass max_size
        max_lifetime=3600,  # seconds
        connect_timeout=10,  # seconds for one attempt, the wait for a token included
        configure=configure,
    ) as pool:
        sessions = await asyncio.gather(*(read_session(pool) for _ in range(TASKS)))
    processes = {session.process for session in sessions}
    print(f"{len(sessions)} tasks as {sessions[0].user} on {len(processes)} connections")


def main() -> None:
    """Run, and report an error with its remedy."""
    try:
        asyncio.run(work(sys.argv[1]))
    except aws_iam_async.AwsIamError as error:
        # A wrong option, no AWS credentials, no TLS: the message says which and what to change.
        sys.exit(f"{type(error).__name__}: {error}")
    except psycopg.OperationalError as error:
        # For a refused login and a refused certificate, the notes say what to check.
        sys.exit("\n".join([f"Cannot connect: {error}", *getattr(error, "__notes__", [])]))


if __name__ == "__main__":
    main()
