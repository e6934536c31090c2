"""Real databases behind the emulator, each as its own driver sees it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import aiomysql
import asyncpg
import psycopg
import psycopg_pool
import pytest

import aws_iam_async
from aws_iam_async.testing import AccessKey, Emulator
from tests.credentials.conftest import FAR, Answer, AwsHome, Endpoint, aws_home, container, endpoint

__all__ = ["Rds", "aws_home", "container", "credentials_endpoint", "endpoint", "mysql", "postgresql", "rds"]


@dataclass
class Rds:
    """A database that is logged in to with IAM, and the few words in which its drivers differ."""

    driver: Literal["asyncpg", "aiomysql", "psycopg"]
    emulator: Emulator

    @property
    def dsn(self) -> str:
        dsn = self.emulator.dsn("app", "shop")
        return dsn.replace("://", "+psycopg://") if self.driver == "psycopg" else dsn

    @property
    def options(self) -> dict[str, Any]:
        return {"iam_host": self.emulator.host, "sslrootcert": self.emulator.ca_file}

    @property
    def connection_type(self) -> Any:
        connections = {"asyncpg": asyncpg.Connection, "aiomysql": aiomysql.Connection}
        return (connections | {"psycopg": psycopg.AsyncConnection})[self.driver]

    @property
    def pool_type(self) -> Any:
        pools: dict[str, Any] = {"asyncpg": asyncpg.Pool, "aiomysql": aiomysql.Pool}
        return (pools | {"psycopg": psycopg_pool.AsyncConnectionPool})[self.driver]

    @property
    def refusal(self) -> Any:
        return {
            "asyncpg": asyncpg.InvalidAuthorizationSpecificationError,
            "aiomysql": aiomysql.OperationalError,
            "psycopg": psycopg.OperationalError,
        }[self.driver]

    def sizes(self, least: int, most: int) -> dict[str, Any]:
        names = ("minsize", "maxsize") if self.driver == "aiomysql" else ("min_size", "max_size")
        return dict(zip(names, (least, most), strict=True))

    def connect(self, **options: Any) -> Any:
        return aws_iam_async.connect(self.dsn, **(self.options | options))

    def create_pool(self, least: int, most: int, **options: Any) -> Any:
        return aws_iam_async.create_pool(self.dsn, **(self.options | self.sizes(least, most) | options))

    async def value(self, connection: Any, query: str) -> Any:
        """The first value of a query's answer."""
        if self.driver == "asyncpg":
            return await connection.fetchval(query)
        async with connection.cursor() as cursor:
            await cursor.execute(query)
            return (await cursor.fetchone())[0]

    async def close(self, connection: Any) -> None:
        await (connection.ensure_closed() if self.driver == "aiomysql" else connection.close())

    async def close_pool(self, pool: Any) -> None:
        if self.driver == "aiomysql":
            pool.close()
            await pool.wait_closed()
        else:
            await pool.close()

    @asynccontextmanager
    async def acquired(self, pool: Any, count: int) -> AsyncIterator[list[Any]]:
        """As many connections of a pool at once."""
        take, give = (pool.getconn, pool.putconn) if self.driver == "psycopg" else (pool.acquire, pool.release)
        connections = [await take() for _ in range(count)]
        try:
            yield connections
        finally:
            for connection in connections:
                await give(connection)


@pytest.fixture
async def postgresql(rds_postgres: Emulator) -> AsyncIterator[Rds]:
    yield Rds("asyncpg", rds_postgres)
    await hang_up(rds_postgres)


@pytest.fixture
async def mysql(rds_mysql: Emulator) -> AsyncIterator[Rds]:
    yield Rds("aiomysql", rds_mysql)
    await hang_up(rds_mysql)


async def hang_up(emulator: Emulator) -> None:
    """Wait for the last goodbyes: asyncpg 0.32 leaves the transport of a refused login to end TLS by itself."""
    await asyncio.to_thread(emulator.wait_for_connections, 0)
    for _ in range(10):
        await asyncio.sleep(0.001)


@pytest.fixture(params=["asyncpg", "aiomysql", "psycopg"])
def rds(request: pytest.FixtureRequest, postgresql: Rds, mysql: Rds, aws_home: AwsHome) -> Rds:
    """Each database in turn, with an access key of its account in the environment."""
    databases = {"asyncpg": postgresql, "aiomysql": mysql, "psycopg": Rds("psycopg", postgresql.emulator)}
    database = databases[request.param]
    give_environment(aws_home, database.emulator.account.create_access_key())
    return database


async def settle() -> None:
    """Let cancelled tasks come to their end."""
    for _ in range(10):
        await asyncio.sleep(0)


def give_environment(aws_home: AwsHome, key: AccessKey) -> None:
    aws_home.set(AWS_ACCESS_KEY_ID=key.access_key, AWS_SECRET_ACCESS_KEY=key.secret_key)


class CredentialsEndpoint:
    """A container's credentials endpoint that gives out access keys of the emulator's account."""

    def __init__(self, endpoint: Endpoint, rds: Rds) -> None:
        self._endpoint = endpoint
        self._account = rds.emulator.account
        self.rotate()

    def rotate(self) -> AccessKey:
        """Give out a new key from now on, and return it."""
        key = self._account.create_access_key(session=True)
        body = {
            "AccessKeyId": key.access_key,
            "SecretAccessKey": key.secret_key,
            "Token": key.session_token,
            "Expiration": FAR,
        }
        self._endpoint.answer = Answer(json.dumps(body))
        self.key = key
        return key

    @property
    def requests(self) -> int:
        return self._endpoint.requests


@pytest.fixture
def credentials_endpoint(rds: Rds, aws_home: AwsHome, endpoint: Endpoint) -> CredentialsEndpoint:
    """Takes the place of the key in the environment."""
    aws_home.environ.delenv("AWS_ACCESS_KEY_ID")
    aws_home.environ.delenv("AWS_SECRET_ACCESS_KEY")
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{endpoint.url}/creds")
    return CredentialsEndpoint(endpoint, rds)
