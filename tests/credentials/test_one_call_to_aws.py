"""One operation of an AWS service, called in a thread with given credentials."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from aws_iam_async import Credentials, CredentialsError
from aws_iam_async.credentials.sdk import call_api
from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN, Answer, AwsHome, Endpoint, assumed_role, told

CREDENTIALS = Credentials("ASIACALLER", SECRET_KEY, SESSION_TOKEN)
REFUSED = """
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
  <Type>Sender</Type><Code>AccessDenied</Code><Message>not allowed</Message>
</Error></ErrorResponse>
"""


async def call(limit: float = 30, **options: Any) -> dict[str, Any]:
    role = "arn:aws:iam::123456789012:role/app"
    return await asyncio.to_thread(
        call_api,
        "sts",
        "assume_role",
        credentials=CREDENTIALS,
        timeout=limit,
        RoleArn=role,
        RoleSessionName="test",
        **{"region": "eu-west-1", **options},
    )


@pytest.fixture
def sts(aws_home: AwsHome, endpoint: Endpoint) -> Endpoint:
    aws_home.set(AWS_ENDPOINT_URL_STS=endpoint.url)
    endpoint.answer = Answer(assumed_role())
    return endpoint


async def test_it_is_signed_with_the_given_credentials(sts: Endpoint, no_secret_in: Callable[..., None]) -> None:
    answer = await call()
    assert answer["Credentials"]["AccessKeyId"] == "ASIAROLE1"
    (signed,) = sts.authorization
    assert "Credential=ASIACALLER/" in str(signed)
    assert "/eu-west-1/sts/" in str(signed)
    no_secret_in()


async def test_the_region_is_the_argument_or_of_the_profile_or_of_the_environment_or_the_default(
    aws_home: AwsHome, sts: Endpoint
) -> None:
    aws_home.config.write_text("[profile prod]\nregion = eu-central-1\n")
    await call(region="eu-west-1", profile="prod", default_region="us-east-1")
    await call(region=None, profile="prod", default_region="us-east-1")
    await call(region=None, default_region="us-east-1")
    aws_home.set(AWS_REGION="ap-south-1")
    await call(region=None, default_region="us-east-1")
    regions = [str(signed).split("/")[2] for signed in sts.authorization]
    assert regions == ["eu-west-1", "eu-central-1", "us-east-1", "ap-south-1"]


async def test_an_endpoint_of_the_caller_wins(sts: Endpoint) -> None:
    with pytest.raises(EndpointConnectionError, match=r"127\.0\.0\.1:9"):
        await call(endpoint="http://127.0.0.1:9")
    assert sts.requests == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(REFUSED, 403), ClientError),
        (Answer(assumed_role().partition("</SecretAccessKey>")[0]), ResponseParserError),
    ],
)
async def test_an_error_of_the_sdk_is_raised_without_frames_that_hold_secrets(
    sts: Endpoint, answer: Answer, error: type[Exception], no_secret_in: Callable[..., None]
) -> None:
    sts.answer = answer
    with pytest.raises(error) as raised:
        await call()
    found = raised.value
    assert found.__cause__ is None
    assert found.__context__ is None
    frames = told(found) if error is ClientError else repr(raised.traceback)
    no_secret_in(frames)
    assert {Path(entry.path).name for entry in raised.traceback if "/aws_iam_async/" in str(entry.path)} == {"sdk.py"}


async def test_a_service_that_does_not_answer_is_named_within_the_time_limit(aws_home: AwsHome, sts: Endpoint) -> None:
    aws_home.set(AWS_MAX_ATTEMPTS="1")
    sts.hold()
    start = time.monotonic()
    with pytest.raises(ReadTimeoutError, match=sts.url):
        await call(limit=2)
    assert time.monotonic() - start < 10
    sts.release()


async def test_the_time_limit_holds_whatever_the_settings(
    aws_home: AwsHome, sts: Endpoint, no_secret_in: Callable[..., None]
) -> None:
    aws_home.set(AWS_MAX_ATTEMPTS="50")
    sts.hold()
    with pytest.raises(TimeoutError) as raised:
        await call(limit=1)
    assert not isinstance(raised.value, ConnectTimeoutError)
    assert raised.value.__cause__ is None
    no_secret_in(told(raised.value))
    sts.release()


async def test_settings_in_a_missing_profile_are_an_error_that_names_it(aws_home: AwsHome, sts: Endpoint) -> None:
    aws_home.set(AWS_PROFILE="gone")
    with pytest.raises(CredentialsError, match="AWS_PROFILE names profile 'gone'"):
        await call()
    assert sts.requests == 0
