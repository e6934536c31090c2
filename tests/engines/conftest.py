"""SQLAlchemy engines on the databases that are logged in to with IAM."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from aws_iam_async.sqlalchemy import create_async_engine
from tests.credentials.conftest import aws_home
from tests.login.conftest import Rds, mysql, postgresql, rds

__all__ = ["MakeEngine", "aws_home", "make_engine", "mysql", "postgresql", "rds", "url"]

DRIVERNAMES = {"asyncpg": "postgresql+asyncpg", "aiomysql": "mysql+aiomysql", "psycopg": "postgresql+psycopg"}

MakeEngine = Callable[..., AsyncEngine]


def url(rds: Rds, **query: str) -> URL:
    return make_url(rds.dsn).set(drivername=DRIVERNAMES[rds.driver], query=query)


@pytest.fixture
async def make_engine() -> AsyncIterator[MakeEngine]:
    """Makes engines for a database, which are disposed of at the end."""
    engines: list[AsyncEngine] = []

    def make(rds: Rds, **options: Any) -> AsyncEngine:
        engines.append(create_async_engine(url(rds), **(rds.options | options)))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.dispose()
