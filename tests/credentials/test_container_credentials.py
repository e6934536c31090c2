"""Container credentials (ECS, EKS Pod Identity) over their real protocol, through the real SDK."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aws_iam_async import CredentialsError, RdsTokenProvider
from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN, Answer, AwsHome, Endpoint, keys, told

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


@pytest.fixture
def provider() -> RdsTokenProvider:
    """On the loop of this test alone, and so with a cache of its own; only what is counted is shared."""
    return RdsTokenProvider()


async def test_three_hundred_callers_make_one_request_and_one_token(
    container: Endpoint, provider: RdsTokenProvider, no_secret_in: Callable[..., None]
) -> None:
    before = provider.statistics()
    tokens = await asyncio.gather(*(provider.get_token(host=HOST, port=5432, user="app") for _ in range(300)))
    statistics = provider.statistics()
    assert container.requests == 1
    assert statistics.credentials_loads == before.credentials_loads + 1
    assert statistics.generations == before.generations + 1
    assert len({id(token) for token in tokens}) == 1
    assert tokens[0].access_key_id == "ASIAEXAMPLE1"
    assert "X-Amz-Security-Token=SESSION-TOKEN-MARK" in tokens[0].value
    no_secret_in(repr(tokens[0]), repr(statistics), repr(provider))


async def test_users_share_the_credentials(container: Endpoint, provider: RdsTokenProvider) -> None:
    before = provider.statistics().generations
    await asyncio.gather(*(provider.get_token(host=HOST, port=5432, user=f"user{n}") for n in range(50)))
    assert container.requests == 1
    assert provider.statistics().generations == before + 50


async def test_the_authorization_token_is_read_from_its_file(
    aws_home: AwsHome, container: Endpoint, provider: RdsTokenProvider, tmp_path: Path
) -> None:
    file = tmp_path / "pod-identity-token"
    file.write_text("pod token")
    aws_home.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file))
    await provider.get_token(host=HOST, port=5432, user="app")
    assert container.authorization == ["pod token"]


async def test_credentials_near_their_end_are_not_asked_for_twice(
    container: Endpoint, provider: RdsTokenProvider
) -> None:
    expires = datetime.now(UTC) + timedelta(minutes=5)  # botocore would refresh these on first use
    container.answer = Answer(keys(expires=expires.isoformat()))
    token = await provider.get_token(host=HOST, port=5432, user="app")
    assert container.requests == 1
    assert token.expires_at == expires - timedelta(seconds=30)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(f'{{"SecretAccessKey": "{SECRET_KEY}", "Token": "{SESSION_TOKEN}", ', 200),
        Answer(f"{SECRET_KEY}: {SESSION_TOKEN}", 404),
        Answer(keys(), 500),
        Answer(json.dumps({"SecretAccessKey": SECRET_KEY, "Token": SESSION_TOKEN})),
        Answer(keys(expires=SECRET_KEY)),
        Answer(json.dumps([SECRET_KEY])),
        Answer(keys(expires="2020-01-01T00:00:00Z")),
        Answer(keys().replace("ASIAEXAMPLE1", "")),
    ],
    ids=["cut short", "404", "500", "no key id", "no date", "a list", "expired", "empty key id"],
)
async def test_a_bad_answer_is_told_without_repeating_it(
    aws_home: AwsHome,
    container: Endpoint,
    provider: RdsTokenProvider,
    answer: Answer,
    no_secret_in: Callable[..., None],
) -> None:
    aws_home.environ.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    container.answer = answer
    with pytest.raises(CredentialsError, match="credentials") as raised:
        await provider.get_token(host=HOST, port=5432, user="app")
    no_secret_in(told(raised.value))


async def test_each_waiter_is_told(aws_home: AwsHome, container: Endpoint, provider: RdsTokenProvider) -> None:
    aws_home.environ.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    container.answer = Answer("", 500)
    waiters = [provider.get_token(host=HOST, port=5432, user="app") for _ in range(20)]
    errors = await asyncio.gather(*waiters, return_exceptions=True)
    assert {type(error) for error in errors} == {CredentialsError}
    assert len({id(error) for error in errors}) == 20
    assert "500" in str(errors[0])
    container.answer = Answer(keys())
    await provider.get_token(host=HOST, port=5432, user="app")


async def test_a_read_goes_on_when_its_last_waiter_has_gone(container: Endpoint, provider: RdsTokenProvider) -> None:
    container.hold()
    waiter = asyncio.create_task(provider.get_token(host=HOST, port=5432, user="app"))
    while container.requests == 0:  # noqa: ASYNC110 - the endpoint counts in another thread
        await asyncio.sleep(0.01)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    for _ in range(5):
        await asyncio.sleep(0)  # what is cancelled has to end
    assert asyncio.all_tasks() == {asyncio.current_task()}
    container.release()
    token = await provider.get_token(host=HOST, port=5432, user="app")
    assert container.requests == 1
    assert token.access_key_id == "ASIAEXAMPLE1"
