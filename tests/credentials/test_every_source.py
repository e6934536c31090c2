"""Each source of the default chain over its real protocol, through the real SDK, against a local double."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from aws_iam_async import CredentialsError, Token
from aws_iam_async.credentials.source import credentials_source as identity
from aws_iam_async.tokens.service import TokenService
from tests.credentials.chain_sources import ChainSource, double, source
from tests.credentials.conftest import SESSION_TOKEN, come_to_rest, told
from tests.tokens.keys import make_key

__all__ = ["double", "source"]

HOUR = timedelta(hours=1)


class Client:
    """A client that gets tokens at a time that the test sets."""

    def __init__(self, source: ChainSource) -> None:
        self.ahead = 0.0
        self.service = TokenService(clock=lambda: time.time() + self.ahead, random=lambda: 0.0)
        self.key = make_key(signer=identity(profile=source.profile))

    async def token(self, user: str = "app") -> Token:
        token, _ = await self.service.get(make_key(user, signer=self.key.source))
        return token

    async def key_id(self, user: str = "app") -> str:
        return (await self.token(user)).access_key_id


@pytest.fixture
def client(source: ChainSource) -> Client:
    return Client(source)


async def test_it_is_read_once_with_its_expiry(
    source: ChainSource, client: Client, no_secret_in: Callable[..., None]
) -> None:
    tokens = await asyncio.gather(*(client.token(f"user{number % 5}") for number in range(50)))
    snapshot = await client.service.credentials(client.key.source)
    assert snapshot.method == source.method
    assert snapshot.credentials.access_key == "ASIADOUBLE1"
    assert snapshot.credentials.session_token == SESSION_TOKEN
    assert snapshot.credentials.expires_at == source.double.expires
    assert {token.access_key_id for token in tokens} == {"ASIADOUBLE1"}
    assert source.double.given == client.service.statistics().credentials_loads == 1
    no_secret_in(repr(snapshot), repr(tokens))


async def test_rotated_and_the_old_key_rejected(source: ChainSource, client: Client) -> None:
    old = await client.token()
    source.double.serial = 2
    source.change()
    assert await client.key_id("other") == "ASIADOUBLE1"
    client.service.reject(client.key, old)
    assert await client.key_id() == "ASIADOUBLE2"
    assert source.double.given == 2
    assert not any("1" in token for token in source.double.caller_tokens[1:])


async def test_renewed_ahead_of_its_expiry_without_a_wait(source: ChainSource, client: Client) -> None:
    await client.token()
    source.double.serial, source.double.expires = 2, source.double.expires + HOUR
    client.ahead = 3000
    assert await client.key_id() == "ASIADOUBLE1"
    await come_to_rest()
    assert await client.key_id("other") == "ASIADOUBLE2"
    assert client.service.statistics().waits == 1


async def test_waited_for_once_it_has_expired(source: ChainSource, client: Client) -> None:
    await client.token()
    source.double.serial, source.double.expires = 2, source.double.expires + 2 * HOUR
    client.ahead = 3601
    assert await client.key_id() == "ASIADOUBLE2"


async def test_slow(source: ChainSource, client: Client) -> None:
    source.double.open.clear()
    waiters = [asyncio.create_task(client.token(f"user{number}")) for number in range(20)]
    deadline = time.monotonic() + 20
    while not source.double.requests and time.monotonic() < deadline:  # noqa: ASYNC110 - it counts in another thread
        await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await client.token()
    waiters[0].cancel()
    await asyncio.sleep(0.05)
    assert not any(waiter.done() for waiter in waiters[1:])
    source.double.open.set()
    tokens = await asyncio.gather(*waiters[1:])
    assert {token.access_key_id for token in tokens} == {"ASIADOUBLE1"}
    assert source.double.given == 1


@pytest.mark.parametrize("mode", ["down", "garbled"])
async def test_failing_at_first(
    source: ChainSource, client: Client, mode: str, no_secret_in: Callable[..., None]
) -> None:
    source.double.mode = mode  # type: ignore[assignment]  # from the list above
    with pytest.raises(CredentialsError, match="credentials") as raised:
        await client.token()
    no_secret_in(told(raised.value))
    assert client.service.statistics().credentials_failures == 1
    source.double.mode = "works"
    assert await client.key_id() == "ASIADOUBLE1"


@pytest.mark.parametrize("mode", ["down", "garbled"])
async def test_failing_later_while_there_are_good_ones(
    source: ChainSource, client: Client, mode: str, no_secret_in: Callable[..., None]
) -> None:
    await client.token()
    source.double.mode = mode  # type: ignore[assignment]  # from the list above
    client.ahead = 3000
    assert await client.key_id() == "ASIADOUBLE1"
    await come_to_rest()
    client.ahead = 3580
    assert await client.key_id("other") == "ASIADOUBLE1"
    await come_to_rest()
    statistics = client.service.statistics()
    assert (statistics.waits, statistics.credentials_failures) == (1, 2)
    no_secret_in()


async def test_given_out_expired(client: Client) -> None:
    client.ahead = 7200
    with pytest.raises(CredentialsError, match="expired"):
        await client.token()
