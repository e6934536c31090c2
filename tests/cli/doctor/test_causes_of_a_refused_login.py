"""Causes that show at the login, where RDS says little: the likeliest come first, by what is known."""

import asyncio
import math
import time
from collections.abc import Iterator

import pytest

import aws_iam_async
from aws_iam_async.cli.doctor import steps
from aws_iam_async.testing import Emulator, Reason, Stage
from tests.cli.doctor.conftest import Doctor
from tests.cli.doctor.sts_double import ACCOUNT, Sts

GRANTS = {
    "postgresql": "GRANT rds_iam TO {user};",
    "mysql": "CREATE USER '{user}'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;",
}

ON_POSTGRESQL = pytest.mark.parametrize("endpoint", ["asyncpg", "psycopg"], indirect=True)


def grant(endpoint: Emulator, user: str) -> str:
    return GRANTS[endpoint.upstream.protocol].format(user=user)


def test_a_user_who_is_not_set_up_for_iam(doctor: Doctor, endpoint: Emulator) -> None:
    endpoint.faults.password_users = {"app"}
    report = doctor.examine(endpoint)
    assert endpoint.logins[0].reason is Reason.NOT_FOR_IAM
    assert report.failed == ["login"]
    assert report.causes("login") == ["not-granted", "iam-not-enabled"]
    assert grant(endpoint, "app") in report.advice("login", "not-granted")
    assert "--enable-iam-database-authentication" in report.advice("login", "iam-not-enabled")
    assert "modify-db-cluster --db-cluster-identifier shop" in report.advice("login", "iam-not-enabled")


def test_a_user_who_does_not_exist(doctor: Doctor, endpoint: Emulator) -> None:
    report = doctor.examine(endpoint, user="ghost")
    assert endpoint.logins[0].reason is Reason.UNKNOWN_USER
    assert report.failed == ["login"]
    assert "not-granted" in report.causes("login")[:2]
    assert grant(endpoint, "ghost") in report.advice("login", "not-granted")
    assert "CREATE USER" in report.advice("login", "not-granted")


def test_a_missing_policy(doctor: Doctor, endpoint: Emulator, sts: Sts) -> None:
    endpoint.faults.reject_next(2)
    report = doctor.examine(endpoint, sts=True)
    # Nothing is wrong with the token, so the identity's permissions are the likely cause.
    assert {login.reason for login in endpoint.logins} == {Reason.REJECTED_ON_DEMAND}
    assert report.causes("login") == ["missing-policy", "not-granted", "throttled"]
    advice = report.advice("login", "missing-policy")
    assert f'"Resource": "arn:aws:rds-db:us-east-1:{ACCOUNT}:dbuser:RESOURCE_ID/app"' in advice
    assert '"Action": "rds-db:connect"' in advice
    assert "role app-role" in advice
    assert grant(endpoint, "app") in report.advice("login", "not-granted")
    assert sts.asked


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_that_is_off_by_ten_minutes(doctor: Doctor, endpoint: Emulator, sts: Sts, minutes: int) -> None:
    """Ahead: tokens come from the future, and are refused. Behind: new ones get in, but grow old too soon."""
    sts.ahead = -60 * minutes
    endpoint.clock = lambda: time.time() - 60 * minutes
    report = doctor.examine(endpoint, sts=True)
    assert report.causes("identity") == ["clock-skew"]
    assert f"10 min {'ahead' if minutes > 0 else 'behind'}" in report.advice("identity", "clock-skew")
    if minutes < 0:
        assert report.exit_code == 0
        return
    assert endpoint.logins[0].reason is Reason.NOT_YET_VALID
    assert report.failed == ["login"]
    assert report.causes("login") == ["clock-skew"]
    assert "timedatectl set-ntp true" in report.advice("login", "clock-skew")


def test_a_clock_that_sts_itself_refuses_is_not_taken_for_a_wrong_key(
    doctor: Doctor, postgresql: Emulator, sts: Sts
) -> None:
    sts.ahead, sts.error = -1200, "SignatureDoesNotMatch"
    assert doctor.examine(postgresql, sts=True).causes("identity") == ["clock-skew"]


def test_too_many_new_tokens(doctor: Doctor, endpoint: Emulator, sts: Sts) -> None:
    endpoint.faults.throttle = 0
    report = doctor.examine(endpoint, sts=True)
    assert endpoint.logins[0].reason is Reason.THROTTLED
    assert "throttled" in report.causes("login")
    assert "200 new tokens a second" in report.advice("login", "throttled")
    assert sts.asked


@ON_POSTGRESQL
def test_a_database_that_does_not_exist(doctor: Doctor, endpoint: Emulator) -> None:
    report = doctor.check(*doctor.arguments(endpoint, database="nowhere"))
    assert report.causes("login") == ["no-database"]
    assert "CREATE DATABASE nowhere;" in report.advice("login", "no-database")
    dsn, *options = doctor.arguments(endpoint)
    report = doctor.check(dsn.removesuffix("/shop"), *options)
    assert "the driver requested the database with the user's name" in report.advice("login", "no-database")


@pytest.mark.parametrize(
    ("setting", "name"), [("application_nam=shop", "application_nam"), ("statement_timeout=soon", "statement_timeout")]
)
def test_a_setting_that_the_server_does_not_take(doctor: Doctor, postgresql: Emulator, setting: str, name: str) -> None:
    dsn, *options = doctor.arguments(postgresql)
    report = doctor.check(f"{dsn}?search_path=public&{setting}", *options)
    assert report.failed == ["login"]
    assert report.causes("login") == ["server-setting"]
    assert name in report.advice("login", "server-setting")


def test_a_database_that_is_not_the_users(doctor: Doctor, mysql: Emulator) -> None:
    # MySQL gives the same answer for a missing database, if the user may not see all databases.
    report = doctor.check(*doctor.arguments(mysql, database="nowhere"))
    assert report.causes("login") == ["no-access-to-database"]
    assert "GRANT ALL ON `nowhere`.* TO 'app'@'%';" in report.advice("login", "no-access-to-database")


@pytest.fixture
def full_database(endpoint: Emulator) -> Iterator[Emulator]:
    """A database that takes no more connections."""

    async def limit(connections: int) -> None:
        dsn, ca_file = endpoint.dsn("app", "postgres"), endpoint.ca_file
        async with aws_iam_async.connect(dsn, iam_host=endpoint.host, sslrootcert=ca_file) as connection:
            await connection.execute(f"ALTER DATABASE shop CONNECTION LIMIT {connections}")

    asyncio.run(limit(0))
    yield endpoint
    asyncio.run(limit(-1))


@ON_POSTGRESQL
def test_too_many_connections(doctor: Doctor, full_database: Emulator) -> None:
    report = doctor.examine(full_database)
    assert "too many connections" in report.detail("login")
    assert report.causes("login") == ["too-many-connections"]


@ON_POSTGRESQL
def test_a_connection_that_is_lost_after_the_login(
    doctor: Doctor, endpoint: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "QUERY", "SELECT pg_terminate_backend(pg_backend_pid())")
    report = doctor.examine(endpoint)
    assert report.failed == ["query"]
    assert report.causes("query") == ["query-failed"]


def test_a_server_that_does_not_finish_the_login(doctor: Doctor, endpoint: Emulator) -> None:
    endpoint.faults.delay(Stage.TOKEN_RECEIVED, math.inf)
    report = doctor.examine(endpoint, "--timeout", "1")
    endpoint.cut_connections()
    assert report.failed == ["login"]
    assert report.causes("login") == ["login-timeout"]
