"""With credentials at hand a token is signed on the spot: nobody waits, and no task is started."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.source import source
from aws_iam_async.statistics import TokenCounters
from aws_iam_async.tokens.cache import TokenCache
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.service import TokenService
from tests.tokens.conftest import Clock, Generator, make_key, settle

if TYPE_CHECKING:
    from aws_iam_async.tokens.token import Token


class Vault:
    def __init__(self) -> None:
        self.reads = 0

    async def load(self) -> Credentials:
        self.reads += 1
        await asyncio.sleep(0)
        return Credentials("AKIA", "x")


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def key(vault: Vault) -> TokenKey:
    return make_key()._replace(source=source(credentials=vault.load))


async def test_another_user_does_not_wait(vault: Vault, key: TokenKey) -> None:
    service = TokenService()
    await service.get(key)
    served = await asyncio.gather(*(service.get(key._replace(user=f"user{n % 10}")) for n in range(100)))
    assert not any(fresh for _, fresh in served)  # the credentials were at hand: a refusal may be their fault
    assert len({id(token) for token, _ in served}) == 10
    assert (service.statistics().waits, service.statistics().generations, vault.reads) == (1, 11, 1)


async def test_a_token_that_expired_unused_is_replaced_on_the_spot(key: TokenKey, clock: Clock) -> None:
    service = TokenService(clock=clock)
    old, _ = await service.get(key)
    clock.advance(3600)
    coming = service.get(key)
    with pytest.raises(StopIteration) as served:
        coming.send(None)  # no await on the way
    token, fresh = served.value.value
    assert token is not old
    assert not fresh
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_renewal_is_served_at_once(key: TokenKey, clock: Clock) -> None:
    service = TokenService(clock=clock, random=lambda: 0.0)
    old, _ = await service.get(key)
    clock.advance(600)
    new, _ = await service.get(key)
    assert new is not old
    assert asyncio.all_tasks() == {asyncio.current_task()}
    statistics = service.statistics()
    assert (statistics.refreshes, statistics.generations, statistics.hits, statistics.waits) == (1, 2, 1, 1)


async def test_without_a_cache_too(key: TokenKey) -> None:
    service = TokenService()
    tokens = [await service.get(key._replace(expiration=0)) for _ in range(3)]
    assert len({id(token) for token, _ in tokens}) == 3
    assert (service.statistics().waits, service.statistics().generations) == (1, 3)
    assert service.statistics().live_tokens == 0


async def test_after_a_rejection_the_credentials_are_read_first(vault: Vault, key: TokenKey) -> None:
    service = TokenService()
    token, _ = await service.get(key)
    service.reject(key, token)
    _, fresh = await service.get(key)
    assert fresh
    assert (service.statistics().waits, vault.reads) == (2, 2)


@pytest.fixture
def ready() -> "list[Token]":
    """What the next two tests can sign on the spot."""
    return []


@pytest.fixture
def cache(clock: Clock, generator: Generator, ready: "list[Token]") -> TokenCache:
    return TokenCache(
        generator,
        generate_now=lambda _: ready[0] if ready else None,
        maxsize=4,
        clock=clock,
        random=lambda: 0.0,
        counters=TokenCounters(),
    )


async def test_a_generation_under_way_is_joined_even_if_one_could_sign_by_now(
    cache: TokenCache, generator: Generator, ready: "list[Token]"
) -> None:
    generator.hold()
    first = asyncio.create_task(cache.get(make_key()))
    await settle()
    gate, generator.gate = generator.gate, None
    ready.append(await generator(make_key("somebody else")))
    second = asyncio.create_task(cache.get(make_key()))
    await settle()
    assert gate is not None
    gate.set()
    assert (await first)[0] is (await second)[0]
    assert (await cache.get(make_key()))[0] is (await first)[0]


async def test_no_second_generation_is_made_for_a_key_whose_flight_has_just_begun(
    cache: TokenCache, generator: Generator, ready: "list[Token]"
) -> None:
    first = asyncio.create_task(cache.get(make_key()))
    await asyncio.sleep(0)  # it has asked; the generation has not begun
    ready.append(await generator(make_key("somebody else")))
    second = asyncio.create_task(cache.get(make_key()))
    assert (await first)[0] is (await second)[0]
    assert ready[0] is not (await first)[0]
