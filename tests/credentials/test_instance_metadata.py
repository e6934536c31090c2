"""The metadata of an EC2 instance: the token that its second version asks for, and expiries that move."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from aws_iam_async import Credentials, CredentialsError
from aws_iam_async.credentials.source import DEFAULT_CHAIN
from aws_iam_async.tokens.service import TokenService
from tests.credentials.aws_double import METADATA, AwsDouble, serving
from tests.credentials.conftest import AwsHome, come_to_rest

TOKEN = "/latest/api/token"


@pytest.fixture
def metadata(aws_home: AwsHome) -> Iterator[AwsDouble]:
    aws_home.environ.delenv("AWS_EC2_METADATA_DISABLED")
    with serving() as double:
        aws_home.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=double.url)
        yield double


async def test_a_token_is_got_first_and_sent_with_each_question(metadata: AwsDouble) -> None:
    await TokenService().credentials(DEFAULT_CHAIN)
    assert metadata.requests == [f"PUT {TOKEN}", f"GET {METADATA}", f"GET {METADATA}app-role"]


async def test_a_token_for_each_read(metadata: AwsDouble) -> None:
    for _ in range(2):
        await TokenService().credentials(DEFAULT_CHAIN)
    assert metadata.requests.count(f"PUT {TOKEN}") == 2


async def test_metadata_of_the_first_version(metadata: AwsDouble) -> None:
    metadata.metadata_tokens = False
    assert (await TokenService().credentials(DEFAULT_CHAIN)).credentials.access_key == "ASIADOUBLE1"


async def test_a_token_that_does_not_come_through(metadata: AwsDouble, aws_home: AwsHome) -> None:
    """In a container on an instance with a hop limit of 1, the response with the metadata token never arrives."""
    metadata.metadata_tokens_arrive = False
    aws_home.set(AWS_METADATA_SERVICE_TIMEOUT="1")
    async with asyncio.timeout(20):
        with pytest.raises(CredentialsError, match=r"tried .* and EC2 instance metadata"):
            await TokenService().credentials(DEFAULT_CHAIN)


async def test_an_instance_without_a_role(metadata: AwsDouble) -> None:
    metadata.mode = "down"
    with pytest.raises(CredentialsError, match=r"tried .* and EC2 instance metadata"):
        await TokenService().credentials(DEFAULT_CHAIN)


async def test_an_expiry_that_botocore_moves_is_not_believed(metadata: AwsDouble, aws_home: AwsHome) -> None:
    expiry = metadata.expires
    now = expiry.timestamp() - 3600
    aws_home.environ.setattr(
        "botocore.utils.get_current_datetime", lambda: datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    )
    service = TokenService(clock=lambda: now, random=lambda: 0.0)

    async def read_again() -> Credentials:
        await service.credentials(DEFAULT_CHAIN)
        await come_to_rest()
        return (await service.credentials(DEFAULT_CHAIN)).credentials

    assert (await service.credentials(DEFAULT_CHAIN)).credentials.expires_at == expiry
    now += 3000
    assert (await read_again()).expires_at == expiry  # botocore says 7 to 15 minutes later
    assert metadata.given == 2
    now += 590
    metadata.serial = 2
    assert (await read_again()).access_key == "ASIADOUBLE2"
    assert metadata.given == 3
