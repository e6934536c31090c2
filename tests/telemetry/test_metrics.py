"""What is counted and measured, and with which attributes."""

import gc
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import PluginManager
from tests.telemetry.conftest import REFUSAL, Rds, Telemetry

SYSTEM = {"asyncpg": "postgresql", "aiomysql": "mysql", "psycopg": "postgresql"}


def server(rds: Rds) -> dict[str, Any]:
    return {"db.system.name": SYSTEM[rds.driver], "server.address": "127.0.0.1", "server.port": rds.emulator.port}


async def test_connections_that_are_created(rds: Rds, telemetry: Telemetry) -> None:
    for _ in range(2):
        async with aws_iam_async.connect(rds.dsn, plugins="otel,iam", **rds.options):
            pass
    pool_name = f"127.0.0.1:{rds.emulator.port}/shop"
    expected = {**server(rds), "db.client.connection.pool.name": pool_name}
    assert telemetry.counts("db.client.connection.create_time") == [(expected, 2)]
    assert telemetry.counts("aws_iam_async.connection.failures") == []


async def test_connections_that_fail(rds: Rds, telemetry: Telemetry) -> None:
    rds.emulator.faults.reject_next(10)
    with pytest.raises(rds.refusal):
        await aws_iam_async.connect(rds.dsn, plugins="otel,iam", iam_token_expiration=0, **rds.options)
    expected = server(rds) | REFUSAL[rds.driver]
    assert telemetry.counts("aws_iam_async.connection.failures") == [(expected, 1)]
    assert telemetry.counts("db.client.connection.create_time") == []


async def test_tokens_that_are_generated(rds: Rds, telemetry: Telemetry) -> None:
    async with PluginManager("otel,iam") as manager:
        for _ in range(3):
            async with manager.connect(rds.dsn, **rds.options):
                pass
        assert manager.statistics().generations == 1
    place = {"server.address": rds.emulator.host, "server.port": rds.emulator.port, "cloud.region": "us-east-1"}
    assert telemetry.counts("aws_iam_async.token.generation.duration") == [(place, 1)]


@pytest.mark.parametrize("rds", ["asyncpg"], indirect=True)
async def test_tokens_that_are_held(rds: Rds, telemetry: Telemetry) -> None:
    gc.collect()
    before = telemetry.value("aws_iam_async.token.cached")
    managers = [PluginManager("otel,iam") for _ in range(2)]
    for manager in managers:
        async with manager.connect(rds.dsn, **rds.options):
            pass
    assert telemetry.value("aws_iam_async.token.cached") == before + 2
    for manager in managers:
        await manager.aclose()
    del manager, managers
    gc.collect()
    assert telemetry.value("aws_iam_async.token.cached") == before
