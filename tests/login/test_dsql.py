"""Aurora DSQL with a real PostgreSQL behind it: the endpoint's name is all that it takes."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError, Credentials, PluginManager
from aws_iam_async.sqlalchemy import create_async_engine
from aws_iam_async.testing import CertificateKind, Emulator, PostgresServer, Reason

HOST = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
# What PrivateLink calls the same cluster.
PRIVATE = "foo0bar1baz2quux3quuux4abc.dsql-fnh4.us-east-1.on.aws"
REFUSALS = {"asyncpg": asyncpg.ConnectionFailureError, "psycopg": psycopg.OperationalError}
Load = Callable[[], Awaitable[Credentials]]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        server.create_user("admin")
        server.create_user("app")
        yield server


@pytest.fixture(scope="module", params=[HOST, PRIVATE])
def running(request: pytest.FixtureRequest, server: PostgresServer) -> Iterator[Emulator]:
    with Emulator(server, host=request.param) as emulator:
        yield emulator


@pytest.fixture
def dsql(running: Emulator) -> Emulator:
    running.reset()
    running.account.restore()
    return running


@pytest.fixture(params=["asyncpg", "psycopg"])
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def options(dsql: Emulator, driver: str, user: str = "app", **changes: Any) -> dict[str, Any]:
    """Return options that dial the emulator; with a real cluster its endpoint alone is enough."""
    return {"dsn": dsql.dsn(user, "postgres"), "driver": driver, **dsql.options, **changes}


async def user_of(connection: Any) -> Any:
    if isinstance(connection, psycopg.AsyncConnection):
        row = await (await connection.execute("SELECT current_user")).fetchone()
        assert row is not None
        return row[0]
    return await connection.fetchval("SELECT current_user")


@pytest.mark.parametrize("user", ["admin", "app"])
async def test_a_connection(dsql: Emulator, driver: str, user: str) -> None:
    async with aws_iam_async.connect(**options(dsql, driver, user)) as connection:
        assert await user_of(connection) == user
    assert [(login.user, login.reason) for login in dsql.logins] == [(user, None)]


async def test_the_endpoints_name_is_enough(dsql: Emulator, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a real cluster: no option but the authority of the emulator's certificate."""
    resolve = asyncio.get_running_loop().getaddrinfo

    async def resolve_here(host: Any, *args: Any, **keywords: Any) -> Any:
        return await resolve(dsql.dial_host if host in {dsql.host, dsql.host.encode()} else host, *args, **keywords)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve_here)
    for name, value in dsql.account.access_key.environment.items():
        monkeypatch.setenv(name, value)
    dsn = f"postgresql://admin@{dsql.host}:{dsql.port}/postgres"
    given: dict[str, Any] = {"driver": driver, "sslrootcert": dsql.ca_file}
    async with aws_iam_async.connect(dsn, **given) as connection:
        assert await user_of(connection) == "admin"
    assert [login.reason for login in dsql.logins] == [None]


