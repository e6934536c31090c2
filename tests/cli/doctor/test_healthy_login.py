"""A login without a problem: every step passes, and reports what it saw."""

from datetime import UTC, datetime, timedelta

from aws_iam_async.testing import Emulator
from tests.cli.doctor.conftest import Doctor
from tests.cli.doctor.sts_double import ROLE, Sts

STEPS = ["driver", "options", "endpoint", "region", "credentials", "identity"]
STEPS += ["token", "dns", "tcp", "tls", "login", "server", "query"]


def test_every_step_passes_and_takes_its_time(doctor: Doctor, endpoint: Emulator, sts: Sts) -> None:
    report = doctor.examine(endpoint, sts=True)
    assert report.exit_code == 0
    assert list(report.steps) == STEPS
    assert {report.status(step) for step in STEPS} == {"passed"}
    assert all(0 <= step["seconds"] < 60 for step in report.steps.values())
    assert report.detail("driver").startswith(f"{doctor.driver} ")
    assert [login.accepted for login in endpoint.logins] == [True]
    assert len(sts.asked) == 1


def test_each_step_says_what_it_found(doctor: Doctor, postgresql: Emulator, sts: Sts) -> None:
    report = doctor.examine(postgresql, sts=True)
    access_key = sts.asked[0]
    expected = {
        "driver": "asyncpg 0.",
        "options": "user app, database shop, sslmode verify-full",
        "endpoint": f"cluster endpoint {postgresql.host}:{postgresql.port}, dialled as 127.0.0.1:",
        "region": "us-east-1, from the endpoint's name",
        "credentials": f"{access_key} from environment variables, long-term",
        "identity": f"{ROLE}, clock ",
        "token": f"for app at {postgresql.host}:{postgresql.port}, valid for 15 min",
        "dns": "127.0.0.1 is an address",
        "tcp": f"127.0.0.1:{postgresql.port} accepts connections",
        "tls": f"TLSv1.3, verified as {postgresql.host}, until ",
        "login": "as app",
        "server": "writer",
        "query": "app on PostgreSQL ",
    }
    details = {step: report.detail(step)[: len(text)] for step, text in expected.items()}
    assert details == expected
    assert " < Testing CA #" in report.detail("tls")


def test_temporary_credentials_say_when_they_expire(doctor: Doctor, rds_postgres: Emulator) -> None:
    doctor.use(rds_postgres.account.create_access_key(session=True))
    doctor.home.set(AWS_CREDENTIAL_EXPIRATION="2099-01-01T00:00:00Z")
    report = doctor.examine(rds_postgres)
    assert report.exit_code == 0
    assert "expires in " in report.detail("credentials")


def test_a_token_is_valid_no_longer_than_the_credentials_behind_it(doctor: Doctor, rds_postgres: Emulator) -> None:
    doctor.use(rds_postgres.account.create_access_key(session=True))
    expires = datetime.now(UTC) + timedelta(minutes=5)
    doctor.home.set(AWS_CREDENTIAL_EXPIRATION=expires.isoformat())
    report = doctor.examine(rds_postgres)
    assert report.exit_code == 0
    assert report.detail("token").endswith(("valid for 5 min", "valid for 4 min"))


def test_sts_is_left_alone_on_request(doctor: Doctor, postgresql: Emulator, sts: Sts) -> None:
    report = doctor.examine(postgresql, sts=False)
    assert report.detail("identity") == "skipped (--no-sts)"
    assert sts.asked == []


def test_options_may_stand_in_the_dsn(doctor: Doctor, postgresql: Emulator) -> None:
    dsn = f"{postgresql.dsn('app', 'shop')}?iam_host={postgresql.host}&sslrootcert={postgresql.ca_file}"
    assert doctor.check(dsn).exit_code == 0
