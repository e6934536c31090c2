"""If credentials are cached, a token is signed synchronously. No caller waits, and no task starts."""

import asyncio

import pytest

from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey
from tests.tokens.conftest import Clock, Vault
from tests.tokens.keys import make_key


async def test_another_user_does_not_wait(vault: Vault, key: TokenKey) -> None:
    service = TokenService()
    await service.get(key)
    served = await asyncio.gather(*(service.get(make_key(f"user{n % 10}", load=vault.load)) for n in range(100)))
    assert not any(fresh for _, fresh in served)  # the credentials were cached, so they may cause a refusal
    assert len({id(token) for token, _ in served}) == 10
    assert (service.statistics().waits, service.statistics().generations, vault.reads) == (1, 11, 1)


async def test_a_token_that_expired_unused_is_replaced_on_the_spot(
    service: TokenService, key: TokenKey, clock: Clock
) -> None:
    old, _ = await service.get(key)
    clock.advance(3600)
    coming = service.get(key)
    with pytest.raises(StopIteration) as served:
        coming.send(None)  # no await on the way
    token, fresh = served.value.value
    assert token is not old
    assert not fresh
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_without_a_cache_too(service: TokenService, vault: Vault) -> None:
    tokens = [await service.get(make_key(expiration=0, load=vault.load)) for _ in range(3)]
    assert len({id(token) for token, _ in tokens}) == 3
    assert (service.statistics().waits, service.statistics().generations) == (1, 3)
    assert service.statistics().live_tokens == 0


async def test_after_a_rejection_the_credentials_are_read_first(
    service: TokenService, vault: Vault, key: TokenKey
) -> None:
    token, _ = await service.get(key)
    service.reject(key, token)
    _, fresh = await service.get(key)
    assert fresh
    assert (service.statistics().waits, vault.reads) == (2, 2)
