"""A psycopg pool that logs in with IAM. It returns rows as objects and configures every connection.

    python examples/postgresql_psycopg_pool.py postgresql+psycopg://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop

The pool is a ``psycopg_pool.AsyncConnectionPool``. Every connection that it opens, also in the background, logs in with
a valid token. The AWS credentials are those that the AWS SDK finds.
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
    """A connection, as the server sees it.

    Attributes:
        process: The ID of the server's process.
        user: The database user.
        encrypted: Whether the connection uses TLS.
    """

    process: int
    user: str
    encrypted: bool


async def configure(connection: psycopg.AsyncConnection) -> None:
    """Configure a new connection. The pool calls this once for each connection."""
    await connection.execute("SET statement_timeout = '5s'")
    await connection.commit()


async def read_session(pool: psycopg_pool.AsyncConnectionPool) -> Session:
    """Query the session of a connection from the pool."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Session)) as cursor:
        await cursor.execute(
            "SELECT pid AS process, current_user AS user, ssl AS encrypted"
            " FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        session = await cursor.fetchone()
        assert session is not None  # noqa: S101 - the query always finds its own process
        return session


async def work(dsn: str) -> None:
    """Run 20 tasks that share 4 connections."""
    async with aws_iam_async.create_pool(
        dsn,
        driver="psycopg",
        min_size=4,  # psycopg's default. The pool does not grow unless you also pass max_size.
        max_lifetime=3600,  # seconds
        connect_timeout=10,  # seconds for one attempt, including the wait for a token
        configure=configure,
    ) as pool:
        sessions = await asyncio.gather(*(read_session(pool) for _ in range(TASKS)))
    processes = {session.process for session in sessions}
    print(f"{len(sessions)} tasks as {sessions[0].user} on {len(processes)} connections")


def main() -> None:
    """Run the example. If it fails, print the cause and the advice of the error, and exit with status 1."""
    try:
        asyncio.run(work(sys.argv[1]))
    except aws_iam_async.AwsIamError as error:
        # For example a wrong option, missing AWS credentials or no TLS. The message says what to change.
        sys.exit(f"{type(error).__name__}: {error}")
    except psycopg.OperationalError as error:
        # If the login or the certificate was refused, the notes say what to check.
        sys.exit("\n".join([f"Cannot connect: {error}", *getattr(error, "__notes__", [])]))


if __name__ == "__main__":
    main()
