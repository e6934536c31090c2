"""The example for psycopg: many tasks on few connections, and errors with their remedies."""

from aws_iam_async.testing import CertificateKind, Emulator
from tests.examples.conftest import Run, credentials, dsn

PROGRAM = "postgresql_psycopg_pool.py"


async def test_many_tasks_on_few_connections(rds_postgres: Emulator, run: Run) -> None:
    ran = await run(PROGRAM, dsn(rds_postgres), environment=credentials(rds_postgres))
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("20 tasks as app on ")
    assert [login.accepted for login in rds_postgres.logins] == [True] * 4


async def test_a_refused_login_says_what_to_check(rds_postgres: Emulator, run: Run) -> None:
    rds_postgres.faults.reject_next(100)
    ran = await run(PROGRAM, dsn(rds_postgres), environment=credentials(rds_postgres))
    assert ran.status == 1
    # The pool's own log comes first.
    assert "Cannot connect: " in ran.err
    assert 'PAM authentication failed for user "app"' in ran.err
    assert "rds_iam" in ran.err
    assert "Traceback" not in ran.err


async def test_another_servers_certificate_is_refused(rds_postgres: Emulator, run: Run) -> None:
    rds_postgres.faults.certificate = CertificateKind.OTHER_HOST
    ran = await run(PROGRAM, dsn(rds_postgres), environment=credentials(rds_postgres))
    assert ran.status == 1
    assert "does not match host name" in ran.err
    assert "pass iam_host=" in ran.err
    assert rds_postgres.logins == []


async def test_a_wrong_option_is_named(rds_postgres: Emulator, run: Run) -> None:
    ran = await run(PROGRAM, dsn(rds_postgres, sslmode="prefer"), environment=credentials(rds_postgres))
    assert ran.status == 1
    assert ran.err.startswith("ConfigurationError: ")
