"""A token that a server rejected is dropped once, however many report it, and nothing tainted takes its place."""

import asyncio

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.source import source
from aws_iam_async.statistics import TokenCounters
from aws_iam_async.tokens.cache import TokenCache
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.service import TokenService
from tests.tokens.conftest import Clock, Generator, make_key, settle


async def test_five_hundred_rejections_make_one_new_token(
    cache: TokenCache, key: TokenKey, generator: Generator, counters: TokenCounters
) -> None:
    old, _ = await cache.get(key)

    async def rejected() -> tuple[object, bool]:
        cache.reject(key, old)
        return await cache.get(key)

    answers = await asyncio.gather(*(rejected() for _ in range(500)))
    assert len({id(token) for token, _ in answers}) == 1
    assert all(fresh for _, fresh in answers)
    assert generator.started == 2
    assert counters.rejections == 1


async def test_a_late_rejection_of_an_old_token_does_not_hit_the_new_one(
    cache: TokenCache, key: TokenKey, generator: Generator
) -> None:
    old, _ = await cache.get(key)
    cache.reject(key, old)
    new, _ = await cache.get(key)
    assert not cache.reject(key, old)
    assert await cache.get(key) == (new, False)
    assert generator.started == 2


async def test_a_generation_under_way_at_the_rejection_is_not_trusted(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock
) -> None:
    old, _ = await cache.get(key)
    clock.advance(600)
    generator.hold()
    await cache.get(key)
    await settle()
    assert generator.started == 2
    cache.reject(key, old)
    waiters = [asyncio.create_task(cache.get(key)) for _ in range(20)]
    await settle()
    assert generator.started == 2  # never two at once
    generator.release()
    answers = await asyncio.gather(*waiters)
    assert len({id(token) for token, _ in answers}) == 1
    assert generator.started == 3
    assert generator.most_at_once == 1
    assert await cache.get(key) == (answers[0][0], False)


async def test_rejecting_one_key_leaves_the_others(cache: TokenCache, generator: Generator) -> None:
    mine, theirs = make_key("a"), make_key("b")
    rejected, _ = await cache.get(mine)
    kept, _ = await cache.get(theirs)
    cache.reject(mine, rejected)
    assert await cache.get(theirs) == (kept, False)
    assert generator.started == 2


async def test_the_next_token_is_signed_with_credentials_read_anew() -> None:
    reads = 0

    async def load() -> Credentials:
        nonlocal reads
        reads += 1
        return Credentials(f"AKIA{reads}", "x")

    service = TokenService()
    mine = make_key("a")._replace(source=source(credentials=load))
    theirs = mine._replace(user="b")
    rejected, _ = await service.get(mine)
    await service.get(theirs)
    for _ in range(500):
        service.reject(mine, rejected)
    token, fresh = await service.get(mine)
    assert (token.access_key_id, fresh, reads) == ("AKIA2", True, 2)
    # Another endpoint with the same credentials: those were read anew a moment ago.
    other, _ = await service.get(theirs)
    service.reject(theirs, other)
    token, fresh = await service.get(theirs)
    assert (token.access_key_id, fresh, reads) == ("AKIA2", False, 2)
