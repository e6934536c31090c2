"""A role that STS gives out logs in to a database: by keyword, in the DSN, by a manager and with an engine."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

import aws_iam_async
from aws_iam_async import CredentialsError, PluginManager
from aws_iam_async.sqlalchemy import create_async_engine
from aws_iam_async.testing import AccessKey
from tests.cli.doctor.sts_double import Sts, serving
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds

ROLE = "arn:aws:iam::123456789012:role/app"
OTHER = "arn:aws:iam::123456789012:role/reader"


@pytest.fixture
def sts(rds: Rds, aws_home: AwsHome) -> Iterator[Sts]:
    """Gives out a key of the database's account. The database knows no other: not that of profile ``prod``."""
    aws_home.config.write_text(
        "[profile prod]\nregion = us-east-1\naws_access_key_id = AKIAPROD\naws_secret_access_key = x\n"
    )
    with serving() as double:
        double.role_key = rds.emulator.account.create_access_key(session=True)
        aws_home.set(AWS_ENDPOINT_URL_STS=double.url, AWS_MAX_ATTEMPTS="1")
        yield double


def key_of(sts: Sts) -> AccessKey:
    assert sts.role_key is not None
    return sts.role_key


def logged_in_with(rds: Rds) -> list[str | None]:
    return [login.access_key_id for login in rds.emulator.logins if login.accepted]


async def test_by_keyword(rds: Rds, sts: Sts) -> None:
    await rds.close(await rds.connect(profile="prod", role_arn=ROLE))
    assert sts.asked == ["AKIAPROD"]
    assert logged_in_with(rds) == [key_of(sts).access_key]


async def test_a_refused_login_names_the_role(rds: Rds, sts: Sts) -> None:
    rds.emulator.faults.reject_next(1)
    with pytest.raises(Exception, match=r"(?i)authentication failed|access denied") as raised:
        await rds.connect(profile="prod", role_arn=ROLE)
    notes = "".join(raised.value.__notes__)
    assert f"with access key {key_of(sts).access_key} from profile 'prod' -> role {ROLE}." in notes


async def test_in_the_dsn(rds: Rds, sts: Sts) -> None:
    dsn = f"{rds.dsn}?profile=prod&role_arn={ROLE}&external_id=shop%3A12&role_session_name=job%40shop"
    await rds.close(await aws_iam_async.connect(dsn, **rds.options))
    assert sts.asked == ["AKIAPROD"]
    assert (sts.forms[0]["ExternalId"], sts.forms[0]["RoleSessionName"]) == ("shop:12", "job@shop")
    assert logged_in_with(rds) == [key_of(sts).access_key]


async def test_options_of_all_layers_are_combined_and_the_keyword_wins(rds: Rds, sts: Sts) -> None:
    async with PluginManager(role_arn=OTHER, external_id="of-the-manager") as manager:
        options: dict[str, Any] = {"profile": "prod", **rds.options}
        await rds.close(await manager.connect(f"{rds.dsn}?role_arn={ROLE}&role_session_name=dsn", **options))
        await rds.close(await manager.connect(rds.dsn, **options))
    assert [(form["RoleArn"], form["ExternalId"], form["RoleSessionName"]) for form in sts.forms] == [
        (ROLE, "of-the-manager", "dsn"),
        (OTHER, "of-the-manager", "aws_iam_async"),
    ]
    assert sts.asked == ["AKIAPROD", "AKIAPROD"]


async def test_a_pool_asks_once(rds: Rds, sts: Sts) -> None:
    pool = await rds.create_pool(4, 8, profile="prod", role_arn=ROLE)
    async with rds.acquired(pool, 8):
        pass
    await rds.close_pool(pool)
    assert sts.asked == ["AKIAPROD"]
    assert logged_in_with(rds) == [key_of(sts).access_key] * 8


async def test_an_engine_takes_them_as_keywords_and_in_its_url(rds: Rds, sts: Sts) -> None:
    driver = {"asyncpg": "+asyncpg", "aiomysql": "+aiomysql", "psycopg": ""}[rds.driver]
    url = f"{rds.dsn.replace('://', f'{driver}://')}?profile=prod"
    options: dict[str, Any] = {**rds.options, "role_session_name": "engine"}
    for engine in (
        create_async_engine(url, role_arn=ROLE, **options),
        create_async_engine(f"{url}&role_arn={ROLE}", **options),
    ):
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
        await engine.dispose()
    assert sts.forms[0]["RoleSessionName"] == "engine"
    assert set(logged_in_with(rds)) == {key_of(sts).access_key}


async def test_two_roles_never_share_a_token(rds: Rds, sts: Sts) -> None:
    async with PluginManager(profile="prod") as manager:
        first = key_of(sts)
        await rds.close(await manager.connect(rds.dsn, role_arn=ROLE, **rds.options))
        second = sts.role_key = rds.emulator.account.create_access_key(session=True)
        await rds.close(await manager.connect(rds.dsn, role_arn=OTHER, **rds.options))
        await rds.close(await manager.connect(rds.dsn, role_arn=ROLE, **rds.options))
    assert logged_in_with(rds) == [first.access_key, second.access_key, first.access_key]


async def test_a_rejected_login_assumes_the_role_again(rds: Rds, sts: Sts) -> None:
    async with PluginManager(profile="prod", role_arn=ROLE) as manager:
        await rds.close(await manager.connect(rds.dsn, **rds.options))
        rds.emulator.account.revoke(key_of(sts).access_key)
        sts.role_key = rds.emulator.account.create_access_key(session=True)
        await rds.close(await manager.connect(rds.dsn, **rds.options))
    assert sts.asked == ["AKIAPROD", "AKIAPROD"]
    assert logged_in_with(rds)[-1] == key_of(sts).access_key


async def test_what_sts_refuses_is_raised_before_the_database_is_asked(rds: Rds, sts: Sts) -> None:
    sts.refused_role = ("AccessDenied", "User: arn:aws:iam::210987654321:user/deploy may not")
    attempts = (rds.connect(profile="prod", role_arn=ROLE, role_session_name="refused") for _ in range(20))
    errors = await asyncio.gather(*attempts, return_exceptions=True)
    assert {type(error) for error in errors} == {CredentialsError}
    assert all("user/deploy may not" in str(error) and ROLE in str(error) for error in errors)
    assert sts.asked == ["AKIAPROD"]
    assert rds.emulator.logins == []


async def test_a_base_that_is_a_function(rds: Rds, sts: Sts) -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)

    async def load() -> aws_iam_async.Credentials:
        return aws_iam_async.Credentials("ASIAFUNCTION", "x", "y", expires)

    await rds.close(await rds.connect(credentials=load, role_arn=ROLE))
    assert sts.asked == ["ASIAFUNCTION"]
