from collections.abc import Iterator

import pytest

import aws_iam_async
from aws_iam_async.testing import AccessKey, Emulator, Reason


@pytest.fixture(params=["rds_postgres", "rds_mysql"])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    found: Emulator = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["shop.global-c9akciq32.global.rds.amazonaws.com", "shop.c9akciq32.us-east-1.rds.amazonaws.com"])
def elsewhere(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Emulator]:
    """An endpoint of which neither the region nor the port can be guessed."""
    options = {"host": request.param, "region": "eu-west-1", "signed_port": 7}
    with Emulator(emulator.upstream, account=emulator.account, **options) as elsewhere:
        yield elsewhere


async def test_they_say_all_it_takes_to_log_in(elsewhere: Emulator, rds_environment: AccessKey) -> None:
    async with aws_iam_async.connect(elsewhere.dsn("app", "shop"), **elsewhere.options):
        pass
    async with aws_iam_async.connect(elsewhere.iam_dsn("app", "shop")):
        pass
    assert [login.access_key_id for login in elsewhere.logins] == [rds_environment.access_key] * 2


async def test_the_default_key_can_be_revoked_like_any_other(emulator: Emulator) -> None:
    emulator.account.revoke(emulator.account.access_key.access_key)
    with pytest.raises(Exception, match=r"denied|PAM authentication failed"):
        await aws_iam_async.connect(emulator.dsn("app", "shop"), **emulator.options)
    assert {login.reason for login in emulator.logins} == {Reason.REVOKED_ACCESS_KEY}


def test_an_odd_name_is_escaped_in_the_address(rds_mysql: Emulator) -> None:
    dsn = rds_mysql.iam_dsn("a/b@c", "d?e", scheme="mysql+aiomysql")
    assert dsn.startswith(f"mysql+aiomysql://a%2Fb%40c@127.0.0.1:{rds_mysql.port}/d%3Fe?iam_host={rds_mysql.host}&")
