"""An example of a plugin that replaces a pool's connections after a migration has changed a table.

    python examples/schema_migration_plugin.py postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop

A connection caches the plans of its prepared statements. If a migration changes the columns of their results, these
statements fail with "cached plan must not change result type". With psycopg, such a statement fails each time, on every
connection. With this plugin, one statement fails. The pool then replaces its connections.

It uses only the public API, and imports no driver.
"""

import asyncio
import sys
from typing import Any
from weakref import WeakSet

import aws_iam_async
from aws_iam_async import ConnectNext, ConnectRequest

# SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
FEATURE_NOT_SUPPORTED = "0A000"
# The messages of PostgreSQL and of asyncpg 0.32.
MESSAGES = ("cached plan must not change result type", "cached statement plan is invalid")


class SchemaMigrationPlugin:
    """Detects outdated prepared statements. Use one instance for each pool."""

    def __init__(self) -> None:
        self._since_migration: WeakSet[Any] = WeakSet()  # the connections opened since the last migration

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Open a connection, and remember it."""
        connection = await call_next(request)
        self._since_migration.add(connection)
        return connection

    def statement_failed(self, request: ConnectRequest, error: BaseException) -> bool:  # noqa: ARG002 - the protocol's
        """Return whether to call ``must_retire``. This method runs for each failed statement, so it must be fast."""
        is_not_supported = getattr(error, "sqlstate", None) == FEATURE_NOT_SUPPORTED
        return is_not_supported and any(message in str(error) for message in MESSAGES)

    async def must_retire(self, request: ConnectRequest, connection: Any) -> bool:  # noqa: ARG002 - the protocol's
        """Return whether the pool must replace all its connections. This happens once for each migration."""
        if connection not in self._since_migration:
            return False  # the pool has already replaced the other connections
        self._since_migration.clear()
        return True


async def main(dsn: str) -> None:
    """Change a table while a pool uses it."""
    options: dict[str, Any] = {"min_size": 2, "max_size": 2, "prepare_threshold": 0}
    async with (
        aws_iam_async.PluginManager([SchemaMigrationPlugin(), "iam"]) as manager,
        manager.create_pool(dsn, driver="psycopg", **options) as pool,
    ):
        async with pool.connection() as first, pool.connection() as second:
            await first.execute("CREATE TABLE basket AS SELECT 1 AS id")
            await first.commit()
            for connection in (first, second):
                await connection.execute("SELECT * FROM basket")
        async with manager.connect(dsn, driver="psycopg") as migration:
            await migration.execute("ALTER TABLE basket ADD item text")
        try:
            async with pool.connection() as connection:
                await connection.execute("SELECT * FROM basket")
        except Exception as error:
            if getattr(error, "sqlstate", None) != FEATURE_NOT_SUPPORTED:
                raise
            print(error)
        for _ in range(4):
            async with pool.connection() as connection:
                await connection.execute("SELECT * FROM basket")
        await pool.wait()  # else psycopg_pool logs a connection that is interrupted when the pool closes
        async with pool.connection() as connection:
            await connection.execute("DROP TABLE basket")
        print(f"connections were replaced {manager.statistics().retirements} time")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
