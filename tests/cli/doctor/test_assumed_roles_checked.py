"""``check`` shows which credentials assume which role, and the errors of STS."""

import sys

import pytest

from aws_iam_async.testing import Emulator
from tests.cli.doctor.conftest import Doctor
from tests.cli.doctor.sts_double import Sts

ROLE = "arn:aws:iam::123456789012:role/app"


@pytest.fixture
def role(doctor: Doctor, rds_postgres: Emulator, sts: Sts) -> Emulator:
    """A database that only the role can log in to; profile ``prod`` may assume it."""
    sts.role_key = rds_postgres.account.create_access_key(session=True)
    doctor.secrets += [str(sts.role_key.secret_key), str(sts.role_key.session_token), "PROD-SECRET-MARK"]
    doctor.home.set(AWS_MAX_ATTEMPTS="1")
    doctor.home.config.write_text(
        "[profile prod]\nregion = us-east-1\naws_access_key_id = AKIAPROD\naws_secret_access_key = PROD-SECRET-MARK\n"
    )
    return rds_postgres


def test_the_chain_is_shown(doctor: Doctor, role: Emulator, sts: Sts) -> None:
    assert sts.role_key is not None
    report = doctor.examine(role, "--profile", "prod", "--role-arn", ROLE, "--external-id", "shop:12", sts=True)
    assert (report.exit_code, report.failed, report.warned) == (0, [], [])
    detail = report.detail("credentials")
    assert f"(profile prod) -> role {ROLE}, assumed with AKIAPROD" in detail
    assert sts.role_key.access_key in detail
    assert "assumed-role/app-role" in report.detail("identity")
    assert sts.asked == ["AKIAPROD", sts.role_key.access_key]
    assert role.logins[0].access_key_id == sts.role_key.access_key


def test_the_default_chain_is_shown_by_what_it_found(doctor: Doctor, role: Emulator) -> None:
    doctor.use(role.account.create_access_key())
    report = doctor.examine(role, "--role-arn", ROLE, "--role-session-name", "doctor@shop")
    assert report.exit_code == 0
    assert f"environment variables -> role {ROLE}" in report.detail("credentials")


def test_the_dsn_has_the_options_too(doctor: Doctor, role: Emulator) -> None:
    dsn, *options = doctor.arguments(role)
    report = doctor.check(f"{dsn}?profile=prod&role_arn={ROLE}", *options)
    assert report.exit_code == 0
    assert f"(profile prod) -> role {ROLE}" in report.detail("credentials")


@pytest.mark.parametrize(
    ("code", "cause", "remedy"),
    [
        ("AccessDenied", "access-denied", "trust policy"),
        ("ExpiredToken", "credentials-expired", "Get new credentials"),
        ("InvalidClientTokenId", "credentials-invalid", "AWS does not know this access key"),
        ("SignatureDoesNotMatch", "credentials-invalid", "The secret key does not belong"),
        ("RegionDisabledException", "region-of-source", "Activate STS"),
    ],
)
def test_what_sts_refuses_is_named(
    doctor: Doctor, role: Emulator, sts: Sts, code: str, cause: str, remedy: str
) -> None:
    sts.refused_role = (code, "User: arn:aws:iam::210987654321:user/deploy may not")
    report = doctor.examine(role, "--profile", "prod", "--role-arn", ROLE)
    assert report.failed == ["credentials"]
    detail = report.detail("credentials")
    for word in (f"profile 'prod' -> role {ROLE}", code, "user/deploy may not"):
        assert word in detail
    assert remedy in report.advice("credentials", cause)
    assert role.logins == []


def test_a_base_without_credentials_is_told_from_a_refused_role(doctor: Doctor, role: Emulator, sts: Sts) -> None:
    report = doctor.examine(role, "--role-arn", ROLE)
    assert report.causes("credentials") == ["no-credentials"]
    assert sts.asked == []


def test_wrong_options_are_named_as_flags(doctor: Doctor, role: Emulator) -> None:
    report = doctor.examine(role, "--external-id", "shop:12")
    assert report.failed == ["options"]
    assert report.causes("options") == ["configuration"]
    assert "external_id needs role_arn: pass --role-arn as well" in report.detail("options")


def test_check_without_the_sdk_still_logs_in(
    doctor: Doctor, rds_postgres: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor.use(rds_postgres.account.create_access_key())
    for name in [name for name in sys.modules if name.partition(".")[0] in {"aiobotocore", "botocore"}]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("aiobotocore", "botocore"):
        monkeypatch.setitem(sys.modules, name, None)
    report = doctor.examine(rds_postgres, sts=True)
    assert (report.exit_code, report.failed, report.warned) == (0, [], ["identity"])
    assert "aiobotocore" in report.detail("identity")
    assert "pip install" in report.advice("identity", "sdk-missing")
