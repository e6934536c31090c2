"""What STS refuses, and an STS that cannot be reached: the error names the role, the cause and the remedy."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

import pytest

from aws_iam_async import Credentials, CredentialsError, refresh_ahead
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.aws_double import AwsDouble, serving
from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN, AwsHome, come_to_rest, told

ROLE = "arn:aws:iam::123456789012:role/app"
CALLER = "arn:aws:iam::210987654321:user/deploy"


@pytest.fixture
def sts(aws_home: AwsHome) -> Iterator[AwsDouble]:
    with serving() as double:
        aws_home.set(AWS_ENDPOINT_URL_STS=double.url, AWS_MAX_ATTEMPTS="1")
        aws_home.config.write_text(
            "[profile prod]\nregion = eu-central-1\n"
            f"aws_access_key_id = AKIAPROD\naws_secret_access_key = {SECRET_KEY}\n"
        )
        yield double


async def base() -> Credentials:
    return Credentials("ASIABASE", SECRET_KEY, SESSION_TOKEN)


async def failure(**options: object) -> CredentialsError:
    with pytest.raises(CredentialsError) as raised:
        await TokenService().credentials(credentials_source(**({"credentials": base, "role_arn": ROLE} | options)))
    return raised.value


QUOTED = f"""The request signature we calculated does not match the signature you provided.