async def test_the_cluster_behind_an_alias_is_found(
    dsql: Emulator, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(_host: Any, port: Any, *_: Any, flags: int = 0, **__: Any) -> list[Any]:
        canonical = dsql.host if flags & socket.AI_CANONNAME else ""
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, canonical, (dsql.dial_host, port or 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    given = options(dsql, driver) | {"iam_host": "auto", "iam_region": None}
    async with aws_iam_async.connect(**given, host="db.example.com") as connection:
        assert await user_of(connection) == "app"
    assert [login.reason for login in dsql.logins] == [None]


async def test_an_engine_of_sqlalchemy(dsql: Emulator, driver: str) -> None:
    url = dsql.iam_dsn("app", "postgres", scheme=f"postgresql+{driver}")
    engine = create_async_engine(url, credentials=dsql.account.credentials)
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT current_user")).scalar() == "app"
    await engine.dispose()


async def test_a_pool(dsql: Emulator, driver: str) -> None:
    async with (
        PluginManager() as manager,
        manager.create_pool(**options(dsql, driver, min_size=2, max_size=4)) as pool,
    ):
        if driver == "psycopg":
            await pool.wait()
            async with pool.connection() as connection:
                assert await user_of(connection) == "app"
        else:
            assert await pool.fetchval("SELECT current_user") == "app"
        assert manager.statistics().generations <= 1
    assert {login.reason for login in dsql.logins} == {None}


async def test_a_refused_token_is_tried_once_more_with_a_new_one(dsql: Emulator, driver: str) -> None:
    async with PluginManager() as manager:
        async with manager.connect(**options(dsql, driver)):
            pass
        dsql.faults.reject_next(1)
        async with manager.connect(**options(dsql, driver)) as connection:
            assert await user_of(connection) == "app"
    assert [login.reason for login in dsql.logins] == [None, Reason.REJECTED_ON_DEMAND, None]


async def test_a_refused_login_says_what_to_check(dsql: Emulator, driver: str) -> None:
    dsql.faults.password_users = {"app"}
    with pytest.raises(REFUSALS[driver], match="unable to accept connection, access denied") as refused:
        await aws_iam_async.connect(**options(dsql, driver))
    notes = " ".join(refused.value.__notes__)
    assert f"signed for user 'app' at {dsql.host} in us-east-1" in notes
    cluster = dsql.host.partition(".")[0]
    assert f"may do dsql:DbConnect on arn:aws:dsql:us-east-1:ACCOUNT:cluster/{cluster}." in notes
    assert "AWS IAM GRANT" in notes
    assert "rds" not in notes.lower()
    if isinstance(refused.value, asyncpg.PostgresError):
        assert (refused.value.sqlstate, refused.value.severity_en) == ("08006", "FATAL")


async def test_admin_needs_another_action(dsql: Emulator, driver: str) -> None:
    dsql.faults.password_users = {"admin"}
    with pytest.raises(REFUSALS[driver]) as refused:
        await aws_iam_async.connect(**options(dsql, driver, "admin"))
    assert "may do dsql:DbConnectAdmin on" in " ".join(refused.value.__notes__)


async def test_a_wrong_region(dsql: Emulator, driver: str) -> None:
    with pytest.raises(REFUSALS[driver]) as refused:
        await aws_iam_async.connect(**options(dsql, driver, iam_region="us-west-2"))
    assert "By its name the host is in us-east-1" in " ".join(refused.value.__notes__)
    assert {login.reason for login in dsql.logins} == {Reason.WRONG_REGION}


async def test_the_server_is_verified_by_its_own_name(dsql: Emulator, driver: str) -> None:
    dsql.faults.certificate = CertificateKind.OTHER_HOST
    with pytest.raises(Exception, match=r"certificate") as refused:
        await aws_iam_async.connect(**options(dsql, driver))
    assert not dsql.logins
    assert "is for a name other than" in " ".join(refused.value.__notes__)


async def test_advice_on_trust_does_not_name_authorities_of_rds(dsql: Emulator, driver: str) -> None:
    dsql.faults.certificate = CertificateKind.UNTRUSTED
    with pytest.raises(Exception, match=r"certificate") as refused:
        await aws_iam_async.connect(**options(dsql, driver, sslrootcert=None))
    notes = " ".join(refused.value.__notes__)
    assert "Aurora DSQL has certificates of public authorities" in notes
    assert "authorities of RDS" not in notes


@pytest.mark.parametrize("option", ["iam_default_port", "cluster_instance_host_pattern"])
async def test_an_option_without_a_use_is_refused_in_the_dsn_too(dsql: Emulator, driver: str, option: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{option}: .*; remove it"):
        await aws_iam_async.connect(**options(dsql, driver) | {"dsn": f"{dsql.iam_dsn('app')}&{option}=5432"})
