"""``RdsTokenProvider`` and ``ssl_context()``: what a library that dials by itself needs to log in with IAM."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiomysql
import asyncpg
import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError, RdsTokenProvider
from aws_iam_async.testing import Emulator
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds, give_environment

OTHER = "other.c9akciq32.us-east-1.rds.amazonaws.com"


def password_of(emulator: Emulator) -> Callable[[], Awaitable[str]]:
    provider = RdsTokenProvider()

    async def password() -> str:
        token = await provider.get_token(host=emulator.host, port=emulator.port, user="app")
        return token.value

    return password


async def test_asyncpg_by_itself(postgresql: Rds, aws_home: AwsHome) -> None:
    emulator = postgresql.emulator
    give_environment(aws_home, emulator.account.create_access_key())
    context = await aws_iam_async.ssl_context(emulator.host, sslrootcert=emulator.ca_file)
    async with asyncpg.create_pool(
        host=emulator.dial_host, port=emulator.port, user="app", database="shop",
        password=password_of(emulator), ssl=context, min_size=3, max_size=3,
    ) as pool:  # fmt: skip
        assert await pool.fetchval("SELECT current_user") == "app"
    assert [login.accepted for login in emulator.logins] == [True] * 3


async def test_aiomysql_by_itself(mysql: Rds, aws_home: AwsHome) -> None:
    emulator = mysql.emulator
    give_environment(aws_home, emulator.account.create_access_key())
    context = await aws_iam_async.ssl_context(emulator.host, sslrootcert=emulator.ca_file)
    connection = await aiomysql.connect(
        host=emulator.dial_host, port=emulator.port, user="app", db="shop",
        password=await password_of(emulator)(), ssl=context,
    )  # fmt: skip
    assert await mysql.value(connection, "SELECT 1") == 1
    await connection.ensure_closed()


@pytest.mark.parametrize(("host", "trusts_the_emulator"), [(OTHER, True), (None, False)], ids=["name", "authority"])
async def test_another_server_is_refused(
    postgresql: Rds, aws_home: AwsHome, host: str | None, trusts_the_emulator: bool
) -> None:
    emulator = postgresql.emulator
    give_environment(aws_home, emulator.account.create_access_key())
    root = emulator.ca_file if trusts_the_emulator else None
    context = await aws_iam_async.ssl_context(host or emulator.host, sslrootcert=root)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch" if host else "issuer|self.signed"):
        await asyncpg.connect(
            host=emulator.dial_host, port=emulator.port, user="app", database="shop",
            password=password_of(emulator), ssl=context,
        )  # fmt: skip
    assert not [login for login in emulator.logins if login.accepted]


async def test_the_context_is_shared_and_cannot_be_weakened() -> None:
    context = await aws_iam_async.ssl_context(f"{OTHER.upper()}.")
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert (context.verify_mode, context.minimum_version) == (ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2)
    with pytest.raises(AttributeError):
        context.check_hostname = False
    assert (await aws_iam_async.ssl_context(OTHER)).check_hostname


@pytest.mark.parametrize(
    ("host", "options", "message"),
    [
        ("127.0.0.1", {}, "is an IP address: pass the endpoint's name"),
        ("::1", {}, "is an IP address: pass the endpoint's name"),
        ("", {}, "host is empty"),
        (None, {}, "host must be a host name"),
        ("postgresql://app@db/shop", {}, "host contains"),
        (OTHER, {"sslrootcert": "/nowhere.pem"}, "sslrootcert: '/nowhere.pem' cannot be read"),
        (OTHER, {"sslrootcert": 7}, "sslrootcert must be the non-empty path of a local PEM file"),
    ],
)
async def test_what_is_no_endpoint_or_no_file(host: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await aws_iam_async.ssl_context(host, **options)
    assert message in str(caught.value)
