"""``check`` on an endpoint of Aurora DSQL: what it signs, and the causes of a refused login."""

from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

import aws_iam_async
from aws_iam_async.testing import CertificateKind, Emulator, PostgresServer, Reason
from tests.cli.doctor.conftest import Doctor, Report
from tests.cli.doctor.sts_double import ACCOUNT, Sts

CLUSTER = "foo0bar1baz2quux3quuux4abc"
HOST = f"{CLUSTER}.dsql.us-east-1.on.aws"


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with PostgresServer() as server, Emulator(server, host=HOST) as emulator:
        server.create_user("admin")
        server.create_user("app")
        yield emulator


@pytest.fixture
def dsql(running: Emulator, doctor: Doctor) -> Emulator:
    running.reset()
    doctor.use(running.account.create_access_key())
    return running


def examine(
    doctor: Doctor, dsql: Emulator, *more: str, user: str = "app", database: str = "postgres", sts: bool = False
) -> Report:
    options = ["--iam-host", dsql.host, "--sslrootcert", str(dsql.ca_file), *more]
    return doctor.check(dsql.dsn(user, database), *options, sts=sts)


@pytest.mark.parametrize("user", ["admin", "app"])
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_healthy_login(doctor: Doctor, dsql: Emulator, user: str, driver: str) -> None:
    report = examine(doctor, dsql, "--driver", driver, user=user)
    assert (report.exit_code, report.failed) == (0, [])
    assert report.detail("endpoint") == f"cluster endpoint {HOST}, dialled as 127.0.0.1:{dsql.port}"
    assert report.detail("token") == f"for {user} at {HOST}, valid for 15 min"
    assert report.detail("login") == f"as {user}"


def test_a_missing_policy(doctor: Doctor, dsql: Emulator, sts: Sts) -> None:
    dsql.faults.reject_next(2)
    report = examine(doctor, dsql, sts=True)
    assert report.failed == ["login"]
    assert report.causes("login") == ["missing-policy", "not-granted"]
    policy = report.advice("login", "missing-policy")
    assert '"Action": "dsql:DbConnect"' in policy
    assert f'"Resource": "arn:aws:dsql:us-east-1:{ACCOUNT}:cluster/{CLUSTER}"' in policy
    assert "RESOURCE_ID" not in policy
    grant = report.advice("login", "not-granted")
    assert "CREATE ROLE app WITH LOGIN;" in grant
    assert f"AWS IAM GRANT app TO 'arn:aws:iam::{ACCOUNT}:role/app-role';" in grant
    assert "rds" not in f"{policy} {grant}".lower()
    assert sts.asked


def test_admin_is_never_granted(doctor: Doctor, dsql: Emulator, sts: Sts) -> None:
    dsql.faults.reject_next(2)
    report = examine(doctor, dsql, user="admin", sts=True)
    assert report.causes("login") == ["missing-policy"]
    assert '"Action": "dsql:DbConnectAdmin"' in report.advice("login", "missing-policy")
    assert sts.asked


def test_a_user_that_was_not_granted(doctor: Doctor, dsql: Emulator) -> None:
    report = examine(doctor, dsql, user="ghost")
    assert dsql.logins[0].reason is Reason.UNKNOWN_USER
    assert report.causes("login")[:2] == ["missing-policy", "not-granted"]
    grant = report.advice("login", "not-granted")
    assert "AWS IAM GRANT ghost TO 'arn:aws:iam::ACCOUNT:role/NAME';" in grant


def test_a_wrong_region(doctor: Doctor, dsql: Emulator) -> None:
    report = examine(doctor, dsql, "--iam-region", "us-west-2")
    assert {login.reason for login in dsql.logins} == {Reason.WRONG_REGION}
    assert report.causes("region") == report.causes("login") == ["wrong-region"]


