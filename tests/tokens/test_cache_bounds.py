"""The cache has a maximum size, and never evicts a token that a caller waits for."""

import asyncio
import gc
import tracemalloc

from aws_iam_async.tokens.service import TokenService
from tests.tokens.conftest import Clock, Vault, settle
from tests.tokens.keys import make_key


async def test_the_one_not_used_for_longest_goes_first(service: TokenService, vault: Vault) -> None:
    tokens = {user: (await service.get(make_key(user, load=vault.load)))[0] for user in "abcd"}
    await service.get(make_key("a", load=vault.load))
    await service.get(make_key("e", load=vault.load))
    assert service.statistics().live_tokens == 4
    assert (await service.get(make_key("a", load=vault.load)))[0] is tokens["a"]
    assert service.statistics().generations == 5
    assert (await service.get(make_key("b", load=vault.load)))[0] is not tokens["b"]


async def test_one_signed_again_is_the_last_to_go(service: TokenService, vault: Vault, clock: Clock) -> None:
    await service.get(make_key("a", load=vault.load))
    clock.advance(800)
    for user in "bcd":
        await service.get(make_key(user, load=vault.load))
    clock.advance(100)  # the first token has expired
    token, _ = await service.get(make_key("a", load=vault.load))
    await service.get(make_key("e", load=vault.load))
    assert (await service.get(make_key("a", load=vault.load)))[0] is token


async def test_more_keys_waited_for_than_there_is_room_for(service: TokenService, vault: Vault) -> None:
    vault.hold()
    keys = [make_key(str(number), load=vault.load) for number in range(20)]
    waiters = [asyncio.create_task(service.get(key)) for key in keys for _ in range(3)]
    await settle()
    vault.release()
    await asyncio.gather(*waiters)
    statistics = service.statistics()
    assert (vault.reads, statistics.generations, statistics.live_tokens) == (1, 20, 4)


async def test_memory_stays_flat(clock: Clock, vault: Vault) -> None:
    service = TokenService(maxsize=64, clock=clock, random=lambda: 0.0)

    async def use(users: range) -> None:
        for user in users:
            await service.get(make_key(str(user), load=vault.load))
        gc.collect()

    await use(range(4000))  # what is cached for each signature is as large as it gets
    tracemalloc.start()
    try:
        await use(range(4000, 5000))
        before, _ = tracemalloc.get_traced_memory()
        await use(range(5000, 8000))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert service.statistics().live_tokens == 64
    assert after - before < 100_000
