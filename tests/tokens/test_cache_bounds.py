"""The cache does not grow without bound, and what is under way is not lost to make room."""

import asyncio
import gc
import tracemalloc

from aws_iam_async.statistics import TokenCounters
from aws_iam_async.tokens.cache import TokenCache
from tests.tokens.conftest import Clock, Generator, make_key, settle


async def test_the_one_not_used_for_longest_goes_first(cache: TokenCache, generator: Generator) -> None:
    for user in "abcd":
        await cache.get(make_key(user))
    await cache.get(make_key("a"))
    await cache.get(make_key("e"))
    assert cache.live() == 4
    assert not (await cache.get(make_key("a")))[1]
    assert generator.started == 5
    assert (await cache.get(make_key("b")))[1]


async def test_more_keys_under_way_than_there_is_room_for(cache: TokenCache, generator: Generator) -> None:
    generator.hold()
    keys = [make_key(str(number)) for number in range(20)]
    waiters = [asyncio.create_task(cache.get(key)) for key in keys for _ in range(3)]
    await settle()
    generator.release()
    await asyncio.gather(*waiters)
    assert generator.started == 20
    assert cache.live() == 4


async def test_a_token_evicted_while_it_is_renewed_is_renewed_once(
    cache: TokenCache, generator: Generator, clock: Clock
) -> None:
    key = make_key("renewed")
    old, _ = await cache.get(key)
    clock.advance(600)
    generator.hold()
    await cache.get(key)
    await settle()
    gate, generator.gate = generator.gate, None
    for user in "abcd":
        await cache.get(make_key(user))
    assert await cache.get(key) == (old, False)
    assert gate is not None
    gate.set()
    await settle()
    new, fresh = await cache.get(key)
    assert new is not old
    assert not fresh
    assert generator.most_at_once == 1
    assert cache.live() == 4


async def test_memory_stays_flat(clock: Clock, generator: Generator) -> None:
    cache = TokenCache(generator, maxsize=64, clock=clock, random=lambda: 0.0, counters=TokenCounters())

    async def use(users: range) -> None:
        for user in users:
            await cache.get(make_key(str(user)))
        generator.running.clear()
        gc.collect()

    await use(range(200))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await use(range(200, 3000))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cache.live() == 64
    assert after - before < 100_000
