"""Causes in the AWS credentials, and what STS knows of them."""

import json
import time
from pathlib import Path

import pytest

from aws_iam_async.testing import Emulator, Reason
from tests.cli.conftest import Program, program
from tests.cli.doctor.conftest import Doctor
from tests.cli.doctor.sts_double import Sts

__all__ = ["program"]

DSN = "postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop"


def test_no_credentials(doctor: Doctor, rds_postgres: Emulator) -> None:
    report = doctor.examine(rds_postgres)
    assert report.failed == ["credentials"]
    assert report.causes("credentials") == ["no-credentials"]
    advice = report.advice("credentials", "no-credentials")
    assert advice.index("aws sso login --profile NAME") < advice.index("aws configure")
    assert "ECS" in advice
    # The way to the server is looked at all the same.
    assert {step: report.status(step) for step in ("token", "tcp", "tls", "login")} == {
        "token": "not-reached",
        "tcp": "passed",
        "tls": "passed",
        "login": "not-reached",
    }
    assert rds_postgres.logins == []


def test_expired_credentials(doctor: Doctor, postgresql: Emulator) -> None:
    doctor.home.set(AWS_CREDENTIAL_EXPIRATION="2020-01-01T00:00:00Z")
    report = doctor.examine(postgresql)
    assert report.failed == ["credentials"]
    assert report.causes("credentials") == ["credentials-expired"]


def test_a_profile_that_is_not_there(doctor: Doctor, postgresql: Emulator) -> None:
    report = doctor.examine(postgresql, "--profile", "nobody")
    assert report.failed == ["credentials"]
    assert "'nobody'" in report.detail("credentials")
    assert "aws configure list-profiles" in report.advice("credentials", "profile-not-found")


def test_a_source_that_fails(doctor: Doctor, rds_postgres: Emulator) -> None:
    doctor.home.config.write_text("[profile broken]\ncredential_process = false\n")
    report = doctor.examine(rds_postgres, "--profile", "broken")
    assert report.causes("credentials") == ["credentials-source-failed"]
    assert "aws sts get-caller-identity --profile broken" in report.advice("credentials", "credentials-source-failed")


def test_a_session_token_left_behind(doctor: Doctor, rds_postgres: Emulator) -> None:
    key = doctor.use(rds_postgres.account.create_access_key(session=True))
    doctor.home.environ.delenv("AWS_SESSION_TOKEN")
    report = doctor.examine(rds_postgres)
    assert rds_postgres.logins[0].reason is Reason.WRONG_SESSION_TOKEN
    assert key.access_key in report.detail("credentials")
    assert report.causes("credentials") == ["session-token-missing"]
    assert report.causes("login") == ["session-token-missing"]
    assert "AWS_SESSION_TOKEN" in report.advice("login", "session-token-missing")


def test_a_session_token_of_another_key(doctor: Doctor, postgresql: Emulator) -> None:
    doctor.home.set(AWS_SESSION_TOKEN="LEFT-BEHIND-MARK")
    doctor.secrets.append("LEFT-BEHIND-MARK")
    with Emulator(postgresql.upstream, account=postgresql.account, signed_port=5432) as tunnel:
        report = doctor.examine(tunnel)
        assert tunnel.logins[0].reason is Reason.WRONG_SESSION_TOKEN
        options = ("--iam-host", tunnel.host, "--sslrootcert", str(tunnel.ca_file))
        through_tunnel = doctor.check(tunnel.dsn("app", "shop"), *options)
    assert report.causes("credentials") == ["session-token-left-behind"]
    assert report.causes("login") == ["session-token-left-behind"]
    assert "unset AWS_SESSION_TOKEN" in report.advice("login", "session-token-left-behind")
    assert through_tunnel.causes("login") == ["session-token-left-behind"]


@pytest.mark.parametrize(
    ("code", "cause", "certain"),
    [
        ("ExpiredToken", "credentials-expired", True),
        ("InvalidClientTokenId", "credentials-invalid", True),
        ("SignatureDoesNotMatch", "credentials-invalid", True),
        ("AccessDenied", "credentials-invalid", False),
    ],
)
def test_credentials_that_aws_no_longer_takes(
    doctor: Doctor, postgresql: Emulator, sts: Sts, code: str, cause: str, certain: bool
) -> None:
    sts.error = code
    postgresql.account.revoke(doctor.use(postgresql.account.create_access_key()).access_key)
    report = doctor.examine(postgresql, sts=True)
    assert postgresql.logins[0].reason is Reason.REVOKED_ACCESS_KEY
    assert code in report.detail("identity")
    assert report.causes("identity") == [cause]
    assert report.failed == ["login"]
    assert report.causes("login")[0] == cause
    assert len(report.causes("login")) == (1 if certain else 3)


def test_credentials_that_only_the_emulator_knows_still_log_in(doctor: Doctor, postgresql: Emulator, sts: Sts) -> None:
    sts.error = "InvalidClientTokenId"
    report = doctor.examine(postgresql, sts=True)
    assert (report.exit_code, report.warned) == (0, ["identity"])


@pytest.mark.parametrize(
    "body",
    [
        None,
        "<html>a portal that wants a password</html>",
        "<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>",
    ],
)
def test_an_sts_that_does_not_answer_stops_nothing(
    doctor: Doctor, postgresql: Emulator, sts: Sts, body: str | None
) -> None:
    if body is None:
        doctor.home.set(AWS_ENDPOINT_URL_STS="http://127.0.0.1:9")
    sts.body = body
    report = doctor.examine(postgresql, sts=True)
    assert report.failed == []
    assert report.causes("identity") == ["sts-unreachable"]
    postgresql.faults.reject_next(2)
    report = doctor.examine(postgresql, sts=True)
    # The problems that STS could have ruled out are named, too.
    assert report.causes("login") == ["missing-policy", "not-granted", "credentials-unknown"]


def test_a_source_that_does_not_answer_is_given_up(program: Program, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile slow]\ncredential_process = sleep 60\n")
    start = time.monotonic()
    environment = {"AWS_CONFIG_FILE": str(tmp_path / "config")}
    arguments = ("--profile", "slow", "--timeout", "2", "--json", "--no-sts", "--host", "127.0.0.1", "--port", "1")
    done = program.run("check", DSN, *arguments, "--iam-host", DSN[17:-5], environment=environment)
    assert time.monotonic() - start < 30
    (step,) = (step for step in json.loads(done.stdout)["steps"] if step["name"] == "credentials")
    assert step["detail"] == "the credentials source does not answer within 2 s"
    assert [advice["cause"] for advice in step["advice"]] == ["credentials-source-failed"]
