"""Whatever a server answers, and however it is logged: no secret, and nothing that steers a terminal."""

import logging

import pytest

from aws_iam_async.cli.doctor.examination import redacted
from aws_iam_async.secret import Secret
from aws_iam_async.testing import Emulator, postgres_messages
from aws_iam_async.testing.gatekeeper import Gatekeeper
from aws_iam_async.testing.record import LoginRecord
from tests.cli.doctor.conftest import Doctor
from tests.cli.doctor.sts_double import Sts


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nothing special\nhere", "nothing special\nhere"),
        ("bad token X-Amz-Signature=0123abc&b=1", "bad token X-Amz-Signature=**********&b=1"),
        ("x-amz-security-token=IQoJb3JpZ2lu%2F 'x'", "x-amz-security-token=********** 'x'"),
        ("the key s3cr3t is wrong", "the key ********** is wrong"),
        ("\x1b[2Jgone\x07", "\N{REPLACEMENT CHARACTER}[2Jgone\N{REPLACEMENT CHARACTER}"),
        ("a\tb\r\n", "a b \n"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}abc", "\N{REPLACEMENT CHARACTER}abc"),
    ],
)
def test_text_from_elsewhere_is_made_fit_to_be_shown(text: str, shown: str) -> None:
    assert redacted(text, ["", "s3cr3t"]) == shown


def test_a_server_that_repeats_the_token_is_not_believed(
    doctor: Doctor, postgresql: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    decide = Gatekeeper.decide

    def listening(self: Gatekeeper, token: Secret, **login: str) -> LoginRecord:
        heard.append(str(token))
        return decide(self, token, **login)

    def blabbing(user: str) -> bytes:
        text = f"PAM authentication failed for {user} with {heard[-1]}\x1b[2J"
        return postgres_messages.message(b"E", b"SFATAL\0VFATAL\0C28000\0M" + text.encode() + b"\0\0")

    monkeypatch.setattr(Gatekeeper, "decide", listening)
    monkeypatch.setattr(postgres_messages, "authentication_refused", blabbing)
    doctor.secrets.clear()
    for arguments in (["--json"], []):
        postgresql.faults.reject_next(2)
        result = doctor.run(*doctor.arguments(postgresql), "--no-sts", *arguments)
        assert "PAM authentication failed for app" in " ".join(result.output.split())
        assert "\x1b" not in result.output
        flat = "".join(result.output.split())
        for token in heard:
            assert token.rpartition("X-Amz-Signature=")[2] not in flat


def test_a_secret_that_is_a_common_word_does_not_garble_the_advice(doctor: Doctor, rds_postgres: Emulator) -> None:
    doctor.home.set(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="database")
    report = doctor.examine(rds_postgres)
    assert "administrator of the database" in report.advice("login", "not-granted")


def test_nothing_secret_is_logged_on_the_way(
    doctor: Doctor, rds_postgres: Emulator, sts: Sts, caplog: pytest.LogCaptureFixture
) -> None:
    key = doctor.use(rds_postgres.account.create_access_key(session=True))
    with caplog.at_level(logging.DEBUG):
        assert doctor.examine(rds_postgres, sts=True).exit_code == 0
    assert sts.asked == [key.access_key]
    for secret in (key.secret_key, key.session_token, "X-Amz-Signature", "Signature="):
        assert str(secret) not in caplog.text
