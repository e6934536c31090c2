"""Profiles that ``aws login`` has been run for: their keys live for 15 minutes, and the SDK renews them."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import botocore.credentials
import pytest

from aws_iam_async import CredentialsError
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import AwsHome, come_to_rest, told
from tests.credentials.sign_in import SESSION, SignIn, serving
from tests.tokens.keys import make_key

pytestmark = pytest.mark.skipif(
    not hasattr(botocore.credentials, "LoginProvider"), reason="profiles of `aws login` came with botocore 1.41"
)


@pytest.fixture
def sign_in(aws_home: AwsHome, tmp_path: Path) -> Iterator[SignIn]:
    with serving(tmp_path / "login") as double:
        aws_home.set(
            AWS_LOGIN_CACHE_DIRECTORY=str(double.cache), AWS_ENDPOINT_URL_SIGNIN=double.url, AWS_MAX_ATTEMPTS="1"
        )
        aws_home.config.write_text(
            f"[profile me]\nlogin_session = {SESSION}\nregion = us-east-1\n"
            "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/app\nsource_profile = me\nregion = us-east-1\n"
        )
        yield double


class Client:
    """A client that gets tokens at a time that the test sets."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.service = TokenService(clock=lambda: time.time() + self.ahead, random=lambda: 0.0)

    async def key_id(self, user: str = "app") -> str:
        token, _ = await self.service.get(make_key(user, signer=credentials_source(profile="me")))
        return token.access_key_id


async def test_keys_with_time_left_are_used_as_they_are(sign_in: SignIn) -> None:
    sign_in.log_in(seconds_left=800)
    assert await Client().key_id() == "ASIALOGIN0"
    assert sign_in.requests == 0


@pytest.mark.parametrize("seconds_left", [120, 5, -60, -86400])
async def test_keys_near_their_end_are_renewed(
    sign_in: SignIn, seconds_left: float, no_secret_in: Callable[..., None]
) -> None:
    sign_in.log_in(seconds_left=seconds_left)
    service = TokenService()
    snapshot = await service.credentials(credentials_source(profile="me"))
    assert (snapshot.credentials.access_key, snapshot.method) == ("ASIALOGIN1", "login")
    assert snapshot.expires == pytest.approx(time.time() + 900, abs=30)
    assert json.loads(sign_in.file.read_text())["refreshToken"] == "refresh-1"  # for the next process, and for the CLI
    no_secret_in(repr(snapshot))


async def test_they_are_renewed_ahead_of_their_end(sign_in: SignIn) -> None:
    sign_in.log_in(seconds_left=400)
    client = Client()
    assert await client.key_id() == "ASIALOGIN0"
    sign_in.log_in(seconds_left=70)  # that is what is left of them later
    client.ahead = 330
    assert await client.key_id("other") == "ASIALOGIN0"
    await come_to_rest()
    assert await client.key_id("third") == "ASIALOGIN1"
    assert client.service.statistics().waits == 1


async def test_a_sign_in_that_has_ended(sign_in: SignIn, no_secret_in: Callable[..., None]) -> None:
    sign_in.log_in(seconds_left=-60)
    sign_in.refusal = "TOKEN_EXPIRED"
    with pytest.raises(CredentialsError, match=r"aws login --profile me") as raised:
        await Client().key_id()
    no_secret_in(told(raised.value))


def test_never_signed_in(sign_in: SignIn) -> None:
    assert not sign_in.file.exists()
    with pytest.raises(CredentialsError, match=r"aws login --profile me"):
        asyncio.run(Client().key_id())


async def test_the_profile_that_signs_in_is_named(sign_in: SignIn) -> None:
    sign_in.log_in(seconds_left=-60)
    sign_in.refusal = "USER_CREDENTIALS_CHANGED"
    with pytest.raises(CredentialsError, match=r"profile 'role'.*aws login --profile me"):
        await TokenService().credentials(credentials_source(profile="role"))
