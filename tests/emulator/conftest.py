"""Raw drivers and botocore's own tokens: nothing here uses the rest of this package."""

import asyncio
import ssl
import unittest.mock
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import aiomysql
import asyncpg
import pytest
from botocore.credentials import Credentials
from botocore.hooks import HierarchicalEmitter
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from aws_iam_async.testing import AccessKey, Emulator


def sign(
    key: AccessKey,
    emulator: Emulator,
    *,
    user: str = "app",
    host: str | None = None,
    port: int | None = None,
    region: str | None = None,
    service: str = "rds-db",
    expires_in: int = 900,
    at: float | None = None,
) -> str:
    """Sign a token as botocore's ``generate_db_auth_token`` does, with any detail another one."""
    netloc = f"{host or emulator.host}:{port or emulator.port}"
    parameters = {"Action": "connect", "DBUser": user}
    return presign(key, netloc, parameters, service, region or emulator.region, expires_in, at)


def presign(
    key: AccessKey,
    netloc: str,
    parameters: dict[str, str],
    service: str,
    region: str,
    expires_in: int = 900,
    at: float | None = None,
) -> str:
    """Sign with botocore, at a moment or now."""
    if at is not None:
        now = datetime.fromtimestamp(at, UTC)
        with (
            unittest.mock.patch("botocore.auth.get_current_datetime", return_value=now),
            # With awscrt installed, that signs.
            unittest.mock.patch("botocore.crt.auth.get_current_datetime", return_value=now),
        ):
            return presign(key, netloc, parameters, service, region, expires_in)
    credentials = Credentials(key.access_key, key.secret_key, key.session_token)
    events = HierarchicalEmitter()  # the signer only has a weak reference
    signer = RequestSigner(ServiceId("rds"), region, service, "v4", credentials, events)
    request = {
        "method": "GET",
        "url": f"https://{netloc}/",
        "headers": {},
        "body": parameters,
        "url_path": "/",
        "query_string": "",
        "context": {},
    }
    url: str = signer.generate_presigned_url(
        request, region_name=region, expires_in=expires_in, operation_name="connect", signing_name=service
    )
    return url.removeprefix("https://")


def trust(emulator: Emulator) -> ssl.SSLContext:
    """A verifying context; the names differ since the drivers, on their own, can only verify what they dial."""
    context = ssl.create_default_context(cafile=str(emulator.ca_file))
    context.check_hostname = False
    return context


class Session(Protocol):
    """A driver's connection, as far as these tests need one."""

    connection: Any

    async def query(self, sql: str) -> Sequence[tuple[Any, ...]]: ...

    async def close(self) -> None: ...

    def abort(self) -> None: ...


@dataclass
class PostgresSession:
    connection: Any

    async def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        return [tuple(record) for record in await self.connection.fetch(sql)]

    async def close(self) -> None:
        await self.connection.close()

    def abort(self) -> None:
        self.connection.terminate()


@dataclass
class MysqlSession:
    connection: Any

    async def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        async with self.connection.cursor() as cursor:
            await cursor.execute(sql)
            return list(await cursor.fetchall())

    async def close(self) -> None:
        await self.connection.ensure_closed()

    def abort(self) -> None:
        self.connection.close()


async def connect_postgres(emulator: Emulator, token: str, *, user: str = "app", database: str = "shop") -> Session:
    return PostgresSession(
        await asyncpg.connect(
            host=emulator.dial_host,
            port=emulator.port,
            user=user,
            database=database,
            password=token,
            ssl=trust(emulator),
            timeout=20,
        )
    )


async def connect_mysql(emulator: Emulator, token: str, *, user: str = "app", database: str = "shop") -> Session:
    return MysqlSession(
        await aiomysql.connect(
            host=emulator.dial_host,
            port=emulator.port,
            user=user,
            db=database,
            password=token,
            ssl=trust(emulator),
            connect_timeout=20,
        )
    )


@dataclass
class Front:
    """One of the two protocols, with what differs between their drivers."""

    emulator: Emulator
    key: AccessKey
    connect_with: Callable[..., Awaitable[Session]]
    refusal: type[Exception]
    refusal_text: str

    async def connect(self, token: str | None = None, **options: str) -> Session:
        return await self.connect_with(self.emulator, token or self.token(), **options)

    def token(self, **details: Any) -> str:
        return sign(self.key, self.emulator, **details)


def processes_in(directory: Path) -> list[str]:
    """The command lines of all processes that name this directory."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if bytes(directory) in line:
            lines.append(line.decode(errors="replace"))
    return lines


BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, aiomysql.Error, OSError)
"""What the drivers raise for a connection that ends too early."""

POSTGRES = (connect_postgres, asyncpg.InvalidAuthorizationSpecificationError, 'PAM authentication failed for user "{}"')
MYSQL = (connect_mysql, aiomysql.OperationalError, "Access denied for user '{}'@'127.0.0.1' (using password: YES)")


async def drivers_have_closed() -> None:
    """Let the drivers finish closing the connections that were refused or cut: they do it in the background."""
    watched = asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined]  # of asyncio 3.11 to 3.14
    async with asyncio.timeout(10):
        while len(watched) > 1:  # noqa: ASYNC110 - nothing tells; the one left is the loop's own
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
async def _drivers_have_closed() -> AsyncIterator[None]:
    yield
    await drivers_have_closed()


@pytest.fixture(params=["postgres", "mysql"])
def front(request: pytest.FixtureRequest) -> Front:
    """Each test with this fixture runs on both protocols."""
    emulator = request.getfixturevalue(f"rds_{request.param}")
    return Front(emulator, emulator.account.create_access_key(), *(POSTGRES if request.param == "postgres" else MYSQL))
