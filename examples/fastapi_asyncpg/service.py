"""A FastAPI service with an asyncpg pool that logs in to RDS or Aurora with IAM.

It lists and adds the goods of a shop. To run it:

    DATABASE_URL=postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop \
        uvicorn --factory examples.fastapi_asyncpg.service:create_app

Create the table first, with ``schema.sql``. The AWS credentials are those that the AWS SDK finds.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Self

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

import aws_iam_async

logger = logging.getLogger(__name__)

HEALTH_SECONDS = 5
# The errors of a database that is down, refuses the connection, or takes too long.
UNAVAILABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, aws_iam_async.AwsIamError)


@dataclass(frozen=True)
class Settings:
    """Settings of a deployment.

    Attributes:
        database_url: The address of the database. Its query may contain options such as ``iam_host``.
        pool_size: The maximum number of connections of one process.
    """

    database_url: str
    pool_size: int = 10

    @classmethod
    def from_environment(cls) -> Self:
        """Read ``DATABASE_URL`` and, if it is set, ``POOL_SIZE``."""
        return cls(os.environ["DATABASE_URL"], int(os.environ.get("POOL_SIZE", cls.pool_size)))


class NewGood(BaseModel):
    """A new item, as clients send it."""

    name: str = Field(min_length=1, max_length=100)
    cents: int = Field(gt=0)


class Good(NewGood):
    """An item that the shop sells."""

    id: int


async def get_pool(request: Request) -> Any:
    """Return the pool that the lifespan has opened."""
    return request.app.state.pool


# The type is in quotes because asyncpg's classes take no parameters at run time.
Pool = Annotated["asyncpg.Pool[asyncpg.Record]", Depends(get_pool)]


def create_app() -> FastAPI:
    """Create the service. Its pool opens when the service starts, and closes when it stops."""
    settings = Settings.from_environment()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with aws_iam_async.create_pool(
            settings.database_url,
            driver="asyncpg",
            min_size=1,
            max_size=settings.pool_size,
            timeout=10,
            command_timeout=30,
            server_settings={"application_name": "goods"},
        ) as app.state.pool:
            yield

    app = FastAPI(title="Goods", lifespan=lifespan)

    @app.get("/health")
    async def health(pool: Pool) -> dict[str, str]:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await pool.fetchval("SELECT 1")
        except UNAVAILABLE as error:
            logger.warning("the database is not available: %r", error)
            raise HTTPException(503, "the database is not available") from error
        return {"status": "ok"}

    @app.get("/goods")
    async def all_goods(pool: Pool) -> list[Good]:
        return [Good(**row) for row in await pool.fetch("SELECT id, name, cents FROM goods ORDER BY name")]

    @app.post("/goods", status_code=201)
    async def add(good: NewGood, pool: Pool) -> Good:
        new_id = await pool.fetchval(
            "INSERT INTO goods (name, cents) VALUES ($1, $2) RETURNING id", good.name, good.cents
        )
        return Good(id=new_id, **good.model_dump())

    return app