@pytest.mark.parametrize(
    ("hint", "cause"),
    [
        (
            f"User: arn:aws:sts::{ACCOUNT}:assumed-role/app is not authorized to perform: dsql:DbConnect",
            "missing-policy",
        ),
        ("User: arn:aws:iam::1:user/x is not authorized to access this resource", "missing-policy"),
        ("Signature expired: 20270115T074459Z", "clock-skew"),
    ],
)
def test_a_hint_of_the_server_is_evidence(
    doctor: Doctor, dsql: Emulator, monkeypatch: pytest.MonkeyPatch, hint: str, cause: str
) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        message = "unable to accept connection, access denied"
        raise asyncpg.PostgresError.new({"S": "FATAL", "V": "FATAL", "C": "08006", "M": message, "H": hint})

    monkeypatch.setattr(aws_iam_async, "connect", refused)
    report = examine(doctor, dsql)
    assert report.causes("login") == [cause]
    assert hint in report.detail("login")


def test_a_role_that_the_server_does_not_know(doctor: Doctor, dsql: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        raise asyncpg.PostgresError.new({"S": "FATAL", "V": "FATAL", "C": "28000", "M": 'role "app" does not exist'})

    monkeypatch.setattr(aws_iam_async, "connect", refused)
    report = examine(doctor, dsql)
    assert "not-granted" in report.causes("login")
    assert "AWS IAM GRANT app" in report.advice("login", "not-granted")
    assert "iam-not-enabled" not in report.causes("login")


def test_a_cluster_that_wakes_up(doctor: Doctor, dsql: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        message = "unable to accept connection, waking up cluster, please retry later"
        raise asyncpg.PostgresError.new({"S": "FATAL", "V": "FATAL", "C": "08006", "M": message})

    monkeypatch.setattr(aws_iam_async, "connect", refused)
    assert examine(doctor, dsql).causes("login") == ["not-ready"]


def test_a_database_that_does_not_exist(doctor: Doctor, dsql: Emulator) -> None:
    report = examine(doctor, dsql, database="shop")
    assert report.causes("login") == ["no-database"]
    assert "Aurora DSQL has one database, postgres" in report.advice("login", "no-database")


def test_an_unknown_name(doctor: Doctor) -> None:
    doctor.home.set(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="unused-secret")
    report = doctor.check(f"postgresql://app@{HOST}/postgres", "--timeout", "20")
    if report.failed != ["dns"]:
        pytest.skip("a resolver here answers for every name")
    assert f"aws dsql get-cluster --identifier {CLUSTER} --region us-east-1" in report.advice("dns", "dns")


def test_a_name_of_privatelink_needs_the_clusters_own(doctor: Doctor) -> None:
    report = doctor.check("postgresql://app@vpce-04-d8.dsql-fnh4.us-east-1.vpce.amazonaws.com/postgres")
    assert report.failed[0] == "endpoint"
    advice = report.advice("endpoint", "iam-host-missing")
    assert "--iam-host CLUSTER.dsql-fnh4.us-east-1.on.aws" in advice


def test_a_certificate_of_another_authority(doctor: Doctor, dsql: Emulator) -> None:
    dsql.faults.certificate = CertificateKind.UNTRUSTED
    report = examine(doctor, dsql)
    assert report.causes("tls") == ["tls-authority"]
    advice = report.advice("tls", "tls-authority")
    assert "Aurora DSQL has certificates of public authorities: omit sslrootcert to trust them" in advice


def test_mysql_is_refused(doctor: Doctor) -> None:
    report = doctor.check(f"mysql://app@{HOST}/postgres")
    assert report.failed[0] == "endpoint"
    assert "postgresql://" in report.detail("endpoint")


def test_a_port_to_sign_for_is_refused(doctor: Doctor, dsql: Emulator) -> None:
    report = examine(doctor, dsql, "--iam-default-port", "5432")
    assert report.failed[0] == "endpoint"
    assert "iam_default_port: " in report.detail("endpoint")
