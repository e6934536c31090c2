"""The counter of pools that replaced their connections, and failures at a server with another role."""

from typing import Any

import pytest

from aws_iam_async import ConnectNext, ConnectRequest, PluginManager
from tests.telemetry.conftest import Rds, Telemetry

LIMITS: dict[str, dict[str, Any]] = {
    "asyncpg": {"timeout": 1.0},
    "aiomysql": {"connect_timeout": 1.0},
    "psycopg": {"connect_timeout": 1.0},
}


class Distrust:
    """A plugin that has all connections replaced after each failed statement."""

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        return await call_next(request)

    def statement_failed(self, _request: ConnectRequest, _error: BaseException) -> bool:
        return True

    async def must_retire(self, _request: ConnectRequest, _connection: Any) -> bool:
        return True


async def fail(rds: Rds, pool: Any) -> None:
    """Run a statement that the server refuses, and wait until the pool has a connection again."""
    context = pool.connection if rds.driver == "psycopg" else pool.acquire
    with pytest.raises(Exception, match="no_table"):
        async with context() as connection:
            await rds.value(connection, "SELECT * FROM no_table")
    async with context() as connection:
        assert await rds.value(connection, "SELECT 1") == 1


async def test_replaced_connections_are_counted(rds: Rds, telemetry: Telemetry) -> None:
    async with (
        PluginManager(["otel", Distrust(), "iam"]) as manager,
        manager.create_pool(rds.dsn, **rds.options, **rds.sizes(1, 1)) as pool,
    ):
        assert telemetry.counts("aws_iam_async.pool.retirements") == []
        for _ in range(2):
            await fail(rds, pool)
        assert manager.statistics().retirements == 2
    system = "mysql" if rds.driver == "aiomysql" else "postgresql"
    server = {"db.system.name": system, "server.address": "127.0.0.1", "server.port": rds.emulator.port}
    assert telemetry.counts("aws_iam_async.pool.retirements") == [(server, 2)]


async def test_a_server_with_another_role_is_a_failure(rds: Rds, telemetry: Telemetry) -> None:
    async with PluginManager("otel,role,iam") as manager:
        with pytest.raises(Exception, match="within 1 s") as raised:
            await manager.connect(rds.dsn, role="reader", **rds.options, **LIMITS[rds.driver])
        refused = manager.statistics().wrong_servers
    assert "is a writer, not a reader" in "".join(raised.value.__notes__)
    counts = {attributes["error.type"]: n for attributes, n in telemetry.counts("aws_iam_async.connection.failures")}
    assert counts.pop("aws_iam_async.errors.WrongServerError") == refused
    assert set(counts) <= {"asyncio.exceptions.CancelledError"}  # the last try, at the end of the time
