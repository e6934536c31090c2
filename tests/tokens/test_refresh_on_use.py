"""A token late in its life is served at once and renewed behind the scenes; an expired one never is."""

import asyncio
import logging

import pytest

from aws_iam_async.errors import CredentialsError
from aws_iam_async.statistics import TokenCounters
from aws_iam_async.tokens.cache import TokenCache
from aws_iam_async.tokens.key import TokenKey
from tests.tokens.conftest import Clock, Generator, settle

LATE = 600.0  # seconds into a life of 870
OVER = 880.0


async def test_a_late_token_is_served_and_renewed_once(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock, counters: TokenCounters
) -> None:
    old, _ = await cache.get(key)
    clock.advance(LATE)
    generator.hold()
    answers = await asyncio.gather(*(cache.get(key) for _ in range(50)))
    assert answers == [(old, False)] * 50
    generator.release()
    await settle()
    new, fresh = await cache.get(key)
    assert new is not old
    assert not fresh
    assert generator.started == 2
    assert (counters.refreshes, counters.waits) == (1, 1)


async def test_an_expired_token_is_never_served(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock
) -> None:
    old, _ = await cache.get(key)
    clock.advance(OVER)
    new, fresh = await cache.get(key)
    assert new is not old
    assert fresh
    assert generator.started == 2


async def test_a_clock_set_back_serves_no_token_from_the_future(cache: TokenCache, key: TokenKey, clock: Clock) -> None:
    old, _ = await cache.get(key)
    clock.advance(-3600)
    new, _ = await cache.get(key)
    assert new is not old


async def test_one_who_comes_after_expiry_joins_the_renewal_under_way(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock
) -> None:
    await cache.get(key)
    clock.advance(LATE)
    generator.hold()
    await cache.get(key)
    await settle()
    clock.advance(OVER - LATE)
    waiter = asyncio.create_task(cache.get(key))
    await settle()
    generator.release()
    _, fresh = await waiter
    assert fresh
    assert generator.started == 2
    assert generator.most_at_once == 1


async def test_a_failed_renewal_is_retried_after_a_while_and_the_old_token_served_to_its_end(
    cache: TokenCache,
    key: TokenKey,
    generator: Generator,
    clock: Clock,
    counters: TokenCounters,
    caplog: pytest.LogCaptureFixture,
) -> None:
    old, _ = await cache.get(key)
    clock.advance(LATE)
    generator.error = CredentialsError("endpoint is down")
    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            assert await cache.get(key) == (old, False)
            await settle()
    assert generator.started == 2  # not one a call
    assert "endpoint is down" in caplog.text
    assert "made up" not in caplog.text
    for _ in range(100):
        clock.advance(2)
        assert await cache.get(key) == (old, False)
        await settle()
    assert counters.refresh_failures == generator.started - 1
    assert generator.started == 3  # with 270 s left, and with 108
    generator.error = None
    clock.advance(40)
    await cache.get(key)
    await settle()
    new, fresh = await cache.get(key)
    assert new is not old
    assert not fresh


async def test_after_expiry_the_failure_is_told(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock
) -> None:
    await cache.get(key)
    clock.advance(OVER)
    generator.error = CredentialsError("endpoint is down")
    with pytest.raises(CredentialsError, match="endpoint is down"):
        await cache.get(key)


async def test_a_token_born_expired_serves_those_who_waited_and_nobody_else(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock
) -> None:
    generator.credentials_expire = clock() + 10
    answers = await asyncio.gather(*(cache.get(key) for _ in range(10)))
    assert generator.started == 1
    assert all(fresh for _, fresh in answers)
    assert (await cache.get(key))[1]
    assert generator.started == 2


async def test_a_cancelled_renewal_does_not_stop_the_next(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock
) -> None:
    await cache.get(key)
    clock.advance(LATE)
    generator.hold()
    await cache.get(key)
    (refresher,) = cache.refreshers()
    refresher.cancel()  # before its first step
    await settle()
    assert cache.refreshers() == []
    await cache.get(key)
    await settle()
    generator.release()
    await settle()
    assert (await cache.get(key))[0].issued_at.timestamp() == clock()


async def test_nothing_runs_while_nobody_asks(cache: TokenCache, key: TokenKey, clock: Clock) -> None:
    await cache.get(key)
    clock.advance(LATE)
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}
