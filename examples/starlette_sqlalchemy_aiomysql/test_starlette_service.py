"""Tests of the service with a real MariaDB server that requires IAM logins. They need no AWS account.

``pip install 'aws-iam-async[testing]'`` provides the fixtures ``rds_mysql`` and ``rds_environment``.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette

from aws_iam_async.sqlalchemy import create_async_engine
from aws_iam_async.testing import AccessKey, Emulator
from examples.starlette_sqlalchemy_aiomysql.service import Base, create_app


@pytest.fixture
def app(rds_mysql: Emulator, rds_environment: AccessKey, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    """The service, with its settings in environment variables."""
    monkeypatch.setenv("DATABASE_URL", rds_mysql.iam_dsn("app", "shop", scheme="mysql+aiomysql"))
    return create_app()


@pytest.fixture
async def client(app: Starlette, rds_mysql: Emulator) -> AsyncIterator[AsyncClient]:
    """A client of the running service. The table is empty."""
    engine = create_async_engine(rds_mysql.iam_dsn("app", "shop", scheme="mysql+aiomysql"))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
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


async def test_a_failover_is_survived(client: AsyncClient, rds_mysql: Emulator) -> None:
    rds_mysql.faults.reject_next(1000)
    rds_mysql.cut_connections()
    await asyncio.to_thread(rds_mysql.wait_for_connections, 0)
    assert (await client.get("/health")).status_code == 503
    rds_mysql.faults.reset()
    assert (await client.get("/health")).status_code == 200
