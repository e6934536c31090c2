"""Tests of the service with a real PostgreSQL server that requires IAM logins. They need no AWS account.

``pip install 'aws-iam-async[testing]'`` provides the fixtures ``rds_postgres`` and ``rds_environment``.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

import aws_iam_async
from aws_iam_async.testing import AccessKey, Emulator
from examples.fastapi_asyncpg.service import create_app

SCHEMA = Path(__file__).with_name("schema.sql").read_text()


@pytest.fixture
async def client(
    rds_postgres: Emulator, rds_environment: AccessKey, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncClient]:
    """A client of the running service. The table is empty."""
    url = rds_postgres.iam_dsn("app", "shop")
    async with aws_iam_async.connect(url, driver="asyncpg") as connection:
        await connection.execute(f"DROP TABLE IF EXISTS goods; {SCHEMA}")
    monkeypatch.setenv("DATABASE_URL", url)
    app = create_app()
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://goods") as client,
    ):
        yield client


async def test_goods_are_kept(client: AsyncClient) -> None:
    added = await client.post("/goods", json={"name": "tea", "cents": 350})
    assert added.status_code == 201
    assert (await client.get("/goods")).json() == [added.json()]


async def test_goods_without_a_price_are_refused(client: AsyncClient) -> None:
    refused = await client.post("/goods", json={"name": "tea", "cents": 0})
    assert refused.status_code == 422
    assert (await client.get("/goods")).json() == []


async def test_health(client: AsyncClient) -> None:
    assert (await client.get("/health")).json() == {"status": "ok"}


async def test_a_failover_is_survived(client: AsyncClient, rds_postgres: Emulator) -> None:
    rds_postgres.faults.reject_next(1000)
    rds_postgres.cut_connections()
    await asyncio.to_thread(rds_postgres.wait_for_connections, 0)
    assert (await client.get("/health")).status_code == 503
    rds_postgres.faults.reset()
    assert (await client.get("/health")).status_code == 200
