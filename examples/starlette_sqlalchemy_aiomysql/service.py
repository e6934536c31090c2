"""A Starlette service with SQLAlchemy and aiomysql that logs in to RDS or Aurora with IAM.

It lists and adds the goods of a shop. To run it:

    DATABASE_URL=mysql+aiomysql://app@shop.c9akciq32.us-east-1.rds.amazonaws.com/shop \
        uvicorn --factory examples.starlette_sqlalchemy_aiomysql.service:create_app

Create the table first, with ``Base.metadata.create_all``. The AWS credentials are those that the AWS SDK finds.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from sqlalchemy import String, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from aws_iam_async import AwsIamError
from aws_iam_async.sqlalchemy import create_async_engine

logger = logging.getLogger(__name__)

HEALTH_SECONDS = 5


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


class Base(DeclarativeBase):
    """The tables of this service."""


class Good(Base):
    """An item that the shop sells."""

    __tablename__ = "goods"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    cents: Mapped[int]

    def as_dict(self) -> dict[str, str | int]:
        """Return the fields that clients see."""
        return {"id": self.id, "name": self.name, "cents": self.cents}


async def all_goods(request: Request) -> JSONResponse:
    """Answer ``GET /goods``."""
    async with request.app.state.sessions() as session:
        return JSONResponse([good.as_dict() for good in await session.scalars(select(Good).order_by(Good.name))])


async def add(request: Request) -> JSONResponse:
    """Answer ``POST /goods``."""
    try:
        match await request.json():
            case {"name": str(name), "cents": int(cents)} if name and cents > 0:
                good = Good(name=name, cents=cents)
            case _:
                return JSONResponse({"error": "a name and a price in cents are needed"}, 422)
    except json.JSONDecodeError:
        return JSONResponse({"error": "this is not JSON"}, 400)
    async with request.app.state.sessions.begin() as session:
        session.add(good)
    return JSONResponse(good.as_dict(), 201)


async def health(request: Request) -> JSONResponse:
    """Answer ``GET /health``."""
    try:
        async with asyncio.timeout(HEALTH_SECONDS), request.app.state.sessions() as session:
            await session.execute(text("SELECT 1"))
    except (OSError, SQLAlchemyError, AwsIamError) as error:
        logger.warning("the database is not available: %r", error)
        return JSONResponse({"error": "the database is not available"}, 503)
    return JSONResponse({"status": "ok"})


def create_app() -> Starlette:
    """Create the service. It connects at the first request, and closes its connections when it stops."""
    settings = Settings.from_environment()
    engine = create_async_engine(
        settings.database_url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10},
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
        yield
        await engine.dispose()

    routes = [Route("/goods", all_goods), Route("/goods", add, methods=["POST"]), Route("/health", health)]
    return Starlette(routes=routes, lifespan=lifespan)
