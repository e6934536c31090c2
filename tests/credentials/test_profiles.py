"""Profiles in the shared AWS files: keys, a command, a role to assume."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_iam_async import ConfigurationError, CredentialsError
from aws_iam_async.credentials.credentials import Snapshot
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN, Answer, AwsHome, Endpoint, assumed_role, told


def read(profile: str | None) -> Snapshot:
    async def main() -> Snapshot:
        return await TokenService().credentials(credentials_source(profile=profile))

    return asyncio.run(main())


ROLE = """
[profile reader]
region = us-east-1
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = base
[profile base]
"""
BASE = f"""
[base]
aws_access_key_id = AKIABASE
aws_secret_access_key = {SECRET_KEY}
aws_session_token = {SESSION_TOKEN}
"""


def test_keys_in_the_credentials_file(aws_home: AwsHome, no_secret_in: Callable[..., None]) -> None:
    aws_home.credentials.write_text(BASE)
    snapshot = read("base")
    assert (snapshot.credentials.access_key, snapshot.method) == ("AKIABASE", "shared-credentials-file")
    assert (snapshot.credentials.secret_key, snapshot.credentials.session_token) == (SECRET_KEY, SESSION_TOKEN)
    assert snapshot.expires is None
    no_secret_in(repr(snapshot))


@pytest.mark.parametrize("name", ["base", None])
def test_a_profile_that_holds_no_key_is_named(
    aws_home: AwsHome, name: str | None, no_secret_in: Callable[..., None]
) -> None:
    aws_home.set(AWS_PROFILE="base")
    aws_home.credentials.write_text(BASE.replace(SECRET_KEY, f'"{SECRET_KEY}"'))
    with pytest.raises(CredentialsError) as raised:
        read(name)
    for words in ("profile 'base'", "shared-credentials-file", "secret_key contains '\"'"):
        assert words in str(raised.value)
    no_secret_in(told(raised.value))


def test_files_are_read_anew_each_time(aws_home: AwsHome) -> None:
    aws_home.credentials.write_text(BASE)
    read("base")
    aws_home.credentials.write_text(BASE.replace("AKIABASE", "AKIAROTATED"))
    assert read("base").credentials.access_key == "AKIAROTATED"


def test_an_explicit_profile_wins_over_the_environment(aws_home: AwsHome) -> None:
    aws_home.set(AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="x")
    aws_home.credentials.write_text(BASE)
    assert read("base").credentials.access_key == "AKIABASE"
    assert read(None).credentials.access_key == "AKIAENV"


def test_a_profile_named_by_the_environment(aws_home: AwsHome) -> None:
    aws_home.set(AWS_PROFILE="base")
    aws_home.credentials.write_text(BASE)
    assert read(None).credentials.access_key == "AKIABASE"


def test_a_role_to_assume(aws_home: AwsHome, endpoint: Endpoint, no_secret_in: Callable[..., None]) -> None:
    aws_home.set(AWS_ENDPOINT_URL_STS=endpoint.url)
    aws_home.config.write_text(ROLE)
    aws_home.credentials.write_text(BASE)
    endpoint.answer = Answer(assumed_role(7))
    snapshot = read("reader")
    assert (snapshot.credentials.access_key, snapshot.method) == ("ASIAROLE7", "assume-role")
    assert snapshot.expires is not None
    assert endpoint.requests == 1
    no_secret_in(repr(snapshot))


def test_a_role_that_may_not_be_assumed(
    aws_home: AwsHome, endpoint: Endpoint, no_secret_in: Callable[..., None]
) -> None:
    aws_home.set(AWS_ENDPOINT_URL_STS=endpoint.url)
    aws_home.config.write_text(ROLE)
    aws_home.credentials.write_text(BASE)
    refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not for you</Message></Error></ErrorResponse>"
    endpoint.answer = Answer(refusal, 403)
    with pytest.raises(CredentialsError, match=r"profile 'reader'.*AccessDenied.*not for you") as raised:
        read("reader")
    assert raised.value.__cause__ is not None
    no_secret_in(told(raised.value))


def test_an_answer_of_sts_that_cannot_be_read(
    aws_home: AwsHome, endpoint: Endpoint, no_secret_in: Callable[..., None]
) -> None:
    aws_home.set(AWS_ENDPOINT_URL_STS=endpoint.url, AWS_MAX_ATTEMPTS="1")
    aws_home.config.write_text(ROLE)
    aws_home.credentials.write_text(BASE)
    endpoint.answer = Answer(assumed_role().replace("</SecretAccessKey>", ""))
    with pytest.raises(CredentialsError, match="ResponseParserError") as raised:
        read("reader")
    no_secret_in(told(raised.value))


@pytest.fixture
def command(aws_home: AwsHome, tmp_path: Path) -> Callable[[str], None]:
    """Make the profile ``tool`` run a Python program."""

    def write(program: str) -> None:
        script = tmp_path / "tool.py"
        script.write_text(program)
        aws_home.config.write_text(f"[profile tool]\ncredential_process = {sys.executable} {script}\n")

    return write


def test_a_command(command: Callable[[str], None]) -> None:
    answer = {"Version": 1, "AccessKeyId": "AKIATOOL", "SecretAccessKey": SECRET_KEY, "SessionToken": ""}
    command(f"print({json.dumps(answer)!r})")
    snapshot = read("tool")
    assert (snapshot.credentials.access_key, snapshot.method) == ("AKIATOOL", "custom-process")
    assert snapshot.credentials.session_token is None


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (f"raise SystemExit({SECRET_KEY!r})", "custom-process: it failed"),
        (f"print({SECRET_KEY!r})", "JSONDecodeError"),
        (f"print([{SECRET_KEY!r}])", "JSONDecodeError"),
        (f"print('[\"{SECRET_KEY}\"]')", "AttributeError"),
        ("print('{}')", "Unsupported version"),
        ("print('{\"Version\": 1}')", "Missing required key"),
    ],
    ids=["fails", "no JSON", "nearly JSON", "no object", "no version", "no key"],
)
def test_a_command_that_fails(
    command: Callable[[str], None], program: str, message: str, no_secret_in: Callable[..., None]
) -> None:
    command(program)
    with pytest.raises(CredentialsError, match=message) as raised:
        read("tool")
    no_secret_in(told(raised.value))


def test_a_profile_that_nobody_wrote(aws_home: AwsHome) -> None:
    aws_home.credentials.write_text(BASE)
    aws_home.config.write_text("[profile other]\n")
    with pytest.raises(ConfigurationError, match=r"profile 'prod'.*available profiles: base, other"):
        read("prod")


def test_a_profile_without_credentials(aws_home: AwsHome) -> None:
    aws_home.config.write_text("[profile empty]\nregion = us-east-1\n")
    with pytest.raises(CredentialsError, match="'empty'"):
        read("empty")


def test_nothing_anywhere(aws_home: AwsHome) -> None:
    with pytest.raises(CredentialsError) as raised:
        read(None)
    for place in (
        "AWS_ACCESS_KEY_ID",
        str(aws_home.config),
        "credential_process",
        "SSO",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "EC2",
        "profile=",
    ):
        assert place in str(raised.value)


def test_a_broken_file(aws_home: AwsHome, no_secret_in: Callable[..., None]) -> None:
    aws_home.credentials.write_text(f"[base\n{SECRET_KEY}\n")
    with pytest.raises(CredentialsError) as raised:
        read(None)
    no_secret_in(told(raised.value))
