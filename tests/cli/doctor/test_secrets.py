"""``check`` and ``token`` with a secret of Secrets Manager in place of a token."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner

from aws_iam_async.cli.main import program
from aws_iam_async.testing import Emulator
from tests.cli.doctor.conftest import Doctor, Report
from tests.secrets_manager.conftest import (
    REGION,
    SECRET,
    SECRET_KEY,
    Database,
    Store,
    database,
    mariadb_server,
    moto,
    postgres_server,
    store,
)

__all__ = ["database", "mariadb_server", "moto", "postgres_server", "store"]

PASSWORD = "hunter2-hunter2"
Check = Callable[..., Report]
STEPS = ["driver", "options", "credentials", "secret", "dns", "tcp", "tls", "login", "server", "query"]


@pytest.fixture
def check(database: Database, doctor: Doctor) -> Check:
    doctor.secrets += [PASSWORD, SECRET_KEY]
    scheme = {"asyncpg": "postgresql", "psycopg": "postgresql+psycopg", "aiomysql": "mysql"}[database.driver]
    query = f"secret_endpoint={database.store.url}&sslrootcert={database.server.directory}/ca.pem"

    def run(*arguments: str) -> Report:
        return doctor.check(f"{scheme}://?{query}", "--secret-id", SECRET, "--secret-region", REGION, *arguments)

    return run


def test_a_login_that_works(check: Check, database: Database) -> None:
    database.rotate("app", PASSWORD)
    report = check()
    assert report.exit_code == 0, report
    assert list(report.steps) == STEPS
    assert report.detail("secret") == (
        f"secret '{SECRET}' in {REGION} has the password of app at 127.0.0.1:{database.server.port}"
    )
    assert report.detail("login") == "as app"


def test_a_secret_that_cannot_be_read(check: Check) -> None:
    report = check()
    assert report.failed == ["secret"]
    assert f"secret '{SECRET}' in {REGION} could not be read: ResourceNotFoundException" in report.detail("secret")
    assert report.causes("secret") == ["secret-not-found"]
    assert "pass --secret-region if" in report.advice("secret", "secret-not-found")
    assert report.status("login") == "not-reached"


def test_a_secret_without_a_property(check: Check, database: Database) -> None:
    database.store.put({"username": "app", "key": PASSWORD})
    report = check()
    assert report.detail("secret") == f"secret '{SECRET}' in {REGION} has no property 'password'"
    assert report.causes("secret") == ["secret-unusable"]


def test_the_server_is_verified_as_iam_host(check: Check, database: Database) -> None:
    database.rotate("app", PASSWORD)
    tunnel = ("--host", "localhost", "--port", str(database.server.port), "--database", "shop")
    assert check(*tunnel).exit_code == 1
    report = check(*tunnel, "--iam-host", "127.0.0.1")
    assert report.exit_code == 0, report


def test_a_secret_without_a_host(check: Check, database: Database) -> None:
    database.store.put({"username": "app", "password": PASSWORD})
    report = check()
    assert report.detail("secret") == f"secret '{SECRET}' in {REGION} names no host"
    assert "--host" in report.advice("secret", "secret-unusable")


def test_a_region_without_a_secret(doctor: Doctor) -> None:
    doctor.home.set(AWS_ACCESS_KEY_ID="AKIATESTS", AWS_SECRET_ACCESS_KEY=SECRET_KEY)
    report = doctor.check("postgresql://", "--secret-region", REGION)
    assert report.failed == ["secret"]
    assert report.detail("secret").startswith("secret_id is missing: pass --secret-id with the name or the ARN")


def test_a_password_that_the_server_refuses(check: Check, database: Database) -> None:
    database.rotate("app", PASSWORD)
    database.server.set_password("app", "changed")
    report = check()
    assert report.failed == ["login"]
    assert report.causes("login") == ["secret-refused"]


def test_a_user_that_needs_a_token(doctor: Doctor, store: Store, rds_postgres: Emulator) -> None:
    doctor.secrets += [PASSWORD, SECRET_KEY]
    store.put({"username": "app", "password": PASSWORD})
    query = f"secret_endpoint={store.url}&sslrootcert={rds_postgres.ca_file}&iam_host={rds_postgres.host}"
    dsn = f"postgresql://127.0.0.1:{rds_postgres.port}/shop?{query}"
    report = doctor.check(dsn, "--secret-id", SECRET, "--secret-region", REGION)
    assert report.failed == ["login"]
    assert report.causes("login") == ["token-required"]
    assert "REVOKE rds_iam FROM app;" in report.advice("login", "token-required")


@pytest.mark.parametrize("arguments", [["--secret-id", SECRET], []])
def test_a_secret_is_no_token(arguments: list[str]) -> None:
    query = "" if arguments else f"?secret_id={SECRET}"
    dsn = f"postgresql://app@shop.c9akciq32.eu-west-1.rds.amazonaws.com/shop{query}"
    result = CliRunner().invoke(program, ["token", dsn, *arguments])
    assert result.exit_code == 1
    assert "secret_id names a secret with a password, which is no token" in result.stderr