The Canonical String for this request should have been 'POST x-amz-security-token:{SESSION_TOKEN}'"""


@pytest.mark.parametrize(
    ("code", "message", "cause", "words"),
    [
        (
            "AccessDenied",
            f"User: {CALLER} is not authorized to perform: sts:AssumeRole on resource: {ROLE}",
            "access-denied",
            [f"User: {CALLER} is not authorized", "sts:AssumeRole", "trust policy", "external_id"],
        ),
        ("ExpiredToken", "The security token included in the request is expired", "credentials-expired", ["expired"]),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            "credentials-invalid",
            ["AWS does not know this access key"],
        ),
        ("SignatureDoesNotMatch", QUOTED, "credentials-invalid", ["The secret key does not belong", "clock"]),
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20261130T100000Z is now earlier than 20261130T110000Z",
            "credentials-invalid",
            ["Signature expired: 20261130T100000Z", "clock"],
        ),
        (
            "IncompleteSignature",
            f"Authorization header requires 'Signature' parameter. Authorization=AWS4 {SESSION_TOKEN}",
            "credentials-source-failed",
            ["IncompleteSignature"],
        ),
        (
            "RegionDisabledException",
            "STS is not activated in this region for account:123456789012.",
            "region-of-source",
            ["STS is not activated in this region", "Activate STS", "AWS_DEFAULT_REGION"],
        ),
        (
            "MalformedPolicyDocument",
            "The policy is not in the valid JSON format.",
            "credentials-source-failed",
            ["The policy is not in the valid JSON format"],
        ),
        (
            "ValidationError",
            "1 validation error detected: Value at 'externalId' failed to satisfy constraint",
            "configuration",
            ["'externalId'", "Correct role_arn, external_id or role_session_name"],
        ),
        ("Throttling", "Rate exceeded", "credentials-source-failed", ["Rate exceeded"]),
    ],
)
async def test_what_sts_refuses(
    sts: AwsDouble, code: str, message: str, cause: str, words: list[str], no_secret_in: Callable[..., None]
) -> None:
    sts.refusal = (code, message)
    error = await failure()
    assert error.problem.startswith(f"no AWS credentials from the function passed as credentials= -> role {ROLE}: ")
    assert error.cause == cause
    for word in [code, *words]:
        assert word in str(error)
    assert str(error.remedy) not in error.problem
    assert len(sts.assumed) == 1
    no_secret_in(told(error))


async def test_an_sts_that_cannot_be_reached(aws_home: AwsHome, sts: AwsDouble) -> None:
    aws_home.set(AWS_ENDPOINT_URL_STS="http://127.0.0.1:9")
    error = await failure()
    assert error.cause == "endpoint-unreachable"
    for word in (ROLE, '"http://127.0.0.1:9/"', "(AWS_ENDPOINT_URL_STS)", "Allow HTTPS", "interface endpoint"):
        assert word in str(error)
    assert sts.assumed == []


async def test_an_sts_that_does_not_answer(
    sts: AwsDouble, monkeypatch: pytest.MonkeyPatch, no_secret_in: Callable[..., None]
) -> None:
    monkeypatch.setattr(refresh_ahead, "READ_TIMEOUT", 5.0)
    sts.open.clear()
    error = await failure()
    assert error.cause == "endpoint-unreachable"
    assert sts.url in str(error)
    no_secret_in(told(error))


async def test_a_partition_that_has_no_known_region(sts: AwsDouble) -> None:
    error = await failure(role_arn=ROLE.replace("aws:", "aws-moon:"))
    assert error.cause == "region-of-source"
    assert "Set region in the profile, or AWS_DEFAULT_REGION" in str(error)
    assert sts.assumed == []


async def test_an_answer_that_is_cut_off_is_not_quoted(sts: AwsDouble, no_secret_in: Callable[..., None]) -> None:
    sts.mode = "garbled"
    no_secret_in(told(await failure()))


async def test_an_answer_with_an_impossible_key(sts: AwsDouble, no_secret_in: Callable[..., None]) -> None:
    right = sts.sts
    sts.sts = lambda action: right(action).replace(SECRET_KEY, f"{SECRET_KEY}%")  # type: ignore[method-assign]
    error = await failure()
    assert f"role {ROLE}" in str(error)
    assert "secret_key contains '%'" in str(error)
    no_secret_in(told(error))


async def test_an_answer_without_keys(sts: AwsDouble) -> None:
    sts.sts = lambda action: f"<{action}Response><{action}Result/></{action}Response>"  # type: ignore[method-assign]
    assert "returned unusable credentials" in str(await failure())


async def test_an_answer_that_has_expired(sts: AwsDouble) -> None:
    sts.expires = sts.expires.replace(year=2020)
    error = await failure()
    assert f"role {ROLE}" in str(error)
    assert "expired at 2020" in str(error)


async def test_a_base_that_fails_is_named_by_its_own_error(sts: AwsDouble) -> None:
    error = await failure(credentials=None)
    assert error.cause == "no-credentials"
    assert "AWS_ACCESS_KEY_ID" in str(error)
    with pytest.raises(Exception, match="profile 'gone' is not in the shared AWS files; available profiles: prod"):
        await TokenService().credentials(credentials_source("gone", role_arn=ROLE))
    assert sts.assumed == []


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
async def test_a_base_that_sts_does_not_accept_is_read_again_for_the_next_call(
    aws_home: AwsHome, sts: AwsDouble, code: str
) -> None:
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sts.url}/creds")
    now = time.time()
    service, source = TokenService(clock=lambda: now), credentials_source(role_arn=ROLE)
    sts.refusal = (code, "so it is")
    for _ in range(3):  # at most once in ten seconds
        with pytest.raises(CredentialsError, match=code):
            await service.credentials(source)
    assert sts.requests == ["GET /creds", "POST /", "GET /creds", "POST /", "POST /"]
    sts.serial = 2
    now += 11
    with pytest.raises(CredentialsError, match=code):
        await service.credentials(source)
    sts.refusal = None
    await service.credentials(source)
    assert sts.assumed[-1]["key"] == "ASIADOUBLE2"


async def test_a_role_that_may_not_be_assumed_leaves_its_base_alone(aws_home: AwsHome, sts: AwsDouble) -> None:
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sts.url}/creds")
    service = TokenService()
    sts.refusal = ("AccessDenied", "so it is")
    for _ in range(2):
        with pytest.raises(CredentialsError, match="AccessDenied"):
            await service.credentials(credentials_source(role_arn=ROLE))
    assert sts.requests == ["GET /creds", "POST /", "POST /"]


async def test_all_callers_get_an_error_of_their_own_from_one_request(sts: AwsDouble) -> None:
    sts.refusal = ("AccessDenied", "so it is")
    service, source = TokenService(), credentials_source(credentials=base, role_arn=ROLE)
    errors = await asyncio.gather(*(service.credentials(source) for _ in range(50)), return_exceptions=True)
    assert all(isinstance(error, CredentialsError) and "so it is" in str(error) for error in errors)
    assert len(set(map(id, errors))) == 50
    assert len(sts.assumed) == 1


async def test_a_renewal_that_is_refused_is_logged_once_and_the_last_credentials_serve(
    sts: AwsDouble, caplog: pytest.LogCaptureFixture, no_secret_in: Callable[..., None]
) -> None:
    ahead = 0.0
    service = TokenService(clock=lambda: time.time() + ahead, random=lambda: 0.0)
    source = credentials_source(credentials=base, role_arn=ROLE)
    await service.credentials(source)
    sts.refusal = ("AccessDenied", "so it is")
    for ahead in (3000, 3580):  # noqa: B007 - the service's clock reads it
        assert (await service.credentials(source)).credentials.access_key == "ASIADOUBLE1"
        await come_to_rest()
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert ROLE in warnings[0]
    assert "AccessDenied" in warnings[0]
    no_secret_in()


@pytest.mark.usefixtures("sts")
async def test_it_is_silent_at_every_level(caplog: pytest.LogCaptureFixture, no_secret_in: Callable[..., None]) -> None:
    for name in ("botocore", "aiobotocore"):
        caplog.set_level(1, logger=name)
    snapshot = await TokenService().credentials(credentials_source(credentials=base, role_arn=ROLE))
    assert str(snapshot.credentials.secret_key) == SECRET_KEY
    no_secret_in(repr(snapshot))
